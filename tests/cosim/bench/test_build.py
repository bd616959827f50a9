"""A simulator is built once for each distinct design, and an interrupted run leaves no program behind."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from cosim.bench import build
from cosim.bench.runner import Stimulus, simulate
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from tests.support.random_bundles import random_bundle, random_features
from tests.support.simulators import QUICKEST

MAIN = '#include "Vtop.h"\nint main() { Vtop top; top.a = 3; top.eval(); return top.o; }\n'


def made(folder: Path, verilog: str, *, quick: bool = True) -> Path:
    (folder / "top.v").write_text(verilog)
    (folder / "main.cpp").write_text(MAIN)
    return build.verilated(folder / "top.v", folder / "main.cpp", "top", quick=quick)


@pytest.mark.simulator
def test_equal_verilog_and_options_are_built_once_and_share_verilators_own_objects(tmp_path, monkeypatch):
    monkeypatch.setenv("BGRU_CACHE", str(tmp_path / "cache"))
    verilog = "module top(input [7:0] a, output [7:0] o); assign o = a + 8'd{}; endmodule\n"
    first = made(tmp_path, verilog.format(1))
    assert made(tmp_path, verilog.format(1)) == first
    second, optimised = made(tmp_path, verilog.format(2)), made(tmp_path, verilog.format(2), quick=False)
    assert len({first, second, optimised}) == 3
    assert [subprocess.run([path]).returncode for path in (first, second, optimised)] == [4, 5, 5]
    assert len(list((tmp_path / "cache" / "verilator").iterdir())) == 1


@pytest.mark.simulator
def test_networks_of_one_shape_share_a_simulator_whatever_their_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("BGRU_CACHE", str(tmp_path / "cache"))
    for seed in range(2):
        rng = np.random.default_rng(seed)
        bundle = random_bundle(rng, bins=4)
        foldings = {layer.name: Folding(2, 2, "loaded") for layer in bundle.layers}
        network = Network(bundle, foldings, ECP5, 8, 8)
        stimulus = Stimulus([random_features(rng, bundle, 2)])
        assert simulate(network, bundle, stimulus, simulator=QUICKEST, quick_build=True).mismatch is None
    assert len(list((tmp_path / "cache" / "simulator").iterdir())) == 1


@pytest.mark.simulator
def test_two_runs_of_one_design_at_once_do_not_meet(tmp_path):
    rng = np.random.default_rng(0)
    bundle = random_bundle(rng, bins=4)
    network = Network(bundle, {layer.name: Folding(2, 2) for layer in bundle.layers}, ECP5, 8, 8)
    masks: dict[int, np.ndarray] = {}

    def run(frames: int) -> None:
        stimulus = Stimulus([random_features(np.random.default_rng(frames), bundle, frames)])
        outcome = simulate(network, bundle, stimulus, simulator=QUICKEST, quick_build=True)
        masks[frames] = outcome.mask
        assert outcome.mismatch is None

    environment = dict(os.environ)
    threads = [threading.Thread(target=run, args=(frames,)) for frames in (3, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {frames: len(mask) for frames, mask in masks.items()} == {3: 3, 5: 5}
    assert dict(os.environ) == environment


def test_a_tool_that_fails_is_named_with_its_words_and_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("BGRU_CACHE", str(tmp_path / "cache"))
    with pytest.raises(RuntimeError, match=r"verilator failed; its output ends with:\n(.|\n)*syntax error"):
        made(tmp_path, "module top(; endmodule\n")
    assert not any((tmp_path / "cache" / "simulator").iterdir())


@pytest.mark.simulator
def test_a_simulator_is_built_with_this_interpreter_whatever_is_on_the_path(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    for name in ("python", "python3"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\nexit 3\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("BGRU_CACHE", str(tmp_path / "cache"))
    program = made(tmp_path, "module top(input [3:0] a, output [3:0] o); assign o = a + 1; endmodule\n")
    assert subprocess.run([program]).returncode == 4


def test_variables_of_another_simulation_are_not_passed_on(tmp_path, monkeypatch):
    for name in ("COCOTB_TEST_MODULES", "GPI_EXTRA", "PYGPI_PYTHON_BIN", "MODULE", "RANDOM_SEED", "MODULES"):
        monkeypatch.setenv(name, "theirs")
    assert build.run(["env"], tmp_path, {"GPI_USERS": "ours"}, tmp_path / "log") == 0
    seen = [line for line in (tmp_path / "log").read_text().splitlines() if line.endswith(("theirs", "ours"))]
    assert sorted(seen) == ["GPI_USERS=ours", "MODULES=theirs"]


def test_an_interrupt_ends_the_program_and_its_children(tmp_path):
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    # All that hold the pipe open are the shell and its child; the end of the pipe is their end.
    script = f"exec 3> {alive}; echo started >&3; (sleep 60; echo survived >&3) & wait"
    caller = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job ignores it
        "from pathlib import Path; from cosim.bench.build import run\n"
        f"run(['sh', '-c', {script!r}], Path({str(tmp_path)!r}), {{}}, Path({str(tmp_path / 'log')!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", caller], stderr=subprocess.PIPE, text=True)
    with alive.open() as pipe:
        assert pipe.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        assert pipe.read() == ""
    _, words = process.communicate()
    assert "KeyboardInterrupt" in words
