"""`bgru loop`: a recording through the simulated board, and an end that leaves nothing running."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from model.bundle.write import write_bundle
from tests.boards.gateware.test_byte_denoiser import made
from tests.support.paths import ROOT
from tests.support.random_bundles import random_bundle

pytestmark = pytest.mark.simulator

MADE = random_bundle(np.random.default_rng(3), [("bgru", 12)], bins=9, qad_bits=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("loop")
    write_bundle(MADE, path / "net")
    for name, samples in (("in", 192), ("long", 400_000)):
        soundfile.write(path / f"{name}.wav", np.random.default_rng(4).normal(0, 0.1, samples), 16000)
    return path


def loop(folder: Path, recording: str, output: str) -> list[str]:
    """The command, interruptible though a background job ignores SIGINT."""
    start = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from bgru.cli import main; main()"
    words = ["loop", recording, output, "--bundle", "./net", "--build", str(folder / "build")]
    return [sys.executable, "-c", start, *words]


def at(folder: Path) -> dict[str, Any]:
    return {"cwd": folder, "env": os.environ | {"PYTHONPATH": str(ROOT)}, "text": True}


def test_every_mask_of_a_recording_is_compared(folder):
    done = subprocess.run(loop(folder, "in.wav", "out.wav"), **at(folder), capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mask agreement       459 of 459 bits in 51 frames" in done.stdout
    assert (folder / "out.wav").is_file()


def test_every_sample_of_a_recording_is_compared_with_audio(folder):
    write_bundle(made(), folder / "sound")
    words = [*loop(folder, "in.wav", "heard.wav"), "--audio"]
    done = subprocess.run(
        [word.replace("./net", "./sound") for word in words], **at(folder), capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sample agreement     204 of 204 samples in 51 hops" in done.stdout
    assert (folder / "heard.wav").is_file()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_the_simulated_board(folder, how):
    options = at(folder) | {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    with subprocess.Popen(loop(folder, "long.wav", "never.wav"), **options) as process:
        assert process.stdout is not None and process.stderr is not None
        port = next(Path(line.split(" on ")[1].strip()) for line in process.stdout if " on /dev/" in line)
        assert port.exists()
        process.send_signal(how)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):  # nobody is left of its group
        os.killpg(process.pid, 0)
    assert not (folder / "never.wav").exists()
