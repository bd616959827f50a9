"""A network of integers as a QONNX model, the exchange format of Brevitas and FINN: `bgru onnx --qonnx`.

Weights, inputs and states are real numbers behind `Quant` and `BipolarQuant`; gates are those of ONNX's GRU, in real
numbers. So a runtime computes nearly what the golden model does, and `model.reference.qonnx_import` exactly the bundle.

    features : (frames, features), float32, of which `Quant` makes levels, or `BipolarQuant` bits
    outputs : (frames, mask units), float32, from -1 to 1
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from model.bundle.bundle import Bundle
from model.bundle.formats import WeightFormat, one, top
from model.bundle.integer_layers import IntegerLayer
from model.bundle.tables import sigmoid_table, tanh_table
from model.errors import BadInput

__all__ = ["DOMAIN", "GATES", "LARGEST_THRESHOLD", "steps_of", "to_qonnx"]

DOMAIN = "qonnx.custom_op.general"
"""The domain of `Quant` and `BipolarQuant`."""

OPSET, IR_VERSION = 18, 8

GATES = (1, 0, 2)
"""ONNX has the gates in the order z, r, h."""

LARGEST_THRESHOLD = 2**22
"""Thresholds up to here are exact as a float32 bias."""


def steps_of(bits: int, gates: int) -> NDArray[np.float64]:
    """Argument of sigmoid and tanh per step of the tables' index (rule 14.5), (gates, 1): r, z, h or y."""
    step = (bits + 4) / 2 ** (bits + 1)
    return np.array([2 * step] * (gates - 1) + [step])[:, None]


class _Graph:
    """Nodes and initializers; all values are float32."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any, type: type = np.float32) -> str:
        """The name of an array."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, type, order="C"), name))
        return name

    def __call__(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node; the name of its output."""
        output = output or f"v{len(self.nodes)}"
        domain = DOMAIN if kind.endswith("Quant") else ""
        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def quantised(self, x: str, scale: Any, bits: int, narrow: bool = True, output: str = "") -> str:
        """x, rounded to signed integers of so many bits times the scale; one bit is -1 or +1."""
        if bits == 1:
            return self("BipolarQuant", x, self.constant(scale), output=output)
        parts = (self.constant(scale), self.constant(0.0), self.constant(float(bits)))
        return self("Quant", x, *parts, output=output, signed=1, narrow=int(narrow), rounding_mode="ROUND")

    def weights(self, codes: NDArray[np.int8], scale: NDArray[np.float64], format: WeightFormat) -> str:
        """Codes (..., rows, columns) times a scale for each row, (..., rows)."""
        each = scale[..., None].astype(np.float32)
        return self.quantised(self.constant(codes * each), each, format.bits)


def to_qonnx(bundle: Bundle) -> onnx.ModelProto:
    """A bundle's network as a QONNX model.

    Raises `BadInput` for layers that QONNX has no operators for: bitwise ones, `seo` weights, gates of one bit, tables
    other than those of rule 14.5, multipliers of 0, and thresholds beyond a float32's digits.
    """
    graph, front_end = _Graph(), bundle.front_end
    bits = front_end.feature_bits
    reach = one(bits)
    x = graph.quantised("features", 1.0 / reach, bits, narrow=False)
    for index, layer in enumerate(bundle.layers):
        _check(layer, bundle.name)
        assert isinstance(layer, IntegerLayer)
        bits = layer.format.output_bits
        y = _gru(graph, layer, x, reach) if layer.kind == "gru" else _dense(graph, layer, x, reach)
        last = index == len(bundle.layers) - 1
        x, reach = graph.quantised(y, 1.0 / top(bits), bits, output="outputs" if last else ""), top(bits)
    shapes = {"features": front_end.features, "outputs": bundle.layers[-1].units}
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["frames", n]) for name, n in shapes.items()]
    whole = helper.make_graph(graph.nodes, "network", ends[:1], ends[1:], graph.constants)
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(whole, opset_imports=domains, producer_name="bgru")
    model.ir_version = IR_VERSION
    helper.set_model_props(model, {"bundle": bundle.name, "identity": bundle.identity.hex()})
    onnx.checker.check_model(model)
    return model


def _scales(layer: IntegerLayer, reach: int) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """What a weight of 1 in each row of W and U is worth in the gate's argument, times an operand of 1.0."""
    rows = np.ldexp(1.0, -layer.shift.astype(np.int64))
    gates = 1 if layer.kind == "dense" else 3
    steps = steps_of(layer.format.output_bits, gates)
    rows = rows * (steps if gates == 3 else steps[0])
    w = rows * layer.w_multiplier.astype(np.float64) * reach
    if layer.u_multiplier is None:
        return w, None
    return w, rows * layer.u_multiplier.astype(np.float64) * top(layer.format.output_bits)


def _bias(layer: IntegerLayer, scale: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    return -layer.threshold * scale / reach


def _dense(graph: _Graph, layer: IntegerLayer, x: str, reach: int) -> str:
    scale, _ = _scales(layer, reach)
    weights = graph("Transpose", graph.weights(layer.w, scale, layer.format.w), perm=[1, 0])
    sums = graph("Add", graph("MatMul", x, weights), graph.constant(_bias(layer, scale, reach)))
    return sums if layer.format.output_bits == 1 else graph("Tanh", sums)


def _gru(graph: _Graph, layer: IntegerLayer, x: str, reach: int) -> str:
    w_scale, u_scale = _scales(layer, reach)
    assert u_scale is not None and layer.u is not None and layer.format.u is not None
    assert layer.initial_state is not None  # checked with the bundle

    def stacked(values: NDArray[Any]) -> NDArray[Any]:
        chosen = values[list(GATES)]
        return chosen.reshape(1, -1, *chosen.shape[2:])

    bias = stacked(_bias(layer, w_scale, reach))
    begin = layer.initial_state[None, None] / top(layer.format.output_bits)
    inputs = [
        graph("Unsqueeze", x, graph.constant([1], np.int64)),  # one sequence
        graph.weights(stacked(layer.w), stacked(w_scale), layer.format.w),
        graph.weights(stacked(layer.u), stacked(u_scale), layer.format.u),
        graph.constant(np.concatenate([bias, np.zeros_like(bias)], 1)),
        "",
        graph.constant(begin),
    ]
    states = graph("GRU", *inputs, hidden_size=layer.units, linear_before_reset=0)
    return graph("Squeeze", states, graph.constant([1, 2], np.int64))


def _check(layer: Any, bundle: str) -> None:
    def expect(holds: bool, expected: str, got: str) -> None:
        if not holds:
            raise BadInput(f"bundle {bundle}: layer {layer.name}: expected {expected} for QONNX, got {got}")

    expect(isinstance(layer, IntegerLayer), "integers", layer.kind)
    own, bits = layer.format, layer.format.output_bits
    for format in (own.w, own.u):
        expect(format is None or not format.exponent, "weights that are integers", str(format and format.name))
    expect(layer.kind == "dense" or bits > 1, "gates of 2 to 8 bits", "1 bit")
    tables = ((layer.tanh, tanh_table(bits)), (layer.sigmoid, sigmoid_table(bits)))
    whole = all(table is None or np.array_equal(table, wanted) for table, wanted in tables)
    expect(whole, "the tables of tanh and sigmoid (rule 14.5)", "others")
    multipliers = [part for part in (layer.w_multiplier, layer.u_multiplier) if part is not None]
    expect(all(bool(part.all()) for part in multipliers), "multipliers above 0", "0")
    largest = int(np.abs(layer.threshold.astype(np.int64)).max())
    expect(largest <= LARGEST_THRESHOLD, f"thresholds up to {LARGEST_THRESHOLD:,}", f"{largest:,}")
