"""Command lines: bad input is one sentence and exit code 2, a bug of ours keeps its traceback."""

import sys
from typing import Annotated

import pytest
import typer

from model import cli
from model.errors import BadInput


def command(
    what: Annotated[str, typer.Argument(help="What to do.")] = "nothing",
    times: Annotated[int, typer.Option(help="How often.")] = 1,
) -> None:
    """Do what it is told."""
    if what == "fail":
        raise BadInput("spoon.wav: expected audio, got a spoon")
    if what == "crash":
        raise ZeroDivisionError
    print(what * times)


def run(monkeypatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.run(command)
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
    monkeypatch.setattr(sys, "argv", ["command", "crash"])
    with pytest.raises(ZeroDivisionError):
        cli.run(command)
