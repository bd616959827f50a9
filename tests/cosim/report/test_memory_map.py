"""The memory map: the shapes are those of the hardware, the cells those of the netlist."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.report.memory_map import memory_map, shapes
from hw.flow.rtl import to_rtlil
from hw.flow.synth import synthesise
from hw.gateware.network import Network
from hw.shape.family import ECP5, ICE40
from hw.shape.folding import Folding
from tests.support.random_bundles import random_bundle


def network(seed: int, units: int, pe: int, simd: int, family=ECP5, source="rom") -> Network:
    made = random_bundle(np.random.default_rng(seed), [("bgru", units)], bins=9, qad_bits=2)
    return Network(made, {"gru0": Folding(pe, simd, source), "mask": Folding(min(pe, 9), simd)}, family, 8, 8)


def generated(layer, name: str) -> dict[str, tuple[int, int]]:
    """Words and bits of the memories in the RTLIL of a layer, slices joined, but for the queue's."""
    found: dict[str, tuple[int, int]] = {}
    module = ""
    for match in re.finditer(r"^module \\(\S+)|^  memory width (\d+) size (\d+) \\(\S+)", to_rtlil(layer, name), re.M):
        if match[1]:
            module = match[1].removeprefix(name).removeprefix(".")
        elif not module.endswith("queue"):
            key = re.sub(r"\$\d+", "", module or match[4])
            words, width = found.get(key, (int(match[3]), 0))
            assert words == int(match[3])
            found[key] = words, width + int(match[2])
    return found


@settings(max_examples=4)
@given(st.integers(0, 99), st.integers(3, 16), st.integers(1, 3), st.integers(2, 8), st.sampled_from(["rom", "loaded"]))
def test_the_shapes_are_those_that_are_generated(seed, units, pe, simd, source):
    made = network(seed, units, pe, min(simd, units), source=source)
    for name, layer in made.layers.items():
        assert shapes(layer.spec) == generated(layer, name)


def test_without_a_netlist_only_the_weights_use_is_known():
    made = network(0, 12, 1, 4)
    found = memory_map(made, None)
    assert {memory.layer for memory in found} == {"gru0", "mask"}
    assert all(memory.cells is None for memory in found)
    assert {memory.holds for memory in found if memory.used is not None} == {"weights"}


@pytest.mark.synthesis
def test_the_cells_are_all_that_the_netlist_has(tmp_path):
    made = network(1, 20, 2, 8, ICE40, source="loaded")
    netlist = tmp_path / "top.json"
    cost = synthesise(to_rtlil(made, "top"), "top", ICE40, netlist=netlist)
    netlist.write_text(re.sub(r'"(gru0|mask)\.', r'"link.network.\1.', netlist.read_text()))  # as in a board's top
    found = memory_map(made, netlist)
    for kind in ("block_ram", "spram"):
        assert sum(memory.cells[kind] for memory in found) == cost[kind]
    assert sum(memory.cells["block_ram"] for memory in found) > 0
    assert all(0 < memory.used <= 1 for memory in found if sum(memory.cells.values()))
