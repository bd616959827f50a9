"""Synthesis: counts of real runs, held to what docstrings promise."""

import numpy as np
import pytest

from boards.definitions.registry import find
from boards.flow.layout import lay_out
from hw.flow.rtl import to_rtlil
from hw.flow.synth import BRACKETS, count, layer_costs, synthesise
from hw.gateware.arithmetic import Binary, Ternary
from hw.gateware.memory import CyclicMemory
from hw.gateware.mvu import MVU
from hw.gateware.network import make_layer
from hw.shape.cyclic_memory import CyclicShape
from hw.shape.family import ECP5, FAMILIES, ICE40
from hw.shape.folding import Folding
from tests.support.random_bundles import random_bundle, random_layer

pytestmark = pytest.mark.synthesis


def cost_of(component, family):
    return synthesise(to_rtlil(component, "top"), "top", family)


@pytest.mark.parametrize(
    ("arithmetic", "dynamic", "per_lane"), [(Ternary(), False, 2.6), (Ternary(), True, 4.9), (Binary(), False, 2.3)]
)
def test_an_mvu_costs_what_its_lanes_do(arithmetic, dynamic, per_lane):
    assert cost_of(MVU(arithmetic, 1, 64, 1284, dynamic), ECP5)["lut4"] <= 64 * per_lane


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_a_sliced_rom_needs_no_multiplexers(family):
    depth, width = max(family.block_ram), 16
    words = [int(word) for word in np.random.default_rng(0).integers(0, 2**width, depth)]
    slices = family.slice_width(depth, width)
    cost = cost_of(CyclicMemory(CyclicShape(width, depth, slices, rom=True), words), family)
    assert cost["block_ram"] == width // slices
    assert cost["lut4"] < 80  # the address counter


def test_weights_that_are_loaded_are_in_single_port_ram():
    layer = random_layer(np.random.default_rng(0), "dense", 512, 512)
    cost = cost_of(make_layer(layer, Folding(1, 32, "loaded"), ICE40), ICE40)
    assert cost["spram"] == 4  # 64 bits wide, each is 16
    assert cost["block_ram"] < 10  # the biases and the operand


def test_an_element_of_an_array_is_not_taken_for_a_bit():
    text = r"connect \rows[2] \row [2]"
    assert BRACKETS.sub(r"_\1", text) == r"connect \rows_2 \row [2]"


NOT = """  cell $not $%s
    parameter \\A_SIGNED 0
    parameter \\A_WIDTH 1
    parameter \\Y_WIDTH 1
    connect \\A \\%s
    connect \\Y \\o
  end
"""


def test_a_net_with_two_drivers_is_refused():
    ports = "  wire output 1 \\o\n  wire input 2 \\a\n  wire input 3 \\b\n"
    text = "module \\top\n" + ports + NOT % ("first", "a") + NOT % ("second", "b") + "end\n"
    with pytest.raises(RuntimeError, match="yosys failed"):
        synthesise(text, "top", ECP5)


def test_a_kind_of_cell_counts_as_often_as_the_family_says():
    kinds = 10 * ["LUT4"] + 3 * ["CCU2C"] + ["TRELLIS_DPR16X4"] + 4 * ["$scopeinfo"]
    cells = {str(number): {"type": kind} for number, kind in enumerate(kinds)}
    assert count(cells, ECP5) == {"lut4": 10 + 2 * 3 + 6, "ff": 0, "block_ram": 0}


def test_what_was_synthesised_once_is_not_again_until_something_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("BGRU_CACHE", str(tmp_path))
    made = random_bundle(np.random.default_rng(1), [("bgru", 4)], bins=3)

    def costs(simd):
        return layer_costs(lay_out(made, find("ulx3s_85f"), {"gru0": Folding(1, simd)}))

    def netlists():
        return set((tmp_path / "yosys").iterdir())

    first = costs(2)
    once = netlists()
    assert len(once) == 2
    assert costs(2) == first
    assert netlists() == once
    costs(3)
    assert len(netlists() - once) == 1, "the other layer is the same"
