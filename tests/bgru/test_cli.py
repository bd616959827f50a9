"""`bgru`: bad input is one sentence and exit code 2, help teaches, and light commands stay light."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Annotated, Any

import pytest
import typer
from typer.core import TyperGroup, TyperOption

from bgru.cli import GROUPS, Commands, app
from model.errors import BadInput
from tests.support.command import bgru
from tests.support.paths import ROOT


def command(
    what: Annotated[str, typer.Argument(help="What to do.")] = "nothing",
    times: Annotated[int, typer.Option(help="How often.")] = 1,
) -> None:
    """Do what it is told."""
    if what == "fail":
        raise BadInput("spoon.wav: expected audio, got a spoon")
    if what == "crash":
        raise ZeroDivisionError
    if what == "stop":
        raise KeyboardInterrupt
    if what in ("torch", "spoon"):
        raise ModuleNotFoundError(name=what)
    print(what * times)


def demo() -> typer.Typer:
    app = typer.Typer(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
    app.callback()(lambda: None)
    app.command("do")(command)
    return app


def run(monkeypatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["demo", "do", *arguments])
    with pytest.raises(SystemExit) as caught:
        demo()()
    return caught.value.code


def test_success_exits_with_0(monkeypatch, capsys):
    assert run(monkeypatch, "ha", "--times", "2") == 0
    assert capsys.readouterr().out == "haha\n"


def test_bad_input_is_one_line_and_exit_code_2(monkeypatch, capsys):
    assert run(monkeypatch, "fail") == 2
    captured = capsys.readouterr()
    assert captured.err == "error: spoon.wav: expected audio, got a spoon\n"
    assert captured.out == ""


@pytest.mark.parametrize("arguments", [["--volume", "3"], ["--times", "many"], ["a", "b"]])
def test_wrong_usage_is_exit_code_2(monkeypatch, capsys, arguments):
    assert run(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error and "Usage: " in error


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_the_docstring_and_the_options(monkeypatch, capsys, flag):
    assert run(monkeypatch, flag) == 0
    text = capsys.readouterr().out
    for part in ("Do what it is told.", "What to do.", "--times", "How often."):
        assert part in text


def test_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["demo", "do", "crash"])
    with pytest.raises(ZeroDivisionError):
        demo()()


def test_ctrl_c_ends_with_130_and_no_traceback(monkeypatch, capsys):
    assert run(monkeypatch, "stop") == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_missing_training_package_says_what_to_install(monkeypatch, capsys):
    assert run(monkeypatch, "torch") == 2
    assert "pip install 'bgru-fpga[train]'" in capsys.readouterr().err


def test_any_other_missing_module_is_a_bug(monkeypatch):
    with pytest.raises(ModuleNotFoundError):
        run(monkeypatch, "spoon")


def leaves(group: TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, one in group.commands.items():
        if isinstance(one, TyperGroup):
            yield from leaves(one, (*path, name))
        else:
            yield (*path, name), one


ROOT_COMMAND = typer.main.get_command(app)
LEAVES = dict(leaves(ROOT_COMMAND))


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_help_with_an_example(path):
    result = bgru(*path, "--help")
    assert result.exit_code == 0
    assert f"bgru {' '.join(path)}" in " ".join(result.output.replace("\u2502", "").split())
    assert "Example:" in result.output


def test_an_option_has_the_same_help_wherever_it_appears():
    found: dict[str, set[str | None]] = {}
    for command in LEAVES.values():
        for option in command.params:
            if isinstance(option, TyperOption):
                for flag in option.opts:
                    found.setdefault(flag, set()).add(option.help)
    different = {flag: texts for flag, texts in found.items() if len(texts) > 1 and flag not in OWN_MEANING}
    assert not different


OWN_MEANING = ("--out", "--seed", "--settings", "--rows")
"""Options that say what they are for in each command."""


def test_every_command_is_in_a_group_of_what_a_person_wants_to_do():
    assert set(ROOT_COMMAND.commands) == {name for names in GROUPS.values() for name in names}
    shown = bgru("--help").output
    assert all(group in shown for group in GROUPS)


HEAVY = ("amaranth", "amaranth_boards", "numpy", "scipy", "matplotlib", "torch", "cocotb", "soundfile", "jinja2")


@pytest.mark.parametrize("words", [["--help"], ["plan", "--help"], ["train", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_nothing_heavy(words):
    script = (
        "import sys\nfrom bgru.cli import app\n"
        f"try:\n    app({words!r})\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout


def test_the_version_is_the_packages():
    assert bgru("--version").output == f"bgru {version('bgru-fpga')}\n"


def test_boards_are_listed_with_their_bundles():
    lines = bgru("boards").output.splitlines()
    assert any(line.split()[0] == "icebreaker" and line.split()[-1] == "tiny" for line in lines)


@pytest.mark.parametrize("name", ["ICEBREAKER", "iCEBreaker", "ulx3s-85f"])
def test_a_board_is_found_in_any_case_and_with_dashes(name, tmp_path):
    assert bgru("plan", "--board", name, "--frame-rate", "125", "--build", tmp_path).exit_code == 0


def test_a_name_in_brackets_is_printed_as_it_is(tmp_path):
    result = bgru("denoise", ROOT / "samples" / "noisy.flac", tmp_path / "out[final].wav", "--bundle", "tiny")
    assert result.exit_code == 0, result.output
    assert "out[final].wav: " in result.output


def test_a_shipped_bundle_goes_by_its_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = bgru("plan", "--bundle", "tiny", "--board", "icebreaker", "--frame-rate", "125")
    assert result.exit_code == 0, result.output
    assert "tiny on icebreaker" in result.output


def test_a_folder_of_that_name_goes_before_the_shipped_bundle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    result = bgru("plan", "--bundle", "tiny", "--board", "icebreaker")
    assert result.exit_code == 2
    assert "tiny: expected a bundle" in result.stderr
