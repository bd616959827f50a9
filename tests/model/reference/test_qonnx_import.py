"""QONNX models of our networks come back as they were, and those of others as what they compute."""

import dataclasses
import re
import subprocess
import sys
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from model.bundle.bundle import Bundle
from model.bundle.formats import WEIGHT_FORMATS, Format, one, top
from model.bundle.integer_layers import IntegerKind, IntegerLayer
from model.bundle.random_bundle import random_front_end, random_integer_layer
from model.bundle.read import read_bundle
from model.errors import BadInput
from model.reference.golden_model import GoldenModel
from model.reference.qonnx_graph import DOMAIN, to_qonnx
from model.reference.qonnx_import import from_qonnx
from tests.support.command import bgru
from tests.support.integer_bundles import any_features, level_front_end
from tests.support.paths import ROOT
from tests.support.random_bundles import seeds

INTEGERS = [name for name, format in WEIGHT_FORMATS.items() if not format.exponent]


class Quant(OpRun):
    """As QONNX defines it."""

    op_domain = DOMAIN

    def _run(self, x, scale, zero, bits, signed=1, narrow=0, rounding_mode="ROUND"):
        assert rounding_mode == "ROUND"
        least = -(2 ** (bits - 1)) + narrow if signed else 0
        most = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
        return (((np.clip(np.rint(x / scale + zero), least, most) - zero) * scale).astype(np.float32),)


class BipolarQuant(OpRun):
    """As QONNX defines it."""

    op_domain = DOMAIN

    def _run(self, x, scale):
        return ((np.where(x >= 0, 1, -1) * scale).astype(np.float32),)


def real_outputs(model: onnx.ModelProto, features: np.ndarray, bits: int) -> np.ndarray:
    """What the model computes in real numbers, in units of its outputs' largest value."""
    x = 2.0 * features - 1.0 if features.dtype == np.uint8 else features / one(bits)
    y: Any
    (y,) = ReferenceEvaluator(model, new_ops=[Quant, BipolarQuant]).run(None, {"features": x.astype(np.float32)})
    result: np.ndarray = y
    return result


@st.composite
def networks(draw: st.DrawFn) -> Bundle:
    """Layers of integers that QONNX has operators for."""
    rng, bins = np.random.default_rng(draw(seeds)), draw(st.integers(1, 9))
    if draw(st.booleans()):
        front_end = level_front_end(rng, bins, draw(st.integers(4, 8)))
    else:
        front_end = random_front_end(rng, bins)
    width, bits, layers = front_end.features, front_end.feature_bits, []
    kinds: list[IntegerKind] = ["gru", "dense"]
    hidden = draw(st.lists(st.tuples(st.sampled_from(kinds), st.integers(1, 9)), max_size=2))
    last: tuple[IntegerKind, int] = ("dense", bins)
    for index, (kind, units) in enumerate([*hidden, last]):
        recurrent = kind == "gru"
        w, u = (WEIGHT_FORMATS[draw(st.sampled_from(INTEGERS))] for _ in range(2))
        format = Format(bits, draw(st.integers(1 + recurrent, 8)), w, u if recurrent else None)
        name = f"{kind}{index}" if index < len(hidden) else "mask"
        layers.append(random_integer_layer(rng, kind, width, units, format, name))
        width, bits = units, format.output_bits
    return Bundle("any", dataclasses.replace(front_end, gain_bits=bits), tuple(layers))


@given(networks())
def test_a_network_comes_back_with_its_identity(network: Bundle) -> None:
    read = onnx.load_model_from_string(to_qonnx(network).SerializeToString())
    assert from_qonnx(read, network.front_end, "back", {}).identity == network.identity


@given(networks(), seeds, st.integers(1, 12))
def test_multipliers_of_fewer_bits_come_back_with_the_same_outputs(network: Bundle, seed: int, less: int) -> None:
    """Multipliers of 16 bits and a larger shift are the same scale."""

    def coarser(layer: Any) -> Any:
        cut = np.minimum(layer.shift, less)
        names = ("w_multiplier",) if layer.u is None else ("w_multiplier", "u_multiplier")
        parts = {name: np.maximum(getattr(layer, name) >> cut, 1).astype(np.uint16) for name in names}
        return dataclasses.replace(layer, **parts, shift=(layer.shift - cut).astype(np.uint8))

    given_ = dataclasses.replace(network, layers=tuple(coarser(layer) for layer in network.layers))
    back = from_qonnx(to_qonnx(given_), network.front_end, "back", {})
    features = any_features(np.random.default_rng(seed), network.front_end, 6)
    assert np.array_equal(GoldenModel(back).masks(features), GoldenModel(given_).masks(features))


@given(seeds, st.sampled_from(INTEGERS), st.integers(2, 8), st.integers(1, 9), st.integers(1, 9))
def test_a_dense_layer_computes_what_the_model_does(seed: int, weights: str, bits: int, bins: int, units: int) -> None:
    """But for the tables: the argument of tanh may be off by half a step, and an entry by half a level."""
    rng = np.random.default_rng(seed)
    front_end = dataclasses.replace(level_front_end(rng, bins, 8), gain_bits=bits)
    layer = random_integer_layer(rng, "dense", bins, bins, Format(8, bits, WEIGHT_FORMATS[weights]), "mask")
    network, features = Bundle("any", front_end, (layer,)), any_features(rng, front_end, 20)
    y = real_outputs(to_qonnx(network), features, 8) * top(bits)
    found = GoldenModel(network).masks(features).astype(int) - top(bits)
    step = (bits + 4) / 2 ** (bits + 1)
    assert np.abs(y - found).max() <= top(bits) * step / 2 + 1.01


def gru_of(seed: int) -> tuple[Bundle, np.ndarray]:
    """A layer of 8 bits everywhere, and features of 3 frames: over many, any rounding changes a random network."""
    rng, int8 = np.random.default_rng(seed), WEIGHT_FORMATS["int8"]
    front_end = dataclasses.replace(level_front_end(rng, 9, 8), gain_bits=8)
    gru = random_integer_layer(rng, "gru", 9, 9, Format(8, 8, int8, int8), "mask")
    return Bundle("any", front_end, (gru,)), any_features(rng, front_end, 3)


@pytest.mark.parametrize("seed", range(8))
def test_a_gru_computes_what_the_model_does(seed: int) -> None:
    """Gates are real numbers in the model: states differ by about a level of 127, and much if gates are exchanged."""
    network, features = gru_of(seed)
    model = to_qonnx(network)
    found = GoldenModel(network).masks(features).astype(int) - top(8)
    assert np.abs(real_outputs(model, features, 8) * top(8) - found).mean() < 2
    w, exchanged = network.layers[0], dict[str, Any]()
    for name in ("w", "u", "threshold", "shift", "w_multiplier", "u_multiplier"):
        exchanged[name] = getattr(w, name)[[1, 0, 2]]
    other = Bundle("other", network.front_end, (dataclasses.replace(w, **exchanged),))
    assert np.abs(real_outputs(to_qonnx(other), features, 8) * top(8) - found).mean() > 10


def test_a_trained_network_comes_back_through_files(tmp_path) -> None:
    assert bgru("onnx", "--qonnx", "--bundle", "tiny-int4", tmp_path / "net.onnx").exit_code == 0
    made = bgru("import", tmp_path / "net.onnx", "--front-end", "tiny-int4", "--result", tmp_path / "back")
    assert made.exit_code == 0, made.stderr
    back = read_bundle(tmp_path / "back")
    assert back.identity == read_bundle(ROOT / "bundles" / "tiny-int4").identity
    assert back.provenance["imported"] == "net.onnx"


def test_the_example_of_the_page(tmp_path) -> None:
    page = (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8")
    code = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[-1]
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    made = bgru("import", tmp_path / "theirs.onnx", "--front-end", "tiny-int4", "--result", tmp_path / "theirs")
    assert made.exit_code == 0, made.stderr
    sizes = [(layer.name, layer.inputs, layer.units) for layer in read_bundle(tmp_path / "theirs").layers]
    assert sizes == [("gru0", 257, 96), ("mask", 96, 257)]


def quant(x: str, y: str, scale: float, bits: float = 8.0, **how: Any) -> tuple[list[Any], list[Any]]:
    """A node and its constants."""
    names = [f"{y}.{part}" for part in ("scale", "zero", "bits")]
    values = (scale, how.pop("zero", 0.0), bits)
    constants = [
        numpy_helper.from_array(np.array(value, np.float32), name) for name, value in zip(names, values, strict=True)
    ]
    how = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND", **how}
    return [helper.make_node("Quant", [x, *names], [y], domain=DOMAIN, **how)], constants


UNITS, BINS = 4, 5
W = np.linspace(-0.7, 0.7, BINS * BINS).reshape(BINS, BINS)


def foreign(
    operator: list[Any] | None = None, head: str = "Tanh", **changes: Any
) -> tuple[onnx.ModelProto, np.ndarray]:
    """A dense layer as another exporter writes it: Gemm with transB and a bias, and rows that share a scale."""
    nodes, constants = quant("features", "x", changes.get("x_scale", 1 / 128), changes.get("x_bits", 8.0), narrow=0)
    more = quant("w", "wq", changes.get("w_scale", 0.1), changes.get("w_bits", 4.0), **changes.get("w_how", {}))
    nodes, constants = nodes + more[0], constants + more[1]
    bias = np.linspace(-0.5, 0.5, BINS)
    constants += [numpy_helper.from_array(W.astype(np.float32), "w")]
    constants += [numpy_helper.from_array(bias.astype(np.float32), "b")]
    nodes += operator or [helper.make_node("Gemm", ["x", "wq", "b"], ["a"], transB=1)]
    nodes += [helper.make_node(head, ["a"], ["t"])]
    unsigned = head == "Sigmoid"
    last = quant("t", "y", changes.get("y_scale", 1 / 254 if unsigned else 1 / 127), signed=int(not unsigned))
    nodes, constants = nodes + last[0], constants + last[1]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["frames", BINS]) for name in ("features", "y")]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)
    domains = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=domains), bias


FRONT_END = dataclasses.replace(level_front_end(np.random.default_rng(0), BINS, 8), gain_bits=8)


@pytest.mark.parametrize("head", ["Tanh", "Sigmoid"])
def test_a_model_of_another_exporter_computes_the_same(head: str) -> None:
    model, _ = foreign(head=head)
    network = from_qonnx(model, FRONT_END, "theirs", {})
    assert isinstance(network.layers[0], IntegerLayer)
    assert network.layers[0].format.w.name == "int4"
    assert np.array_equal(network.layers[0].w, np.clip(np.rint(W.astype(np.float32) / np.float32(0.1)), -7, 7))
    features = any_features(np.random.default_rng(1), FRONT_END, 30)
    y = real_outputs(model, features, 8)
    gains = GoldenModel(network).masks(features) / 254
    assert np.abs((y if head == "Sigmoid" else (1 + y) / 2) - gains).max() <= (127 * 12 / 512 / 2 + 1.01) / 254


def gru_node(**attributes: Any) -> list[Any]:
    rows = numpy_helper.from_array
    make = helper.make_node
    shaped = np.tile(W[None, :, :], (1, 3, 1)).astype(np.float32)
    return [
        make("Constant", [], ["gw"], value=rows(shaped, "gw")),
        make("Constant", [], ["one"], value=rows(np.array([1], np.int64), "one")),
        quant("gw", "gq", 0.1, 4.0)[0][0],
        *(make("Constant", [], [c.name], value=c) for c in quant("gw", "gq", 0.1, 4.0)[1]),
        make("Unsqueeze", ["x", "one"], ["x3"]),
        make("GRU", ["x3", "gq", "gq"], ["a"], hidden_size=BINS, **attributes),
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"head": "Relu"}, "Quant y: expected Tanh, GRU, Sigmoid, got Relu"),
        ({"operator": [helper.make_node("Conv", ["x", "wq"], ["a"])]}, "expected MatMul, Gemm, Add, got Conv"),
        ({"operator": [helper.make_node("LSTM", ["x", "wq", "wq"], ["a"], hidden_size=5)]}, "got LSTM"),
        ({"operator": [helper.make_node("Gemm", ["x", "wq"], ["a"], alpha=2.0)]}, "expected alpha 1, got 2"),
        ({"operator": [helper.make_node("Gemm", ["x", "w"], ["a"])]}, "weights: expected Quant, IntQuant"),
        ({"operator": [helper.make_node("MatMul", ["x", "x"], ["a"])]}, "expected a constant, got the input"),
        ({"w_scale": float("nan")}, "initializer wq.scale: expected finite values"),
        ({"w_scale": 0.0}, "expected scales above 0, got 0"),
        ({"w_scale": 1e-6}, "expected int4 codes from -7 to 7"),
        ({"w_bits": 9.0}, "expected 2 to 8 bits, got 9"),
        ({"w_bits": 3.5}, "expected 2 to 8 bits, got 3.5"),
        ({"w_how": {"signed": 0}}, "expected signed weights, got unsigned"),
        ({"w_how": {"zero": 3.0}}, "expected a zero point of 0, got 3"),
        ({"w_how": {"rounding_mode": "DICE"}}, "expected rounding ROUND, FLOOR, CEIL, ROUND_TO_ZERO, got DICE"),
        ({"y_scale": 0.5}, "expected a scale of 0.00787402 after Tanh, got 0.5"),
        ({"x_scale": 1e9, "w_scale": 1e5}, "scales: expected finite ones from 0 to 65535"),
        ({"x_bits": 4.0}, "4-bit"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    if "w_scale" in changes and changes["w_scale"] == 1e-6:
        changes = {**changes, "w_how": {"narrow": 0}}
    model, _ = foreign(**changes)
    with pytest.raises(BadInput) as error:
        from_qonnx(model, FRONT_END, "theirs", {})
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"linear_before_reset": 1}, "GRU a: expected linear_before_reset 0, got 1"),
        ({"direction": "reverse"}, "expected direction b'forward', got b'reverse'"),
        ({"clip": 3.0}, "expected clip left out, got 3.0"),
    ],
)
def test_a_gru_of_another_kind_is_refused(attributes: dict[str, Any], sentence: str) -> None:
    model, _ = foreign([*gru_node(**attributes), helper.make_node("Squeeze", ["a", "one"], ["s"])], "Identity")
    with pytest.raises(BadInput) as error:
        from_qonnx(model, FRONT_END, "theirs", {})
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": Format(8, 8, WEIGHT_FORMATS["seo4"])}, "expected weights that are integers for QONNX, got seo4"),
        ({"tanh": np.zeros(256, np.int8)}, "expected the tables of tanh and sigmoid (rule 14.5) for QONNX, got others"),
        ({"threshold": np.full(BINS, 2**30, np.int32)}, "expected thresholds up to 4,194,304"),
        ({"w_multiplier": np.zeros(BINS, np.uint16)}, "expected multipliers above 0"),
    ],
)
def test_what_qonnx_cannot_hold_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    layer = from_qonnx(foreign()[0], FRONT_END, "ours", {}).layers[0]
    with pytest.raises(BadInput) as error:
        to_qonnx(Bundle("ours", FRONT_END, (dataclasses.replace(layer, **change),)))
    assert sentence in str(error.value)


def test_a_bitwise_network_is_refused(tmp_path) -> None:
    result = bgru("onnx", "--qonnx", "--bundle", "tiny", tmp_path / "net.onnx")
    assert result.exit_code == 2
    assert "layer gru0: expected integers for QONNX, got bgru" in result.stderr
    assert not (tmp_path / "net.onnx").exists()


@pytest.mark.parametrize("content", [b"", b"no model", None])
def test_a_file_that_is_no_model_is_refused(tmp_path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "net.onnx").write_bytes(content)
    result = bgru("import", tmp_path / "net.onnx", "--front-end", "tiny-int4", "--result", tmp_path / "back")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "expected a QONNX model" in result.stderr
    assert not (tmp_path / "back").exists()


def test_a_front_end_of_another_size_is_refused(tmp_path) -> None:
    (tmp_path / "net.onnx").write_bytes(foreign()[0].SerializeToString())
    result = bgru("import", tmp_path / "net.onnx", "--front-end", "tiny-int4", "--result", tmp_path / "back")
    assert result.exit_code == 2
    assert "expected 257 inputs" in result.stderr
    assert not (tmp_path / "back").exists()
