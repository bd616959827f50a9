"""Weights from SDRAM next to a network: the same bits as from anywhere else, at the pace that the memory allows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from boards.definitions.registry import find
from boards.definitions.sdram import ULX3S_SDRAM
from boards.gateware.sdram import data_share
from boards.gateware.sdram_weights import Memory
from cosim.bench.runner import Outcome, Stimulus, simulate
from cosim.chips.sdram import StreamedWeights, weights_of, words_of
from cosim.chips.sdram_chip import SdramChip
from cosim.chips.sdram_timing import Timing
from cosim.chips.sdram_verilog import SdramModel
from hw.gateware.network import Network
from hw.shape.cycles import predict
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from model.errors import BadInput
from tests.support.random_bundles import random_bundle, random_features
from tests.support.simulators import QUICKEST

CLOCK = 100e6

SIZES = {"columns": 16, "refi": 900, "power_up": 900}
"""Rows so short, and refreshes so frequent, that a frame meets all of it."""

MODEL = SdramModel(Path("tests/support/sdr_chip.v"), "sdr_chip")


def weights(network: Network, clock_hz: float = CLOCK) -> StreamedWeights:
    return StreamedWeights(network, Memory(replace(ULX3S_SDRAM, **SIZES), CLOCK), clock_hz, Timing(**SIZES))


def rough_run(gru: Folding, mask: Folding, rho: float = 0.8) -> tuple[Network, Stimulus]:
    """A network and what it is sent, with idle cycles, back-pressure and resets in the middle of a frame."""
    rng = np.random.default_rng(7)
    made = random_bundle(rng, [("bgru", 9)], bins=8, qad_bits=2, rho=rho)
    utterances = [random_features(rng, made, frames) for frames in (3, 1, 4)]
    network = Network(made, {"gru0": gru, "mask": mask}, ECP5, 8, 8)
    return network, Stimulus(utterances, idle=0.3, backpressure=0.4, resets=2)


def run(network: Network, stimulus: Stimulus, source: StreamedWeights, simulator: str = QUICKEST) -> Outcome:
    return simulate(network, network.bundle, stimulus, weights=source, simulator=simulator, quick_build=True)


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("gru", "mask", "rho", "clock"),
    [
        (Folding(1, 8, "streamed"), Folding(2, 8, "streamed"), 0.8, 50e6),
        (Folding(3, 8, "streamed"), Folding(1, 4), 0.8, 120e6),
        (Folding(2, 8), Folding(2, 5, "streamed", packed=True), 0.8, 50e6),
        (Folding(2, 8, "streamed"), Folding(1, 8, "streamed"), 1.0, 100e6),
    ],
    ids=["both", "gru0, faster than the memory", "mask, packed", "bits of weights"],
)
def test_is_bit_exact_with_idles_back_pressure_and_resets(gru, mask, rho, clock):
    network, stimulus = rough_run(gru, mask, rho)
    outcome = run(network, stimulus, weights(network, clock))
    assert (outcome.mismatch, outcome.frames) == (None, 8)


@pytest.mark.simulator
def test_a_word_that_is_wrong_in_the_memory_is_found_before_it_is_used():
    network, stimulus = rough_run(Folding(1, 8, "streamed"), Folding(3, 4))
    source, words = weights(network), words_of(network)
    words[len(words) // 2] ^= 0x0100
    source.chip = SdramChip(CLOCK / 1e6, words, Timing(**SIZES))
    mismatch = run(network, stimulus, source).mismatch
    assert mismatch is not None
    assert (mismatch.layer, mismatch.frame, mismatch.signal) == ("SDRAM", 0, "failed")


@pytest.mark.simulator
def test_a_broken_rule_of_the_data_sheet_is_named():
    """The chip asks for a longer tRFC than the controller knows."""
    network, stimulus = rough_run(Folding(1, 8, "streamed"), Folding(3, 4))
    source = weights(network)
    source.chip = SdramChip(CLOCK / 1e6, words_of(network), Timing(**SIZES, rfc=400))
    mismatch = run(network, stimulus, source).mismatch
    assert mismatch is not None and (mismatch.signal, mismatch.unit) == ("failed", 10)


@pytest.mark.simulator
@pytest.mark.parametrize(("pe", "simd", "clock"), [(4, 16, 50e6), (1, 8, 100e6), (1, 2, 100e6)])
def test_the_memory_or_the_lanes_set_the_pace(pe, simd, clock):
    rng = np.random.default_rng(3)
    made = random_bundle(rng, [("bgru", 16)], bins=32, qad_bits=4)
    network = Network(made, {"gru0": Folding(pe, simd, "streamed"), "mask": Folding(8, 16)}, ECP5, 32, 32)
    source = weights(network, clock)
    outcome = run(network, Stimulus([random_features(rng, made, 12)]), source)
    assert outcome.mismatch is None
    measured = np.mean(outcome.layer_cycles["gru0"][2:])
    lanes = predict(network.layers["gru0"].spec).cycles
    share = data_share(source.memory.chip.cycles(CLOCK))
    memory = source.cycles(source.words / share)
    if lanes > memory:  # the padding of a pass takes a cycle a word, and may not be hidden
        (part,) = source.weights.reader.parts
        assert lanes <= measured <= lanes + source.cycles(part.size - part.data)
    else:  # a row is opened at the end of a pass
        assert memory * 0.97 < measured < memory * 1.1


@pytest.mark.simulator
@pytest.mark.parametrize("simulator", ["verilator", QUICKEST])
def test_another_model_in_the_place_of_the_chip(simulator):
    """A network of full rows, written word by word; the model has delays and a bus of two directions."""
    network, stimulus = rough_run(Folding(1, 8, "streamed"), Folding(2, 8, "streamed"))
    memory = Memory(replace(ULX3S_SDRAM, power_up=900), CLOCK)
    source = StreamedWeights(network, memory, 50e6, model=MODEL)
    outcome = run(network, replace(stimulus, resets=0), source, simulator)
    assert (outcome.mismatch, outcome.frames) == (None, 8)


@pytest.mark.simulator
def test_a_model_that_loses_a_bit_is_found(tmp_path):
    broken = tmp_path / "chip.v"
    text = MODEL.file.read_text()
    broken.write_text(text.replace("<= Dq;", "<= Dq & 16'hfff7;"))
    network, stimulus = rough_run(Folding(1, 8, "streamed"), Folding(2, 8))
    memory = Memory(replace(ULX3S_SDRAM, power_up=900), CLOCK)
    source = StreamedWeights(network, memory, 50e6, model=SdramModel(broken, "sdr_chip"))
    mismatch = run(network, replace(stimulus, resets=0), source).mismatch
    assert mismatch is not None and mismatch.layer == "SDRAM"


def test_a_network_on_the_chip_has_no_memory_and_no_place_for_a_model():
    network, _ = rough_run(Folding(1, 8), Folding(2, 8))
    board = find("ulx3s_85f")
    assert weights_of(network, board) is None
    with pytest.raises(BadInput, match="--sdram-model: expected a network with weights in SDRAM"):
        weights_of(network, board, MODEL)
