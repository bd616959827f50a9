"""A layer's shape says what its hardware is: the numbers of the one are those of the other."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.flow.rtl import to_rtlil
from hw.gateware.network import make_layer
from hw.shape.engine_spec import LOADED
from hw.shape.family import ECP5, FAMILIES
from hw.shape.folding import Folding
from hw.shape.layer_spec import LayerSpec, vectors_of
from hw.shape.network_spec import spec_of
from hw.shape.repack import RepackShape
from model.bundle.formats import WEIGHT_FORMATS, Format
from model.bundle.random_bundle import random_integer_layer
from model.errors import BadInput
from tests.support.hw_bench import some
from tests.support.integer_bundles import possible_formats
from tests.support.paths import ROOT
from tests.support.random_bundles import bundles, densities, random_foldings, random_layer, seeds

sources = st.sampled_from(["rom", "loaded", "streamed"])


def generated_memories(hardware, name) -> dict[str, tuple[int, int]]:
    """Words and bits of the memories in the RTLIL of a layer by their path, slices joined."""
    found: dict[str, tuple[int, int]] = {}
    module = ""
    declared = r"^module \\(\S+)|^  memory width (\d+) size (\d+) \\(\S+)"
    for match in re.finditer(declared, to_rtlil(hardware, name), re.M):
        if match[1]:
            module = match[1].removeprefix(name).removeprefix(".")
        else:
            key = re.sub(r"\$\d+", "", module or match[4])
            words, width = found.get(key, (int(match[3]), 0))
            assert words == int(match[3])
            found[key] = words, width + int(match[2])
    return found


@given(
    seed=seeds,
    kind=st.sampled_from(["bgru", "dense"]),
    inputs=st.integers(1, 24),
    units=st.integers(1, 12),
    rho=densities,
    source=sources,
    family=st.sampled_from(list(FAMILIES.values())),
)
@some
def test_the_hardware_is_what_the_shape_says(seed, kind, inputs, units, rho, source, family):
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, kind, inputs, units, rho)
    folding = Folding(
        int(rng.integers(1, units + 1)),
        int(rng.integers(1, layer.columns + 1)),
        source,
        packed=not layer.binary and bool(rng.integers(2)),
    )
    spec = LayerSpec.of(layer, folding, family)
    hardware = make_layer(layer, folding, family)
    engine = hardware.engine
    assert hardware.spec == spec and hash(hardware.spec) == hash(spec)
    assert generated_memories(hardware, "layer") == {name: (it.depth, it.width) for name, it in spec.memories.items()}
    assert spec.ideal == spec.engine.weight_words == len(engine.matrix.weight_words)
    assert len(engine.matrix.bias_words) == spec.matrices * spec.groups
    assert max(word.bit_length() for word in engine.matrix.weight_words) <= spec.engine.weight_width
    assert max(word.bit_length() for word in engine.matrix.bias_words) <= folding.pe * spec.engine.accumulator_bits
    assert len(hardware.i.payload.data) == folding.simd and len(hardware.o.payload.data) == folding.pe
    assert ("load" in hardware.signature.members) == (source != "rom")
    if source != "rom":
        assert len(engine.load.payload) == spec.engine.weight_width


@given(
    data=st.data(),
    seed=seeds,
    kind=st.sampled_from(["gru", "dense"]),
    inputs=st.integers(1, 20),
    units=st.integers(1, 9),
    source=sources,
    family=st.sampled_from(list(FAMILIES.values())),
)
@some
def test_the_hardware_of_integers_is_what_the_shape_says(data, seed, kind, inputs, units, source, family):
    rng = np.random.default_rng(seed)
    layer = random_integer_layer(rng, kind, inputs, units, data.draw(possible_formats(kind == "gru")))
    folding = Folding(int(rng.integers(1, units + 1)), int(rng.integers(1, layer.columns + 1)), source)
    spec, hardware = spec_of(layer, folding, family), make_layer(layer, folding, family)
    matrix = hardware.engine.matrix
    assert hardware.spec == spec and hash(hardware.spec) == hash(spec)
    assert generated_memories(hardware, "layer") == {name: (it.depth, it.width) for name, it in spec.memories.items()}
    assert spec.weights == layer.weights
    assert spec.ideal == spec.engine.weight_words == len(matrix.weight_words)
    assert max(word.bit_length() for word in matrix.weight_words) <= spec.engine.weight_width == matrix.weight_width
    assert len(hardware.i.payload.data) == folding.simd * layer.format.input_bits
    assert len(hardware.o.payload.data) == layer.format.output_bits


@pytest.mark.parametrize(
    ("w", "bits", "family", "folding", "most"),
    [
        ("int4", 8, ECP5, Folding(2, 2, multipliers=5), 4),
        ("ternary", 8, ECP5, Folding(1, 2, multipliers=1), 0),
        ("seo4", 8, ECP5, Folding(1, 2, multipliers=1), 0),
        ("int3", 8, FAMILIES["ice40"], Folding(1, 2, multipliers=1), 0),  # a product of 10 bits
        ("int4", 8, FAMILIES["ice40"], Folding(1, 2, multipliers=3), 2),
        ("int3", 8, FAMILIES["gowin"], Folding(1, 2, multipliers=1), 0),
    ],
)
def test_more_multipliers_than_lanes_that_take_one_are_refused(w, bits, family, folding, most):
    layer = random_integer_layer(np.random.default_rng(0), "dense", 4, 3, Format(bits, 8, WEIGHT_FORMATS[w]), "mask")
    with pytest.raises(BadInput) as caught:
        make_layer(layer, folding, family)
    assert str(caught.value) == f"layer mask: expected at most {most} multipliers on {family.name}, got {folding}"
    assert spec_of(layer, replace(folding, multipliers=most), family).folding.multipliers == most


@pytest.mark.parametrize(
    ("w", "u", "packed", "sentence"),
    [
        ("seo4", "int3", False, "layer gru0: expected W and U both seo or both int, got seo4 and int3"),
        ("int8", "seo6", False, "layer gru0: expected W and U both seo or both int, got int8 and seo6"),
        ("int4", "int4", True, "layer gru0: expected no packing, for its weights are int4; got 1x2-packed"),
        ("binary", "binary", True, "layer gru0: expected no packing, for it has no weight that is 0; got 1x2-packed"),
    ],
)
def test_formats_without_hardware_are_refused(w, u, packed, sentence):
    format = Format(8, 8, WEIGHT_FORMATS[w], WEIGHT_FORMATS[u])
    layer = random_integer_layer(np.random.default_rng(0), "gru", 4, 3, format, "gru0")
    with pytest.raises(BadInput) as caught:
        make_layer(layer, Folding(1, 2, packed=packed), ECP5)
    assert str(caught.value) == sentence


def test_a_memory_says_what_it_is():
    loaded = LayerSpec("gru", "bgru", 10, 6, True, Folding(2, 4, "loaded"), ECP5).memories
    assert loaded[f"engine.{LOADED}"].one_port and not loaded[f"engine.{LOADED}"].rom
    assert loaded["engine.biases"].rom and loaded["engine.biases"].block
    assert loaded["off_cells"].cleared and not loaded["engine.queue"].synchronous
    streamed = LayerSpec("gru", "bgru", 10, 6, True, Folding(2, 4, "streamed"), ECP5).memories
    assert not any("weights" in name for name in streamed)


@given(bundles(), sources)
@some
def test_weights_are_as_many_as_the_bundle_has(made, source):
    foldings = random_foldings(np.random.default_rng(0), made)
    for layer in made.layers:
        spec = LayerSpec.of(layer, replace(foldings[layer.name], weights=source), ECP5)
        assert spec.weights == layer.weights
        assert spec.bits["weights"] == (0 if source == "streamed" else spec.ideal * spec.engine.weight_width)
        assert spec.repack == RepackShape(layer.units, spec.folding.pe, spec.folding.simd)


@pytest.mark.parametrize(
    ("kind", "pe", "simd", "sentence"),
    [
        ("bgru", 0, 4, "layer gru0: expected PE from 1 to 7 (its units), got 0"),
        ("bgru", 8, 4, "layer gru0: expected PE from 1 to 7 (its units), got 8"),
        ("bgru", -1, 4, "layer gru0: expected PE from 1 to 7 (its units), got -1"),
        ("bgru", 1, 0, "layer gru0: expected SIMD from 1 to 10 (its columns), got 0"),
        ("bgru", 1, 11, "layer gru0: expected SIMD from 1 to 10 (its columns), got 11"),
        ("dense", 8, 4, "layer dense0: expected PE from 1 to 7 (its units), got 8"),
        ("dense", 1, 0, "layer dense0: expected SIMD from 1 to 10 (its columns), got 0"),
        ("dense", 1, 11, "layer dense0: expected SIMD from 1 to 10 (its columns), got 11"),
    ],
)
def test_foldings_beyond_the_layer_are_refused(kind, pe, simd, sentence):
    with pytest.raises(BadInput) as caught:
        LayerSpec("gru0" if kind == "bgru" else "dense0", kind, 10, 7, False, Folding(pe, simd), ECP5)
    assert str(caught.value) == sentence


def test_packing_of_binary_weights_is_refused():
    layer = random_layer(np.random.default_rng(0), "bgru", 10, 7, rho=1.0, name="gru0")
    sentence = "layer gru0: expected no packing, for it has no weight that is 0; got 1x5-packed"
    with pytest.raises(BadInput, match=f"^{sentence}$"):
        LayerSpec.of(layer, Folding(1, 5, packed=True), ECP5)


def test_dense_simd_is_at_most_its_inputs():
    wide = random_layer(np.random.default_rng(0), "dense", 3, 9, name="mask")
    with pytest.raises(BadInput, match=r"^layer mask: expected SIMD from 1 to 3 \(its columns\), got 4$"):
        LayerSpec.of(wide, Folding(1, 4), ECP5)


def test_vectors_of_a_layer():
    assert vectors_of("bgru") == ("r", "z", "candidate", "h")
    assert vectors_of("dense") == ("y",)


def test_shapes_and_planning_know_nothing_of_amaranth():
    modules = sorted(f"hw.shape.{path.stem}" for path in (ROOT / "hw/shape").glob("*.py") if path.stem != "__init__")
    modules.append("boards.flow.folding_search")
    program = f"import sys; sys.modules['amaranth'] = None; import {', '.join(modules)}"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
