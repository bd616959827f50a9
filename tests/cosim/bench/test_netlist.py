"""The synthesised netlist against the golden model: a fault of the synthesis can't hide."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boards.definitions.registry import find
from boards.flow.layout import lay_out
from cosim.bench.netlist import generate_netlist
from cosim.bench.runner import Outcome, Stimulus, simulate
from hw.gateware.network import Network
from hw.shape.family import ECP5, GOWIN, ICE40
from hw.shape.folding import Folding
from model.bundle.layers import Kind
from model.bundle.read import read_bundle
from model.errors import BadInput
from tests.support.integer_bundles import any_features, mixed_bundle, small_integer_bundle
from tests.support.random_bundles import random_bundle, random_features, random_foldings
from tests.support.simulators import QUICKEST

pytestmark = [pytest.mark.simulator, pytest.mark.synthesis]

NETWORKS: dict[str, tuple[list[tuple[Kind, int]], float, dict[str, Any]]] = {
    "ternary BGRU, packed": ([("bgru", 7)], 0.8, {"packed": True}),
    "binary BGRU, loaded": ([("bgru", 6)], 1.0, {"weights": "loaded"}),
    "two ternary BGRUs, one packed and streamed": (
        [("bgru", 9), ("bgru", 5)],
        0.8,
        {"packed": True, "weights": "streamed"},
    ),
    "two binary BGRUs": ([("bgru", 5), ("bgru", 6)], 1.0, {}),
}


@pytest.mark.parametrize(
    ("name", "family"),
    # All on ECP5, whose netlists go through passes of our own; on iCE40 those that have a bit of everything.
    [(name, ECP5) for name in NETWORKS] + [(name, ICE40) for name in list(NETWORKS)[1:3]],
    ids=lambda value: getattr(value, "name", value),
)
def test_random_netlists_are_bit_exact_with_idles_back_pressure_and_resets(name, family, tmp_path):
    hidden, rho, options = NETWORKS[name]
    rng = np.random.default_rng(list(NETWORKS).index(name))
    made = random_bundle(rng, hidden, bins=int(rng.integers(2, 12)), qad_bits=2, rho=rho)
    foldings = random_foldings(rng, made)
    foldings["gru0"] = replace(foldings["gru0"], **options)
    network = Network(made, foldings, family, 5, 3)
    stimulus = Stimulus([random_features(rng, made, frames) for frames in (3, 1, 4)], 0.3, 0.4, resets=2)
    verilog = generate_netlist(network, tmp_path / "rtl")
    outcome = simulate(network, made, stimulus, verilog=verilog, simulator=QUICKEST, quick_build=True)
    assert outcome.mismatch is None


@pytest.mark.parametrize(
    ("made", "family"),
    [(small_integer_bundle(), ECP5), (mixed_bundle(), ECP5), (small_integer_bundle(), ICE40)],
    ids=lambda value: value.name,
)
def test_netlists_of_integers_are_bit_exact(made, family, tmp_path):
    rng = np.random.default_rng(4)
    # A lane of integers takes up to 200 LUT4: few lanes keep the simulator of the netlist small.
    foldings = {layer.name: Folding(1, 2) for layer in made.layers}
    packed = made.name == "mixed"
    foldings["gru0"] = Folding(2, 1, weights="loaded", packed=packed, multipliers=0 if packed else 1)
    network = Network(made, foldings, family, 5, 3)
    # A row takes 34 cycles: few frames.
    stimulus = Stimulus([any_features(rng, made.front_end, frames) for frames in (2, 1)], 0.3, 0.4)
    verilog = generate_netlist(network, tmp_path / "rtl")
    outcome = simulate(network, made, stimulus, verilog=verilog, simulator=QUICKEST, quick_build=True)
    assert outcome.mismatch is None


@pytest.mark.parametrize("board", ["icebreaker", "ulx3s_85f"])  # weights loaded into SPRAM; in block RAM
def test_the_trained_network_is_bit_exact_as_the_netlist_for_a_board(board, tmp_path, recording_features):
    tiny = read_bundle(Path("bundles/tiny"))
    network = lay_out(tiny, find(board), {})
    verilog = generate_netlist(network, tmp_path / "rtl")
    stimulus = Stimulus([recording_features(tiny)[40:43]])
    assert simulate(network, tiny, stimulus, verilog=verilog, quick_build=True).mismatch is None


# A netlist that can't fail proves nothing: a fault in any kind of cell must be seen.


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    rng = np.random.default_rng(5)
    made = random_bundle(rng, [("bgru", 12)], bins=8, qad_bits=2)
    foldings = {"gru0": Folding(2, 5), "mask": Folding(3, 4)}
    stimulus = Stimulus([random_features(rng, made, frames) for frames in (10, 1, 19)], 0.3, 0.4)
    networks = {family.name: Network(made, foldings, family, 8, 8) for family in (ECP5, ICE40)}
    folder = tmp_path_factory.mktemp("small")
    return {name: (network, stimulus, generate_netlist(network, folder / name)) for name, network in networks.items()}


def simulate_changed(run, folder, pattern, change, where=0.5) -> Outcome:
    """Simulate a netlist with other text in the group of one of the matches, that fraction of the way through them."""
    network, stimulus, verilog = run
    text = verilog.read_text()
    places = list(re.finditer(pattern, text))
    place = places[int(len(places) * where)]
    (folder / "rtl").mkdir(parents=True)
    changed = folder / "rtl" / verilog.name
    changed.write_text(text[: place.start(1)] + change(place[1]) + text[place.end(1) :])
    return simulate(network, network.bundle, stimulus, verilog=changed, simulator=QUICKEST, quick_build=True)


def passes(*change) -> bool:
    try:
        return simulate_changed(*change).mismatch is None
    except RuntimeError as error:  # a fault in a handshake brings it to a halt, an unknown value can't be read
        if re.search("the simulation failed.*(SimTimeoutError|ValueError)", str(error), re.DOTALL) is None:
            raise
        return False


@pytest.mark.parametrize("family", ["ecp5", "ice40"])
def test_an_unchanged_netlist_passes(family, small_run, tmp_path):
    assert passes(small_run[family], tmp_path, "(endmodule)", lambda text: text)


def complement(table):
    return f"{int(table, 16) ^ 0xFFFF:04x}"


def one_bit_less(contents):
    value = int(contents, 16)
    return f"{value & value - 1:0{len(contents)}x}"


@pytest.mark.parametrize(
    ("family", "cell", "change"),
    [
        ("ecp5", r"LUT4 #\(\s*\.INIT\(16'h(\w{4})", complement),
        ("ecp5", r"CCU2C #\(\s*\.INIT0\(16'h(\w{4})", complement),
        ("ecp5", r"\.INITVAL_00\(320'h(?!0+\))(\w{80})", one_bit_less),
        ("ice40", r"SB_LUT4 #\(\s*\.LUT_INIT\(16'h(\w{4})", complement),
        ("ice40", r"\.INIT_0\(256'h(?!0+\))(\w{64})", one_bit_less),
    ],
    ids=["ecp5 LUT", "ecp5 carry", "ecp5 block RAM", "ice40 LUT", "ice40 block RAM"],
)
def test_a_wrong_cell_is_found(family, cell, change, small_run, tmp_path):
    # Some cells never matter, such as in an interlock that never has to hold: another one is tried then.
    tries = (0.5, 0.25, 0.75)
    assert not all(passes(small_run[family], tmp_path / str(where), cell, change, where) for where in tries)


def test_a_block_ram_in_a_mode_that_is_not_modelled_ends_the_simulation(small_run, tmp_path):
    with pytest.raises(RuntimeError, match="chip selects are not modelled"):
        simulate_changed(small_run["ecp5"], tmp_path, r'\.CSDECODE_B\("(0b000)"\)', lambda mode: "0b001")


def test_a_family_without_models_of_its_cells_is_refused(tmp_path):
    made = random_bundle(np.random.default_rng(0))
    network = Network(made, {layer.name: Folding(1, 2) for layer in made.layers}, GOWIN, 8, 8)
    with pytest.raises(BadInput, match="expected a family whose cells are modelled, ecp5 or ice40, got gowin"):
        generate_netlist(network, tmp_path / "rtl")
    assert not (tmp_path / "rtl").exists()
