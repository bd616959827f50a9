"""`bgru`: bad input is one sentence and exit code 2, help teaches, and light commands stay light."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from typing import Annotated, Any

import numpy as np
import pytest
import typer
from typer.core import TyperGroup, TyperOption

from bgru.cli import EXTRAS, GROUPS, Commands, app
from model.bundle.read import read_bundle
from model.bundle.write import write_bundle
from model.errors import BadInput
from model.reference.audio import read_samples
from model.reference.denoise import denoise
from model.shipped import bundle_folder
from tests.support.command import bgru
from tests.support.integer_bundles import small_integer_bundle
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
    if what in (*EXTRAS, "spoon"):
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


@pytest.mark.parametrize(("package", "extra"), EXTRAS.items())
def test_a_missing_package_of_an_extra_says_what_to_install(monkeypatch, capsys, package, extra):
    assert run(monkeypatch, package) == 2
    install = f"pip install 'bgru-fpga[{extra}]', in a checkout: make .venv/{extra}.installed"
    assert f"error: {package}: expected this package, found none; {install}" in capsys.readouterr().err


@pytest.mark.parametrize("extra", ["train", "onnx"])
def test_the_packages_of_extras_are_those_of_pyproject(extra):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {re.match(r"[\w-]+", line)[0].replace("-", "_") for line in extras[extra]}
    assert named == {package for package, its in EXTRAS.items() if its == extra}


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
UsageError: type[Exception] = next(one for one in typer.BadParameter.__mro__ if one.__name__ == "UsageError")
ROOT_FLAGS = {flag for option in ROOT_COMMAND.params for flag in option.opts} | {"--help"}
assert isinstance(ROOT_COMMAND, TyperGroup)
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
    assert {flag: texts for flag, texts in found.items() if len(texts) > 1} == {}


EXAMPLE = re.compile(r"Example: `(?:[^`]* \| )?bgru ([^`|]+)[`|]")


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_an_example_is_a_command_that_would_run(path):
    words = shlex.split(EXAMPLE.search(LEAVES[path].help)[1])
    assert tuple(words[: len(path)]) == path
    LEAVES[path].make_context(" ".join(path), words[len(path) :])  # refuses what is no option or argument


NUMBERS = {
    f"{' '.join(path)} {option.opts[0]}": (one, option)
    for path, one in LEAVES.items()
    for option in one.params
    if isinstance(option, TyperOption) and option.type_descriptor.annotation in (float, list[float])
}


@pytest.mark.parametrize("text", ["nan", "inf"])
@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_is_finite(name, text):
    one, option = NUMBERS[name]
    given = [text] if option.multiple else text
    with pytest.raises(typer.BadParameter):
        option.handle_parse_result(typer.Context(one), {option.name: given}, [])
    option.handle_parse_result(typer.Context(one), {option.name: ["20"] if option.multiple else "20"}, [])


def test_a_clock_that_is_none_is_refused():
    assert bgru("plan", "--clock", "-3").exit_code == 2


def test_an_unknown_bundle_names_the_shipped_ones():
    result = bgru("plan", "--bundle", "smal")
    assert result.exit_code == 2
    shipped = "paper, small, small-int4, swift, swift-int4, tiny, tiny-int4, tiny-mixed"
    assert result.stderr == f"error: smal: expected a bundle's folder or one of {shipped}, found neither\n"


COMMAND = re.compile(r"`bgru ([^`]+)`|^bgru ((?:.*\\\n)*.*)$", re.MULTILINE)
"""A command in a page: in backquotes, or a line of a block that a backslash may continue."""


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_the_commands_in_the_documentation_exist_with_their_options(page):
    for spans in COMMAND.findall(page.read_text(encoding="utf-8")):
        text = "".join(spans).replace("\\\n", " ")
        words = [word for word in shlex.split(text, comments=True) if word != "&"]
        group = ROOT_COMMAND
        while words and words[0] in getattr(group, "commands", {}):
            group = group.commands[words.pop(0)]
        if group is ROOT_COMMAND:  # its options act at once: --install-completion writes to the shell's files
            assert set(words) <= ROOT_FLAGS, text
            continue
        try:
            group.make_context("bgru", words)
        except typer.Exit:  # --help
            pass
        except UsageError as error:
            if "Missing" not in error.format_message():  # a command that is only mentioned
                pytest.fail(f"bgru {text}: {error.format_message()}")


def test_the_readme_lists_every_command():
    listed = set(re.findall(r"^\| `bgru (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == set(ROOT_COMMAND.commands)


def test_every_command_is_in_a_group_of_what_a_person_wants_to_do():
    assert set(ROOT_COMMAND.commands) == {name for names in GROUPS.values() for name in names}
    shown = bgru("--help").output
    assert all(group in shown for group in GROUPS)


HEAVY = (
    "amaranth",
    "amaranth_boards",
    "numpy",
    "scipy",
    "matplotlib",
    "torch",
    "cocotb",
    "soundfile",
    "jinja2",
    "distributed",
)


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


def test_a_recording_comes_with_bgru(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = bgru("denoise")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "build" / "denoised.wav").is_file()


def test_boards_are_listed_with_their_bundles():
    lines = bgru("boards").output.splitlines()
    assert any(line.split()[0] == "icebreaker" and line.split()[-1] == "tiny" for line in lines)


@pytest.mark.parametrize("name", ["ICEBREAKER", "ICE-Breaker", "ulx3s-85f", "tangprimer20k"])
def test_a_board_is_found_in_any_case_and_with_dashes(name, tmp_path):
    assert bgru("plan", "--board", name, "--frame-rate", "125", "--build", tmp_path).exit_code == 0


@pytest.mark.parametrize("name", ["out[final].wav", "out:smile:.wav"])
def test_a_name_that_looks_like_markup_is_printed_as_it_is(tmp_path, name):
    result = bgru("denoise", ROOT / "samples" / "noisy.flac", tmp_path / name, "--bundle", "tiny")
    assert result.exit_code == 0, result.output
    assert f"{name}: " in result.output


def test_a_limit_is_in_what_denoise_writes_and_one_of_0_is_refused(tmp_path):
    noisy, written = ROOT / "samples" / "noisy.flac", tmp_path / "out.wav"
    result = bgru("denoise", noisy, written, "--bundle", "tiny", "--limit", "12")
    assert result.exit_code == 0, result.output
    network = read_bundle(bundle_folder("tiny"))
    expected, _ = denoise(network, read_samples(noisy, network.front_end.sample_rate), 12.0)
    assert np.array_equal(read_samples(written, network.front_end.sample_rate), expected)
    assert bgru("denoise", noisy, written, "--limit", "0").exit_code == 2


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


BITWISE = (("bench",),)
"""Commands that take only bitwise networks."""


@pytest.mark.parametrize("words", BITWISE, ids=" ".join)
def test_what_a_network_of_integers_cannot_do_yet_is_said(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_bundle(small_integer_bundle(), tmp_path / "net")
    result = bgru(*words, "--bundle", tmp_path / "net")
    assert result.exit_code == 2
    bitwise = "error: layer gru0: expected a bitwise layer, got an integer gru, which this command does not take yet"
    assert bitwise in result.stderr
    written = [path for path in tmp_path.rglob("*") if path.is_file() and "cache" not in path.parts]
    assert sorted(path.name for path in written) == ["arrays.npz", "manifest.json"]


INTERRUPTED = """
import signal, time
from bgru.cli import keep_interrupts

class Late:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
keep_interrupts()
try:
    Late()
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_that_comes_in_a_destructor_is_not_lost():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
