"""Hardware against golden model in a real simulator: every vector, every bit."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim.bench.runner import Mismatch, Outcome, Stimulus, generate, simulate
from hw.gateware.network import Network
from hw.shape.cycles import predict
from hw.shape.family import ECP5, ICE40
from hw.shape.folding import Folding, Source
from model.bundle.bundle import Bundle
from model.bundle.layers import Kind, Layer
from model.bundle.matrices import Matrix
from model.bundle.read import read_bundle
from model.reference.golden_model import GoldenModel
from model.reference.vectors import gains
from tests.support.integer_bundles import any_features, mixed_bundle, small_integer_bundle
from tests.support.random_bundles import random_bundle, random_features, random_foldings
from tests.support.simulators import QUICKEST

pytestmark = pytest.mark.simulator

NETWORKS: dict[str, list[tuple[Kind, int]]] = {
    "BGRU": [("bgru", 7)],
    "two BGRUs": [("bgru", 9), ("bgru", 5)],
    "BNN": [("dense", 11), ("dense", 8)],
    "dense before BGRU": [("dense", 6), ("bgru", 10)],
    "one unit": [("bgru", 1)],
}

SOURCES: tuple[Source, ...] = ("rom", "loaded", "streamed")


def random_run(hidden: list, rho: float, seed: int, **roughness: Any) -> tuple[Network, Bundle, Stimulus]:
    rng = np.random.default_rng(seed)
    made = random_bundle(rng, hidden, bins=int(rng.integers(2, 12)), qad_bits=int(rng.integers(1, 4)), rho=rho)
    widths = rng.integers(1, 12, 2)
    foldings = {
        layer.name: replace(
            random_foldings(rng, made)[layer.name],
            weights=SOURCES[rng.integers(3)],
            packed=bool(rng.integers(2)) and not layer.binary,
        )
        for layer in made.layers
    }
    network = Network(made, foldings, ECP5, int(widths[0]), int(widths[1]))
    utterances = [random_features(rng, made, frames) for frames in (3, 1, 4)]
    return network, made, Stimulus(utterances, seed=seed, **roughness)


def is_bit_exact(name: str, rho: float, simulator: str) -> bool:
    seed = 2 * list(NETWORKS).index(name) + int(rho == 1.0)
    network, made, stimulus = random_run(NETWORKS[name], rho, seed, idle=0.3, backpressure=0.4, resets=2)
    return simulate(network, made, stimulus, simulator=simulator, quick_build=True).mismatch is None


@pytest.mark.parametrize("rho", [0.8, 1.0])
@pytest.mark.parametrize("name", NETWORKS)
def test_random_networks_are_bit_exact_with_idles_back_pressure_and_resets(name, rho):
    assert is_bit_exact(name, rho, QUICKEST)


@pytest.mark.parametrize(("name", "rho"), [("two BGRUs", 0.8), ("BNN", 1.0)])
def test_and_so_they_are_in_verilator(name, rho):
    assert is_bit_exact(name, rho, "verilator")


@pytest.mark.parametrize("made", [small_integer_bundle(), mixed_bundle()], ids=lambda made: made.name)
def test_layers_of_integers_are_bit_exact_with_idles_back_pressure_and_resets(made):
    rng = np.random.default_rng(3)
    foldings = {
        name: replace(folding, weights=SOURCES[index % 3])
        for index, (name, folding) in enumerate(random_foldings(rng, made).items())
    }
    network = Network(made, foldings, ECP5, 5, 7)
    utterances = [any_features(rng, made.front_end, frames) for frames in (3, 1, 4)]
    stimulus = Stimulus(utterances, idle=0.3, backpressure=0.4, resets=2)
    outcome = simulate(network, made, stimulus, simulator=QUICKEST, quick_build=True)
    assert outcome.mismatch is None
    model = GoldenModel(made)
    assert np.array_equal(gains(outcome.mask, made.front_end), np.concatenate([model.masks(one) for one in utterances]))


@pytest.mark.parametrize("seed", range(4))
def test_predicted_cycles_are_the_measured_ones(seed):
    rng = np.random.default_rng(seed)
    made = random_bundle(rng, [("bgru", int(rng.integers(4, 20)))], bins=int(rng.integers(3, 9)), qad_bits=2)
    # The last layer takes a row at a time, so that it never makes the first one wait.
    foldings = random_foldings(rng, made) | {"mask": Folding(1, made.layers[-1].inputs)}
    network = Network(made, foldings, ECP5, 8, 1)
    outcome = simulate(network, made, Stimulus([random_features(rng, made, 6)]), simulator=QUICKEST, quick_build=True)
    for layer in network.layers.values():
        assert set(outcome.layer_cycles[layer.spec.name]) == {predict(layer.spec).cycles}


@pytest.mark.parametrize("name", ["BGRU", "two BGRUs", "BNN", "dense before BGRU"])
def test_layers_work_at_the_same_time_and_the_slowest_sets_the_pace(name):
    rng = np.random.default_rng(list(NETWORKS).index(name))
    made = random_bundle(rng, NETWORKS[name], bins=7, qad_bits=2)
    foldings = {layer.name: Folding(1, int(rng.integers(2, 6))) for layer in made.layers}
    network = Network(made, foldings, ECP5, 8, 1)
    outcome = simulate(network, made, Stimulus([random_features(rng, made, 8)]), simulator=QUICKEST, quick_build=True)
    cycles = [predict(layer).cycles for layer in network.spec.layers]
    assert outcome.mismatch is None
    assert outcome.interval == max(cycles)
    assert network.spec.ideal < outcome.latency


def test_the_trained_network_is_bit_exact_with_its_weights_loaded(recording_features):
    tiny = read_bundle(Path("bundles/tiny"))
    foldings = {"gru0": Folding(2, 32, "loaded"), "mask": Folding(1, 24)}
    network = Network(tiny, foldings, ICE40, 8, 8)
    features = recording_features(tiny)[40:56]
    outcome = simulate(network, tiny, Stimulus([features]))
    assert outcome.mismatch is None
    assert np.array_equal(outcome.mask, GoldenModel(tiny).masks(features))


# A simulation that can't fail proves nothing: each way of being wrong must be seen, and named.


@pytest.fixture
def small_run() -> tuple[Network, Bundle, Stimulus]:
    rng = np.random.default_rng(5)
    made = random_bundle(rng, [("bgru", 12)], bins=8, qad_bits=2)
    network = Network(made, {"gru0": Folding(2, 5), "mask": Folding(3, 4)}, ECP5, 8, 8)
    return network, made, Stimulus([random_features(rng, made, 30)])


def run_with_verilog(run, folder, change) -> Outcome:
    network, made, stimulus = run
    verilog = generate(network, folder / "rtl")
    change(verilog)
    return simulate(network, made, stimulus, verilog=verilog, simulator=QUICKEST, quick_build=True)


def test_an_unchanged_network_passes(small_run, tmp_path):
    assert run_with_verilog(small_run, tmp_path, lambda verilog: None).mismatch is None


def test_one_flipped_weight_bit_is_found(small_run, tmp_path):
    def flip(verilog):
        text = verilog.read_text()
        # The memory of the first slice of the first layer's weights, by its $readmemb.
        module = text[text.index("module \\bgru.network.gru0.engine.weights") :]
        contents = verilog.parent / module.split('$readmemb("')[1].split('"')[0]
        words = contents.read_text()
        place = words.index("1", len(words) // 2)
        contents.write_text(words[:place] + "0" + words[place + 1 :])

    mismatch = run_with_verilog(small_run, tmp_path, flip).mismatch
    assert mismatch is not None
    assert mismatch.layer == "gru0"


def test_another_tie_rule_is_found(small_run, tmp_path):
    def strict(verilog):
        text = verilog.read_text()
        text, count = re.subn(r"(\$signed\(total_\d+\)) >= ", r"\1 > ", text)
        assert count
        verilog.write_text(text)

    assert run_with_verilog(small_run, tmp_path, strict).mismatch is not None


def replace_output(verilog, port, expression):
    """Let an output of the top be an expression of what the network drives it with, `raw`."""
    text = verilog.read_text().replace(f"({port})", "(raw)", 1)
    raw = rf"\g<0>\n  wire \1raw; assign {port} = {expression};"
    verilog.write_text(re.sub(rf"  wire (.*){port};", raw, text, count=1))


def test_an_output_that_waits_for_ready_is_found(small_run, tmp_path):
    def gate(verilog):
        replace_output(verilog, "o__valid", "raw & o__ready")

    network, made, stimulus = small_run
    rough = Stimulus([stimulus.utterances[0][:6]], backpressure=0.5)  # what is stuck is waited for, longer for more
    with pytest.raises(RuntimeError, match="SimTimeoutError"):
        run_with_verilog((network, made, rough), tmp_path, gate)


def test_an_output_that_changes_while_it_waits_is_found(small_run, tmp_path):
    def flicker(verilog):
        replace_output(verilog, "o__payload", "raw ^ {8{~o__ready}}")

    network, made, stimulus = small_run
    rough = Stimulus(stimulus.utterances, backpressure=0.5)
    mismatch = run_with_verilog((network, made, rough), tmp_path, flicker).mismatch
    assert mismatch is not None
    assert mismatch.signal == "payload held until taken"


def test_swapped_gates_are_found(small_run):
    _, made, stimulus = small_run
    swapped = [1, 0, 2]
    first, last = made.layers
    layer = Layer(
        first.name,
        first.kind,
        first.inputs,
        first.units,
        w=Matrix(first.w.sign[swapped], first.w.nonzero[swapped], first.inputs),
        threshold=first.threshold[swapped],
        u=Matrix(first.u.sign[swapped], first.u.nonzero[swapped], first.units),
        initial_state=first.initial_state,
    )
    wrong = Bundle("swapped", made.front_end, (layer, last))
    network = Network(wrong, {"gru0": Folding(2, 5), "mask": Folding(3, 4)}, ECP5, 8, 8)
    mismatch = simulate(network, made, stimulus, simulator=QUICKEST, quick_build=True).mismatch
    assert mismatch is not None
    assert (mismatch.layer, mismatch.frame, mismatch.signal) == ("gru0", 0, "r")


def test_a_mismatch_names_layer_frame_signal_unit_expected_and_actual():
    assert str(Mismatch("gru0", 3, "z", 17, 1, 0)) == "layer gru0, frame 3, signal z, unit 17: expected 1, got 0"
