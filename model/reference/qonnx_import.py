"""A network that was trained elsewhere, from a QONNX model to a bundle: `bgru import`.

QONNX is what Brevitas exports: real numbers behind `Quant` and `BipolarQuant`. A model is a chain of

    Quant or BipolarQuant of the input
    MatMul with Add, MatMul, or Gemm, then Tanh and Quant, or BipolarQuant; the last may have Sigmoid and unsigned Quant
    GRU with linear_before_reset = 0, then Quant

with constant weights behind a quantiser each, and operators that only change the shape between them. The front end is
another bundle's. docs/onnx.md says what is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from model.bundle.bundle import Bundle
from model.bundle.formats import MOST_BITS, WEIGHT_FORMATS, Format, WeightFormat, one, top
from model.bundle.front_end import FrontEnd
from model.bundle.integer_layers import IntegerLayer
from model.bundle.read import read_bundle
from model.bundle.scales import multipliers
from model.bundle.tables import sigmoid_table, tanh_table
from model.bundle.write import write_bundle
from model.console import console
from model.errors import BadInput
from model.reference.qonnx_graph import GATES, steps_of

__all__ = ["from_qonnx", "run"]

QUANTISERS = ("Quant", "IntQuant", "BipolarQuant")
SHAPES = ("Squeeze", "Unsqueeze", "Reshape", "Flatten", "Identity", "Transpose")
"""Operators that change no number."""

ROUNDING = {"ROUND": np.rint, "FLOOR": np.floor, "CEIL": np.ceil, "ROUND_TO_ZERO": np.trunc}
MOST_BYTES = 2**28
"""Bytes of a model."""

CLOSE = 1e-5
"""Relative error of a float32 scale."""


@dataclass(frozen=True)
class _Weights:
    """Codes (rows, columns), what a code of 1 is worth in each row, (rows,), and the format."""

    codes: NDArray[np.int8]
    scale: NDArray[np.float64]
    format: WeightFormat

    def gates(self, units: int) -> "_Weights":
        """Those of a GRU, (3, units, columns) and (3, units), in the order r, z, h."""
        order, shape = list(GATES), (3, units)
        codes = self.codes.reshape(*shape, -1)[order]
        return _Weights(codes, self.scale.reshape(shape)[order], self.format)


class _Model:
    """Nodes and constants of a model by the names of their outputs."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.constants = {part.name: self._array(part, part.name) for part in graph.initializer}
        self.nodes: dict[str, onnx.NodeProto] = {}
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = self._array(helper.get_node_attr_value(node, "value"), node.output[0])
            self.nodes |= dict.fromkeys((name for name in node.output if name), node)
        inputs = [value.name for value in graph.input if value.name not in self.constants]
        if len(inputs) != 1 or not graph.output:
            raise BadInput(f"inputs: expected one input and an output, got {', '.join(inputs) or 'none'}")
        self.input, self.output = inputs[0], graph.output[0].name

    @staticmethod
    def _array(part: onnx.TensorProto, name: str) -> NDArray[Any]:
        if part.data_location == onnx.TensorProto.EXTERNAL:
            raise BadInput(f"initializer {name}: expected its values in the model, got a reference to another file")
        try:
            values = numpy_helper.to_array(part)
        except (ValueError, TypeError) as error:
            raise BadInput(f"initializer {name}: expected an array, got {error}") from None
        if not np.all(np.isfinite(values)):
            raise BadInput(f"initializer {name}: expected finite values, got others")
        return values

    def constant(self, name: str, what: str) -> NDArray[np.float64]:
        """A constant, in float64."""
        if name not in self.constants:
            raise BadInput(f"{what}: expected a constant, got {self.kind(name)}")
        return self.constants[name].astype(np.float64)

    def kind(self, name: str) -> str:
        """The operator that makes a value, for messages."""
        return self.nodes[name].op_type if name in self.nodes else "the input" if name == self.input else "a constant"

    def node(self, name: str, expected: Sequence[str], where: str) -> onnx.NodeProto:
        """The node that makes a value, operators that change its shape left out. `BadInput` for another operator."""
        while name in self.nodes and self.nodes[name].op_type in SHAPES:
            name = self.nodes[name].input[0]
        if name not in self.nodes or self.nodes[name].op_type not in expected:
            raise BadInput(f"{where}: expected {', '.join(expected)}, got {self.kind(name)}")
        return self.nodes[name]

    def quantiser(self, node: onnx.NodeProto) -> tuple[NDArray[np.float64], int, dict[str, Any]]:
        """Scale, bits and attributes (signed, narrow, rounding_mode) of a quantiser."""
        where = f"{node.op_type} {node.output[0]}"
        scale = self.constant(node.input[1], f"{where}, scale")
        if not np.all(scale > 0):
            raise BadInput(f"{where}: expected scales above 0, got {scale.min():g}")
        if node.op_type == "BipolarQuant":
            return scale, 1, {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
        zero, bits = (self.constant(name, where) for name in node.input[2:4])
        if np.any(zero):
            raise BadInput(f"{where}: expected a zero point of 0, got {zero.ravel()[np.argmax(zero != 0)]:g}")
        if bits.size != 1 or bits.item() not in range(2, MOST_BITS + 1):
            raise BadInput(f"{where}: expected 2 to {MOST_BITS} bits, got {', '.join(f'{b:g}' for b in bits.ravel())}")
        found = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
        found |= {part.name: helper.get_attribute_value(part) for part in node.attribute}
        mode = found["rounding_mode"]
        found["rounding_mode"] = mode.decode(errors="replace") if isinstance(mode, bytes) else mode
        if found["rounding_mode"] not in ROUNDING:
            raise BadInput(f"{where}: expected rounding {', '.join(ROUNDING)}, got {found['rounding_mode']}")
        return scale, int(bits.item()), found

    def weights(self, name: str, transposed: bool, rows: int, where: str) -> _Weights:
        """Constant weights behind a quantiser; `rows` is the axis of the rows."""
        axes: list[NDArray[np.int64]] = []
        while name in self.nodes and self.nodes[name].op_type in ("Transpose", "Identity"):
            node = self.nodes[name]
            if node.op_type == "Transpose":
                axes.append(np.array(helper.get_node_attr_value(node, "perm")) if node.attribute else np.array([1, 0]))
            name = node.input[0]
        node = self.node(name, QUANTISERS, f"{where}, weights")
        values = self.constant(node.input[0], f"{where}, weights")
        scale, bits, how = self.quantiser(node)
        if bits > 1 and not how["signed"]:
            raise BadInput(f"{where}: expected signed weights, got unsigned")
        try:
            full = np.broadcast_to(scale, values.shape)
            for order in reversed(axes):
                values, full = values.transpose(order), full.transpose(order)
        except ValueError as error:
            raise BadInput(f"{where}: expected a scale for the weights' shape, got {error}") from None
        if transposed:
            values, full = values.T, full.T
        values, full = (part.reshape(part.shape[rows], -1) for part in (values, full))
        if np.any(full != full[:, :1]):
            raise BadInput(f"{where}: expected one scale for each row of weights, got several")
        if bits == 1:
            codes, format = np.where(values >= 0, 1, -1), WEIGHT_FORMATS["binary"]
        else:
            format = WEIGHT_FORMATS["ternary" if bits == 2 else f"int{bits}"]
            codes = ROUNDING[how["rounding_mode"]](values.astype(np.float32) / full.astype(np.float32))  # as a runtime
            codes = np.clip(codes, -one(bits) + how["narrow"], top(bits))
        format.check(codes.astype(np.int8), f"{where}, weights")
        return _Weights(codes.astype(np.int8), full[:, 0], format)


@dataclass(frozen=True)
class _Found:
    """A layer of the chain: its operator, the name of its input, its weights and its argument's bias (rows,).

    `bits` are those of its output; `halved` says that its output is sigmoid of the argument, not tanh.
    """

    node: onnx.NodeProto
    x: str
    bits: int
    w: _Weights
    bias: NDArray[np.float64]
    u: _Weights | None = None
    initial: NDArray[np.float64] | None = None
    halved: bool = False


def _gru(model: _Model, node: onnx.NodeProto, bits: int) -> _Found:
    where = f"GRU {node.output[0]}"
    attributes = {part.name: helper.get_attribute_value(part) for part in node.attribute}
    plain = {"linear_before_reset": 0, "direction": b"forward", "layout": 0, "activations": [b"Sigmoid", b"Tanh"]}
    for name, value in attributes.items():
        if name != "hidden_size" and (name not in plain or value != plain[name]):
            raise BadInput(f"{where}: expected {name} {plain.get(name, 'left out')}, got {value}")
    names = [*node.input, "", "", ""]
    units = int(attributes.get("hidden_size", 0))
    w, u = (model.weights(name, False, 1, f"{where}, {part}") for part, name in (("W", names[1]), ("R", names[2])))
    if len(w.codes) != 3 * units or u.codes.shape != (3 * units, units):
        raise BadInput(f"{where}: expected weights of 3 x {units} rows, got {w.codes.shape} and {u.codes.shape}")
    if names[4]:
        raise BadInput(f"{where}: expected no sequence_lens, got {model.kind(names[4])}")
    bias, initial = np.zeros((2, 3, units)), np.zeros(units)
    if names[3]:
        bias = model.constant(names[3], f"{where}, B").reshape(2, 3, units)
    if names[5]:
        initial = model.constant(names[5], f"{where}, initial_h").reshape(units)
    argument = bias.sum(0)[list(GATES)]
    return _Found(node, names[0], bits, w.gates(units), argument, u.gates(units), initial)


def _dense(model: _Model, node: onnx.NodeProto, bits: int, halved: bool) -> _Found:
    where, bias = f"{node.op_type} {node.output[0]}", np.zeros(1)
    if node.op_type == "Add":
        first, second = node.input
        constant, other = (first, second) if first in model.constants else (second, first)
        bias = model.constant(constant, f"{where}, bias").ravel()
        node = model.node(other, ("MatMul",), where)
    transposed = node.op_type == "MatMul"
    if node.op_type == "Gemm":
        attributes = {part.name: helper.get_attribute_value(part) for part in node.attribute}
        transposed = not attributes.pop("transB", 0)
        for name, value in attributes.items():
            if value != (0 if name == "transA" else 1.0):
                raise BadInput(f"{where}: expected {name} {0 if name == 'transA' else 1}, got {value:g}")
        if len(node.input) > 2:
            bias = model.constant(node.input[2], f"{where}, bias").ravel()
    w = model.weights(node.input[1], transposed, 0, where)
    if bias.size not in (1, len(w.codes)):
        raise BadInput(f"{where}: expected a bias for each of {len(w.codes)} rows, got {bias.size}")
    return _Found(node, node.input[0], bits, w, np.broadcast_to(bias, len(w.codes)), halved=halved)


def _layer(model: _Model, name: str, last: bool) -> _Found | tuple[float, int]:
    """The layer whose output a value is, or the scale and the bits of the model's input."""
    quantiser = model.node(name, QUANTISERS, "the output" if last else f"the input of the layer after {name}")
    scale, bits, how = model.quantiser(quantiser)
    where, source = f"{quantiser.op_type} {quantiser.output[0]}", quantiser.input[0]
    if scale.size != 1:
        raise BadInput(f"{where}: expected one scale for all elements, got {scale.size}")
    while source in model.nodes and model.nodes[source].op_type in SHAPES:
        source = model.nodes[source].input[0]
    if source == model.input:
        return float(scale.item()), bits
    operators = ("MatMul", "Gemm", "Add") if bits == 1 else ("Tanh", "GRU", *(["Sigmoid"] if last else []))
    node = model.node(source, operators, where)
    if bits > 1:
        signed, whole = (0, 1 / (2 * top(bits))) if node.op_type == "Sigmoid" else (1, 1 / top(bits))
        if how["signed"] != signed:
            raise BadInput(f"{where}: expected signed {signed} after {node.op_type}, got {how['signed']}")
        if not whole / (1 + CLOSE) * top(bits) / one(bits) <= scale.item() <= whole * (1 + CLOSE):
            raise BadInput(f"{where}: expected a scale of {whole:g} after {node.op_type}, got {scale.item():g}")
    if node.op_type == "GRU":
        return _gru(model, node, bits)
    halved = node.op_type == "Sigmoid"
    if node.op_type in ("Tanh", "Sigmoid"):
        node = model.node(node.input[0], ("MatMul", "Gemm", "Add"), f"{node.op_type} {node.output[0]}")
    return _dense(model, node, bits, halved)


def from_qonnx(model: onnx.ModelProto, front_end: FrontEnd, name: str, provenance: dict[str, Any]) -> Bundle:
    """The bundle of a QONNX model with this front end.

    Raises `BadInput` with the operator that has no counterpart, and for anything that a bundle cannot hold.
    """
    read = _Model(model)
    chain: list[_Found] = []
    found = _layer(read, read.output, last=True)
    while isinstance(found, _Found):
        chain.insert(0, found)
        found = _layer(read, found.x, last=False)
    operand, bits = found  # what an input of 1 is worth
    layers = []
    if not chain:
        raise BadInput(f"the output: expected a layer, got {read.kind(read.output)} of the input")
    for index, one_of in enumerate(chain):
        label = f"{'gru' if one_of.u else 'dense'}{index}" if index < len(chain) - 1 else "mask"
        layers.append(_made(one_of, label, operand, bits))
        operand, bits = 1.0 / top(one_of.bits), one_of.bits
    return Bundle(name, front_end, tuple(layers), provenance)


def _made(found: _Found, label: str, operand: float, input_bits: int) -> IntegerLayer:
    """The layer of a bundle, by rule 14.4: scales in steps of the index, thresholds in units of W x."""
    n, gates = found.bits, 3 if found.u else 1
    steps = steps_of(n, gates) * (2 if found.halved else 1)
    steps = steps if found.u else steps[0]
    w_scale = found.w.scale * operand / steps
    scales = [w_scale] + ([found.u.scale / top(n) / steps] if found.u else [])
    multiplier, shift = multipliers(*scales)
    threshold = np.rint(-found.bias / (found.w.scale * operand))
    limit = 2**31 - 1
    arrays: dict[str, Any] = {
        "w": found.w.codes,
        "threshold": np.clip(threshold, -limit, limit).astype(np.int32),
        "w_multiplier": multiplier[0],
        "shift": shift,
        "tanh": tanh_table(n),
    }
    if found.u is not None and found.initial is not None:
        state = np.clip(np.rint(found.initial * top(n)), -top(n), top(n)).astype(np.int8)
        arrays |= {"u": found.u.codes, "u_multiplier": multiplier[1], "sigmoid": sigmoid_table(n)}
        arrays |= {"initial_state": state}
    units, inputs = found.w.codes.shape[-2:]
    format = Format(input_bits, n, found.w.format, found.u.format if found.u else None)
    layer = IntegerLayer(label, "gru" if found.u else "dense", inputs, units, format, **arrays)
    layer.check()
    return layer


def run(path: Path, front_end: Path, out: Path) -> None:
    """Write a QONNX model's network as a bundle: `bgru import`."""
    hears = read_bundle(front_end)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{path}: expected at most {MOST_BYTES:,} bytes, got {path.stat().st_size:,}")
        model = onnx.load_model_from_string(path.read_bytes())
        onnx.checker.check_model(model)
    except OSError as error:
        raise BadInput(f"{path}: expected a QONNX model, got {error.strerror}") from None
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise BadInput(f"{path}: expected a QONNX model, got {str(error).splitlines()[0]}") from None
    origin = {"imported": path.name, "producer": model.producer_name, "front_end": hears.name}
    try:
        made = from_qonnx(model, hears.front_end, out.resolve().name, origin)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    write_bundle(made, out)
    formats = (f"{layer.name} {layer.format}" for layer in made.layers if isinstance(layer, IntegerLayer))
    console.print(f"{out}: {', '.join(formats)}")
