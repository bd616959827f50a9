"""Saved views of a waveform: what they name is in it, whichever simulator wrote it."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cosim.bench import waves
from cosim.bench.runner import Stimulus, simulate
from cosim.bench.simulators import require_header
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from model.errors import BadInput
from tests.support.random_bundles import random_bundle, random_features


@pytest.fixture(scope="module")
def network() -> Network:
    made = random_bundle(np.random.default_rng(0), [("bgru", 12)], bins=9, qad_bits=2)
    return Network(made, {"gru0": Folding(2, 5, "loaded"), "mask": Folding(2, 3)}, ECP5, 8, 8)


@pytest.fixture(scope="module", params=["icarus", "verilator"])
def waveform(request, network, tmp_path_factory) -> Path:
    if request.param == "verilator":
        try:
            require_header("lz4.h", "")
        except BadInput:
            pytest.skip("Verilator writes FST with liblz4-dev only")
    folder = tmp_path_factory.mktemp(request.param)
    features = random_features(np.random.default_rng(1), network.bundle, 3)
    outcome = simulate(
        network,
        network.bundle,
        Stimulus([features]),
        simulator=request.param,
        waves=folder / "waves.fst",
        quick_build=True,
    )
    assert outcome.mismatch is None
    return folder / "waves.fst"


@pytest.mark.simulator
def test_every_signal_of_every_group_is_in_the_waveform(network, waveform):
    there = waves.names_in(waveform)
    wanted = {trace.name for group in waves.groups(network) for trace in group.traces}
    assert wanted <= set(there)
    assert there["bgru.rec_gru0__r"] == 12
    assert there["bgru.clk"] == 1


@pytest.mark.simulator
def test_the_views_name_what_is_there(network, waveform):
    gtkwave, surfer = (shlex.split(command) for command in waves.save_views(network, waveform))
    there = waves.names_in(waveform)
    assert gtkwave[0] == "gtkwave" and surfer[:2] == ["surfer", "-c"]
    assert surfer[3] == str(waveform)
    shown = re.findall(r"^\+\{[^}]+\} (\S+?)(?:\[(\d+):0\])?$", Path(gtkwave[1]).read_text(), re.MULTILINE)
    assert {name: int(high or 0) + 1 for name, high in shown} == {name: there[name] for name, _ in shown}
    commands = Path(surfer[2]).read_text().splitlines()
    added = [line.split()[1] for line in commands if line.startswith("variable_add")]
    assert added == [name for name, _ in shown] and len(added) > 30


@pytest.mark.simulator
def test_a_signal_that_was_not_traced_is_left_out(network, waveform, monkeypatch):
    there = waves.names_in(waveform)
    without = {name: width for name, width in there.items() if "rec_gru0__h" not in name}
    monkeypatch.setattr(waves, "names_in", lambda _: without)
    gtkwave, _ = waves.save_views(network, waveform)
    assert "rec_gru0__h" not in Path(gtkwave.split(maxsplit=1)[1]).read_text()


@pytest.mark.simulator
def test_each_number_that_surfer_is_told_is_a_signal_and_gets_its_radix(network, waveform):
    _, surfer = waves.save_views(network, waveform)
    commands = Path(shlex.split(surfer)[2]).read_text().splitlines()
    items = [line.split() for line in commands if line.startswith(("divider_add", "variable_add"))]
    assert all(len(words) == 2 for words in items)  # a divider's name is one word, or Surfer takes none of it
    radix = {trace.name: waves.SURFER[trace.radix] for group in waves.groups(network) for trace in group.traces}
    found = {}
    for focus, form in pairwise(commands):
        if focus.startswith("item_focus"):
            number = int("".join(f"{ord(letter) - ord('a'):x}" for letter in focus.split()[1].rstrip("_")), 16)
            kind, name = items[number]
            assert kind == "variable_add"
            found[name] = form.removeprefix("item_set_format ")
    assert found == radix


def test_streams_gates_state_and_counters_of_each_layer_have_a_group(network):
    names = [group.name for group in waves.groups(network)]
    of_gru = [f"gru0_{part}" for part in ("streams", "gates", "state", "counters")]
    assert names == ["clock", "network_streams", *of_gru, "mask_streams", "mask_gates", "mask_counters"]
