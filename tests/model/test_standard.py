"""Commands that stand in a pipe: what they say where there is none."""

import os
import pty
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

DENOISE, SEND = (
    ["denoise", "--bundle", "tiny"],
    ["denoise", "--bundle", "tiny", str(ROOT / "samples" / "noisy.flac"), "-"],
)
LIVE = ["live", "--bundle", "tiny"]


def bgru(redirection, *words, **more):
    command = ["bash", "-c", f'"$@" {redirection}', "-", sys.executable, "-m", "bgru", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, **more)


@pytest.mark.parametrize(
    ("words", "redirection", "name"),
    [
        (LIVE, "<&-", "standard input"),
        (["host", "--live", "--port", "none", "--bundle", "tiny"], "<&-", "standard input"),
        ([*DENOISE, "-", "out.wav"], "<&-", "standard input"),
        (LIVE, ">&-", "standard output"),
        (SEND, ">&-", "standard output"),
    ],
)
def test_closed(words, redirection, name, tmp_path):
    ran = bgru(redirection, *words, cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert (ran.returncode, ran.stderr) == (2, f"error: {name}: expected a pipe or a file, got none: it is closed\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "end", "name"),
    [
        (LIVE, "stdin", "standard input"),
        ([*DENOISE, "-", "out.wav"], "stdin", "standard input"),
        (SEND, "stdout", "standard output"),
    ],
)
def test_a_terminal(words, end, name, tmp_path):
    ours, terminal = pty.openpty()
    try:
        ran = bgru("", *words, cwd=tmp_path, **{end: terminal})
    finally:
        os.close(ours)
        os.close(terminal)
    assert (ran.returncode, ran.stderr) == (2, f"error: {name}: expected a pipe or a file, got a terminal\n")
