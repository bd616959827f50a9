"""RAM blocks are known before synthesis: every memory of any layer lies where Yosys puts it."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hw.flow.rtl import FORGET_CONTENTS, to_rtlil, yosys
from hw.flow.synth import BRACKETS
from hw.gateware.network import make_layer
from hw.shape.family import FAMILIES
from hw.shape.folding import Folding
from hw.shape.integer_estimate import estimate_of
from hw.shape.ram_mapping import mapped
from model.bundle.random_bundle import random_integer_layer
from tests.support.hw_bench import few
from tests.support.integer_bundles import possible_formats
from tests.support.random_bundles import densities, random_layer, seeds

LIBRARIES = {
    "ecp5": ("lattice/lutrams_trellis.txt", "lattice/brams_16kd.txt"),
    "ice40": ("ice40/brams.txt", "ice40/spram.txt"),
    "gowin": ("gowin/lutrams.txt", "gowin/brams.txt"),
}


def yosys_blocks(layer, folding, family, folder) -> dict[str, int]:
    """RAM cells, and distributed ones, that Yosys maps a layer's memories to: its synthesis up to there."""
    text = to_rtlil(make_layer(layer, folding, family), "layer")
    (folder / "layer.il").write_text(BRACKETS.sub(r"_\1", text))
    synthesis = f"{family.synthesis} -top layer -run begin:map_ram"
    mapping = "memory_libmap " + " ".join(f"-lib +/{library}" for library in LIBRARIES[family.name])
    script = ["read_rtlil layer.il", FORGET_CONTENTS, synthesis, mapping, "select layer"]
    yosys([*script, "write_json -selected layer.json"], folder)
    cells = json.loads((folder / "layer.json").read_text())["modules"]["layer"]["cells"]
    found = dict.fromkeys(("block_ram", "spram", "distributed"), 0)
    for kind in (cell["type"] for cell in cells.values() if cell["type"].startswith("$__")):
        found["spram" if "SPRAM" in kind else "distributed" if "LUTRAM" in kind or "DPR" in kind else "block_ram"] += 1
    return found


def predicted_blocks(layer, folding, family) -> dict[str, int]:
    estimate = estimate_of(layer, family)
    memories = estimate.memories(estimate.spec(folding))
    distributed = sum(n * one.cells for n, one in memories if one.resource == "distributed")
    return {"block_ram": 0, "spram": 0, **estimate.blocks(folding), "distributed": distributed}


@pytest.mark.synthesis
@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
@given(
    seed=seeds,
    kind=st.sampled_from(["bgru", "dense"]),
    inputs=st.integers(1, 90),
    units=st.integers(1, 20),
    pe=st.integers(1, 5),
    simd=st.integers(1, 40),
    source=st.sampled_from(["rom", "rom", "loaded", "streamed"]),
    packed=st.booleans(),
    rho=densities,
)
@example(0, "bgru", 37, 1, 1, 34, "rom", True, 0.8)  # h is written in one go: its padding is not stored
@settings(few, max_examples=3)
def test_ram_blocks_are_those_that_yosys_takes(
    family, tmp_path_factory, seed, kind, inputs, units, pe, simd, source, packed, rho
):
    layer = random_layer(np.random.default_rng(seed), kind, inputs, units, rho)
    folding = Folding(min(pe, units), min(simd, layer.columns), source, packed and not layer.binary)
    predicted = predicted_blocks(layer, folding, family)
    assert predicted == yosys_blocks(layer, folding, family, tmp_path_factory.mktemp("yosys"))


@pytest.mark.synthesis
@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
@given(
    data=st.data(),
    seed=seeds,
    kind=st.sampled_from(["gru", "dense"]),
    inputs=st.integers(1, 60),
    units=st.integers(2, 20),
    pe=st.integers(1, 3),
    simd=st.integers(1, 12),
    source=st.sampled_from(["rom", "rom", "loaded", "streamed"]),
)
@settings(few, max_examples=3)
def test_ram_blocks_of_integers_are_those_that_yosys_takes(
    family, tmp_path_factory, data, seed, kind, inputs, units, pe, simd, source
):
    format = data.draw(possible_formats(kind == "gru"))
    layer = random_integer_layer(np.random.default_rng(seed), kind, inputs, units, format)
    folding = Folding(min(pe, units), min(simd, layer.columns), source)
    predicted = predicted_blocks(layer, folding, family)
    assert predicted == yosys_blocks(layer, folding, family, tmp_path_factory.mktemp("yosys"))


def test_a_memory_lies_where_it_is_cheapest():
    def at(family, *shape, **options):
        found = mapped(family, *shape, **options)
        return found.resource, found.cells

    assert at("ecp5", 64, 16) == ("distributed", 16)
    assert at("ecp5", 64, 64) == ("block_ram", 2)
    assert at("ecp5", 9, 100, rom=True) == ("logic", 0)
    assert at("ecp5", 9, 100, rom=True, block=True) == ("block_ram", 1)
    assert at("ecp5", 3, 1024, rom=True, block=True) == ("block_ram", 1)
    assert at("ice40", 8, 8) == ("logic", 0)
    assert at("ice40", 8, 9) == ("block_ram", 1)
    assert at("ice40", 9, 100, synchronous=False) == ("logic", 0)
    assert at("ice40", 16, 16384, one_port=True) == ("spram", 1)
    assert at("ice40", 16, 1024, one_port=True) == ("block_ram", 4)
