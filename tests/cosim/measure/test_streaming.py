"""Weights from SDRAM: the same bits as from anywhere else, at the pace that the memory allows."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import cosim.measure.streaming
from boards.definitions.sdram import BANKS, BURST, ULX3S_SDRAM
from boards.gateware.sdram import close_lead, data_share, refresh_gap
from cosim.bench.runner import Stimulus, generate, simulate
from cosim.bench.top import weight_memory
from cosim.chips.sdram import Sdram
from cosim.chips.sdram_timing import Timing
from cosim.measure.paper_size import paper_sized
from cosim.measure.streaming import figures, foldings_for, network_of, pace
from hw.gateware.network import Network, make_layer
from hw.shape.cycles import predict
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from model.bundle.bundle import Bundle
from model.bundle.write import write_bundle
from model.errors import BadInput
from tests.support.command import bgru
from tests.support.hw_bench import bits_of
from tests.support.random_bundles import random_bundle, random_features, random_layer
from tests.support.simulators import QUICKEST

CLOCK = 100

CHIP, TIMING = replace(ULX3S_SDRAM, columns=16, refi=900, power_up=900), Timing(columns=16, refi=900, power_up=900)
"""Rows so short, and refreshes so frequent, that a frame meets all of it. The controller's view, and the chip's."""


def sdram_for(network: Network) -> dict[str, Sdram]:
    streamed = {name: layer for name, layer in network.layers.items() if layer.folding.weights == "streamed"}
    return {name: weight_memory(layer, CLOCK, CHIP, TIMING) for name, layer in streamed.items()}


# What is in the memory


@pytest.mark.parametrize(
    ("pe", "simd", "rho", "width"),
    [(1, 1, 1.0, 1), (1, 1, 0.8, 2), (1, 2, 0.8, 4), (1, 4, 0.8, 8), (2, 4, 0.8, 16), (4, 4, 0.8, 32), (3, 8, 0.8, 48)],
)
def test_the_memory_holds_the_weight_words_bit_behind_bit(pe, simd, rho, width):
    rng = np.random.default_rng(width)
    layer = make_layer(random_layer(rng, "dense", 13, 7, rho), Folding(pe, simd, "streamed"), ECP5)
    assert layer.engine.matrix.weight_width == width
    weights = np.concatenate([bits_of(word, width) for word in layer.engine.matrix.weight_words])
    stored = np.concatenate([bits_of(word, 16) for word in weight_memory(layer, CLOCK).words])
    assert np.array_equal(stored, np.pad(weights, (0, -len(weights) % 16)))


@pytest.mark.parametrize(("simd", "width"), [(3, 6), (12, 24)])
def test_words_that_can_not_be_cut_at_full_speed_are_refused(simd, width):
    layer = make_layer(random_layer(np.random.default_rng(0), "dense", 13, 7), Folding(1, simd, "streamed"), ECP5)
    with pytest.raises(BadInput, match=f"layer layer: expected weight words of .* 16 bits, .* got {width} bits"):
        weight_memory(layer, CLOCK)


# Bits


def rough_run(foldings: dict[str, Folding], rho: float = 0.8) -> tuple[Network, Stimulus]:
    """A network and what it is sent, with idle cycles, back-pressure and resets in the middle of a frame."""
    rng = np.random.default_rng(7)
    made = random_bundle(rng, [("bgru", 9)], bins=8, qad_bits=2, rho=rho)
    utterances = [random_features(rng, made, frames) for frames in (3, 1, 4)]
    return Network(made, foldings, ECP5, 8, 8), Stimulus(utterances, idle=0.3, backpressure=0.4, resets=3)


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("gru", "mask", "rho"),
    [
        (Folding(1, 8), Folding(1, 4), 0.8),
        (Folding(2, 8), Folding(1, 2), 0.8),
        (Folding(3, 8), Folding(1, 1), 0.8),
        (Folding(2, 4), Folding(1, 1), 1.0),
        (Folding(1, 10, packed=True), Folding(1, 5, packed=True), 0.8),
    ],
    ids=["words of 16 and 8 bits", "32 and 4", "48 and 2", "8 and 1", "16 and 8, packed"],
)
def test_is_bit_exact_with_idles_back_pressure_and_resets(gru, mask, rho):
    foldings = {"gru0": replace(gru, weights="streamed"), "mask": replace(mask, weights="streamed")}
    network, stimulus = rough_run(foldings, rho)
    sdram = sdram_for(network)
    assert set(sdram) == {"gru0", "mask"}
    assert (
        simulate(network, network.bundle, stimulus, sdram=sdram, simulator=QUICKEST, quick_build=True).mismatch is None
    )


@pytest.mark.simulator
def test_sdram_for_one_layer_and_a_port_for_the_other():
    network, stimulus = rough_run({"gru0": Folding(1, 5, "streamed"), "mask": Folding(1, 8, "streamed")})
    sdram = {"mask": weight_memory(network.layers["mask"], CLOCK, CHIP, TIMING)}
    assert (
        simulate(network, network.bundle, stimulus, sdram=sdram, simulator=QUICKEST, quick_build=True).mismatch is None
    )


@pytest.mark.simulator
def test_a_memory_that_reset_does_not_bring_back_to_the_first_word_is_found(tmp_path):
    network, stimulus = rough_run({"gru0": Folding(1, 8, "streamed"), "mask": Folding(3, 4)})
    sdram = sdram_for(network)
    verilog = generate(network, tmp_path / "rtl", sdram)
    before, instance, after = verilog.read_text().partition(" sdram_gru0 (")
    verilog.write_text(before + instance + after.replace(".rst(rst)", ".rst(1'b0)", 1))
    try:
        run = simulate(
            network, network.bundle, stimulus, verilog=verilog, sdram=sdram, simulator=QUICKEST, quick_build=True
        )
    except RuntimeError as error:  # or else the words stop coming where chip and controller have lost each other
        assert "SimTimeoutError" in str(error)
    else:
        assert run.mismatch is not None and run.mismatch.layer == "gru0"


# Pace


def paced_run(gru: Folding) -> tuple[Network, int, list[int]]:
    """An undisturbed run: the network, the words of gru0's memory, and the cycles between its frames.

    The layer needs no more cycles than it has weight words. Its memory's words are whole rows, the last of which is
    not in the first one's bank, so that `data_share` is exact. The mask layer is fast.
    """
    rng = np.random.default_rng(3)
    made = random_bundle(rng, [("bgru", 16)], bins=32, qad_bits=4)
    network = Network(made, {"gru0": gru, "mask": Folding(8, 16)}, ECP5, 32, 32)
    assert predict(network.layers["gru0"].spec).cycles == network.layers["gru0"].spec.ideal
    sdram = sdram_for(network)
    words = len(sdram["gru0"].words)
    assert words % CHIP.columns == 0 and (words // CHIP.columns - 1) % BANKS != 0
    stimulus = Stimulus([random_features(rng, made, 8)])
    outcome = simulate(network, made, stimulus, sdram=sdram, simulator=QUICKEST, quick_build=True)
    assert outcome.mismatch is None
    return network, words, outcome.layer_cycles["gru0"]


@pytest.mark.simulator
@pytest.mark.parametrize(("pe", "simd"), [(1, 8), (2, 8)])
def test_where_the_memory_sets_the_pace_a_frame_takes_a_cycle_per_word_and_the_refreshes(pe, simd):
    network, words, measured = paced_run(Folding(pe, simd, "streamed"))
    limits = CHIP.cycles(CLOCK * 1e6)
    gap, share = refresh_gap(limits), data_share(limits)
    refreshes = [(cycles - words) / gap for cycles in measured]
    assert all(count == int(count) for count in refreshes)
    # Refreshes are due every `refi` cycles, and come up to a burst and a precharge later: over any number of
    # cycles there is at most one more or one less of them, and as much of one as that is.
    slack = 1 + (BURST + close_lead(limits) + limits.rp) / limits.refi
    assert abs(sum(refreshes) - sum(measured) / limits.refi) <= slack
    expected = pace(network.layers["gru0"], words, CLOCK, CHIP)
    assert expected == words / share > network.layers["gru0"].spec.ideal
    assert abs(sum(measured) - len(measured) * expected) <= slack * gap / share


@pytest.mark.simulator
def test_where_the_layer_sets_the_pace_a_frame_takes_what_it_takes_from_a_rom():
    network, words, measured = paced_run(Folding(1, 4, "streamed"))
    compute = predict(network.layers["gru0"].spec).cycles
    assert set(measured) == {compute} == {pace(network.layers["gru0"], words, CLOCK, CHIP)}


# The command


@pytest.fixture(scope="module")
def paper() -> Bundle:
    return paper_sized()


@pytest.mark.parametrize(
    ("format_", "clock", "words", "cycles", "frames_per_second", "used"),
    [
        ("two planes", 100, 1_182_720, 1_204_336, 83.033, 0.7527),
        ("two planes", 133, 1_182_720, 1_204_794, 110.392, 0.5662),
        ("packed", 100, 949_248, 966_597, 103.456, 0.6041),
        ("packed", 133, 949_248, 966_965, 137.544, 0.4544),
    ],
)
def test_the_papers_network_is_expected_to_hold_real_time(
    paper, format_, clock, words, cycles, frames_per_second, used
):
    folding = dict(zip(("two planes", "packed"), foldings_for(paper.layers[0]), strict=True))[format_]
    network, name = network_of(paper, folding)
    layer = network.layers[name]
    assert (name, len(weight_memory(layer, clock).words), layer.spec.ideal) == ("gru0", words, words)
    report = figures(layer, words, [cycles] * 3, clock, frame_rate=62.5)
    assert report["expected"] == cycles
    assert report["frames_per_second"] == pytest.approx(frames_per_second, abs=1e-3)
    assert report["data_share"] == pytest.approx(report["data_share_possible"], abs=1e-6)
    assert report["bandwidth_used"] == pytest.approx(used, abs=1e-4)
    assert report["real_time"]


def test_slower_than_speech_is_not_real_time(paper):
    network, name = network_of(paper, foldings_for(paper.layers[0])[0])
    report = figures(network.layers[name], 1_182_720, [1_182_720, 1_202_770], 75, frame_rate=62.5)
    assert not report["real_time"]
    assert report["times_real_time"] == pytest.approx(75e6 / 1_202_770 / 62.5)


def test_weights_of_one_bit_come_sixteen_to_a_word():
    made = random_bundle(np.random.default_rng(0), [("bgru", 20)], bins=30, rho=1.0)
    (folding,) = foldings_for(made.bitwise[0])
    network, name = network_of(made, folding)
    assert network.layers[name].engine.matrix.weight_width == 16


def test_a_second_layer_that_is_too_large_for_block_ram_is_refused():
    made = random_bundle(np.random.default_rng(0), [("bgru", 640), ("bgru", 640)], bins=641)
    with pytest.raises(BadInput, match=r"does not fit ulx3s_85f: it needs [\d,]+ bits of block RAM"):
        network_of(made, foldings_for(made.bitwise[0])[0])


def small_case(tmp_path: Path) -> list[str]:
    """A bundle and a recording that simulate in a moment."""
    made = random_bundle(np.random.default_rng(3), [("bgru", 12)], bins=9, qad_bits=2)
    write_bundle(made, tmp_path / "net")
    soundfile.write(tmp_path / "in.wav", np.random.default_rng(4).normal(0, 0.1, 160), 16000)
    paths = {"--bundle": "net", "--recording": "in.wav", "--build": "build"}
    options = [word for option, name in paths.items() for word in (option, str(tmp_path / name))]
    return [*options, "--memory-clock", "100"]


def run_command(options: list[str]):
    return bgru("stream", *options)


@pytest.mark.simulator
def test_a_good_run_prints_its_figures_and_leaves_them_as_a_report(tmp_path):
    result = run_command(small_case(tmp_path))
    assert result.exit_code == 0, result.output
    assert "none differs" in result.output
    report = json.loads((tmp_path / "build/streaming/random.json").read_text())
    assert list(report) == ["gru0 1x8 at 100 MHz", "gru0 1x10-packed at 100 MHz"]
    assert [figure["ideal"] for figure in report.values()] == [3 * 12 * (3 + 2), 3 * 12 * (2 + 2)]
    assert all(figure["real_time"] for figure in report.values())


@pytest.mark.simulator
def test_a_wrong_weight_ends_with_1_and_names_the_bit(tmp_path, monkeypatch):
    def with_wrong_signs(layer, clock_mhz):
        right = weight_memory(layer, clock_mhz)
        return Sdram([word ^ 0x00FF for word in right.words], clock_mhz)

    monkeypatch.setattr(cosim.measure.streaming, "weight_memory", with_wrong_signs)
    result = run_command(small_case(tmp_path))
    assert result.exit_code == 1
    assert "layer gru0, frame 0, signal r" in result.output.replace("\n", " ")
