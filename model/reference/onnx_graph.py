"""A network as an ONNX model that computes the golden model's integers: `bgru onnx`.

The graph has rules 2 and 14 of docs/exact-meaning.md in 64-bit integers, so every runtime gives the same result.

    features : (frames, features), uint8 bits or int8 levels
    <layer>_h : (units,), int8, the state of each recurrent layer before the first frame; without it, the initial state
    gains : (frames, mask units), uint8, of which `Bundle.front_end` makes a gain for each bin (rule 13)
    <layer>_h_next : (units,), int8, the state after the last frame, to continue from
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model.bundle.bits import unpack
from model.bundle.bundle import Bundle
from model.bundle.formats import WeightFormat, one, top
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import Layer
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.files import replacing
from model.reference.qonnx_graph import to_qonnx

__all__ = ["run", "to_onnx"]

OPSET, IR_VERSION = 18, 8
"""Of 2022: runtimes of today and of then read it."""


class _Graph:
    """Nodes of one frame; every value is a 64-bit integer. Constants are stored as narrow as given."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any) -> str:
        """The name of an array, as int64 in the graph."""
        array = np.asarray(values)
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name if array.dtype == np.int64 else self("Cast", name, to=TensorProto.INT64)

    def __call__(self, kind: str, *inputs: str | int, output: str = "", **attributes: Any) -> str:
        """Add a node; numbers among its inputs are constants. The name of its output."""
        names = [value if isinstance(value, str) else self.constant(np.int64(value)) for value in inputs]
        output = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def halves(self, x: str, units: int) -> tuple[str, str]:
        """The first `units` elements, and the rest."""
        outputs = (f"v{len(self.nodes)}a", f"v{len(self.nodes)}b")
        sizes = self.constant(np.array([units, units], np.int64))
        self.nodes.append(helper.make_node("Split", [x, sizes], outputs, axis=0))
        return outputs

    def bipolar(self, bits: str) -> str:
        """0 and 1, or booleans, to -1 and +1."""
        return self("Sub", self("Mul", self("Cast", bits, to=TensorProto.INT64), 2), 1)

    def shifted(self, x: str, shift: NDArray[Any] | int) -> str:
        """`x >> shift`, rounded down; ONNX shifts unsigned integers only. In two steps, as 2^63 is no int64."""
        first = np.asarray(shift, np.int64) // 2
        for part in (first, np.asarray(shift, np.int64) - first):
            divisor = self.constant(np.int64(1) << part)
            x = self("Div", self("Sub", x, self("Mod", x, divisor)), divisor)
        return x


class _Bitwise:
    """A bitwise layer in the graph (rule 2)."""

    def __init__(self, graph: _Graph, layer: Layer) -> None:
        self._graph, self._layer = graph, layer

    def _reached(self, sums: str, threshold: NDArray[Any]) -> str:
        return self._graph("GreaterOrEqual", sums, self._graph.constant(threshold))

    def _product(self, values: NDArray[np.int8], x: str) -> str:
        return self._graph("MatMul", self._graph.constant(values.reshape(-1, values.shape[-1])), x)

    @property
    def initial_state(self) -> NDArray[np.int8] | None:
        state = self._layer.initial_state
        return None if state is None else 2 * unpack(state, self._layer.units).astype(np.int8) - 1

    def __call__(self, x: str, h: str) -> str:
        """One frame's output, -1 and +1, from the input and the state, both -1 and +1."""
        graph, layer, w = self._graph, self._layer, self._layer.w.values()
        if layer.u is None:
            return graph.bipolar(self._reached(self._product(w, x), layer.threshold))
        u = layer.u.values()
        sums = graph("Add", self._product(w[:2], x), self._product(u[:2], h))
        r, z = graph.halves(self._reached(sums, layer.threshold[:2].ravel()), layer.units)
        masked = graph("Mul", graph("Cast", r, to=TensorProto.INT64), h)
        sums = graph("Add", self._product(w[2], x), self._product(u[2], masked))
        return graph("Where", z, h, graph.bipolar(self._reached(sums, layer.threshold[2])))


class _Integer:
    """An integer layer in the graph (rule 14)."""

    def __init__(self, graph: _Graph, layer: IntegerLayer) -> None:
        self._graph, self._layer = graph, layer

    @property
    def initial_state(self) -> NDArray[np.int8] | None:
        return self._layer.initial_state

    def _rows(self, gates: slice, x: str, v: str, table: NDArray[Any]) -> str:
        """Table entries of some gates' rows (rule 14.4)."""
        graph, layer = self._graph, self._layer
        by_gate = layer.threshold.ndim - 1  # a dense layer has no such axis

        def rows(array: NDArray[Any]) -> NDArray[Any]:
            chosen = array[gates] if by_gate else array
            return chosen.reshape(-1, *array.shape[1 + by_gate :])

        def product(codes: NDArray[np.int8], format: WeightFormat, operand: str) -> str:
            narrow = format.values(rows(codes)).astype(np.int32 if format.exponent else np.int8)
            return graph("MatMul", graph.constant(narrow), operand)

        sums = graph("Sub", product(layer.w, layer.format.w, x), graph.constant(rows(layer.threshold)))
        sums = graph("Mul", sums, graph.constant(rows(layer.w_multiplier)))
        if layer.u is not None and layer.u_multiplier is not None and layer.format.u is not None:
            recurrent = product(layer.u, layer.format.u, v)
            sums = graph("Add", sums, graph("Mul", recurrent, graph.constant(rows(layer.u_multiplier))))
        limit = one(layer.format.output_bits)
        index = graph("Clip", graph.shifted(sums, rows(layer.shift)), -limit, limit - 1)
        return graph("Gather", graph.constant(table), graph("Add", index, limit))

    def __call__(self, x: str, h: str) -> str:
        """One frame's output from the input and the state."""
        graph, layer, bits = self._graph, self._layer, self._layer.format.output_bits
        if layer.sigmoid is None:
            return self._rows(slice(None), x, "", layer.tanh)
        half, unit = one(bits) >> 1, one(bits)
        r, z = graph.halves(self._rows(slice(0, 2), x, h, layer.sigmoid), layer.units)
        v = graph.shifted(graph("Add", graph("Mul", r, h), half), bits - 1)
        candidate = self._rows(slice(2, 3), x, v, layer.tanh)
        kept, new = graph("Mul", z, h), graph("Mul", graph("Sub", unit, z), candidate)
        return graph.shifted(graph("Add", graph("Add", kept, new), half), bits - 1)


def to_onnx(bundle: Bundle) -> onnx.ModelProto:
    """A bundle's network as a model; see the module for its inputs and outputs."""
    graph, front_end = _Graph(), bundle.front_end
    bits_in, gain_bits = front_end.feature_bits, front_end.gain_bits
    x = graph.bipolar("feature") if bits_in == 1 else graph("Cast", "feature", to=TensorProto.INT64)
    inputs, outputs = [], []
    for layer in bundle.layers:
        made = _Integer(graph, layer) if isinstance(layer, IntegerLayer) else _Bitwise(graph, layer)
        if (initial := made.initial_state) is None:
            x = made(x, "")
            continue
        name, shape = f"{layer.name}_h", [layer.units]
        inputs.append((helper.make_tensor_value_info(name, TensorProto.INT8, shape), initial))
        outputs.append(helper.make_tensor_value_info(f"{name}_next", TensorProto.INT8, shape))
        x = made(x, graph("Cast", f"{name}_now", to=TensorProto.INT64))
        graph("Cast", x, output=f"{name}_then", to=TensorProto.INT8)
    gain = graph("Greater", x, 0) if gain_bits == 1 else graph("Add", x, top(gain_bits))
    graph("Cast", gain, output="gain", to=TensorProto.UINT8)

    kind = TensorProto.UINT8 if bits_in == 1 else TensorProto.INT8
    units = bundle.layers[-1].units
    states = [(value.name, value.type) for value, _ in inputs]
    body = helper.make_graph(
        graph.nodes,
        "frame",
        [
            *(helper.make_value_info(f"{name}_now", type) for name, type in states),
            helper.make_tensor_value_info("feature", kind, [front_end.features]),
        ],
        [
            *(helper.make_value_info(f"{name}_then", type) for name, type in states),
            helper.make_tensor_value_info("gain", TensorProto.UINT8, [units]),
        ],
    )
    names = [name for name, _ in states]
    frames = helper.make_node(
        "Scan", [*names, "features"], [*(f"{name}_next" for name in names), "gains"], body=body, num_scan_inputs=1
    )
    whole = helper.make_graph(
        [frames],
        "network",
        [
            helper.make_tensor_value_info("features", kind, ["frames", front_end.features]),
            *(value for value, _ in inputs),
        ],
        [helper.make_tensor_value_info("gains", TensorProto.UINT8, ["frames", units]), *outputs],
        [*graph.constants, *(numpy_helper.from_array(initial, value.name) for value, initial in inputs)],
        doc_string=f"The network of the bundle {bundle.name}, in integers (bgru, docs/exact-meaning.md).",
    )
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="bgru")
    model.ir_version = IR_VERSION
    facts = {"bundle": bundle.name, "identity": bundle.identity.hex(), "sample_rate": str(front_end.sample_rate)}
    helper.set_model_props(model, facts | {"fft_size": str(front_end.fft_size), "hop": str(front_end.hop)})
    onnx.checker.check_model(model)
    return model


def run(folder: Path, out: Path, qonnx: bool = False) -> None:
    """Write a bundle's network as an ONNX file, or as a QONNX one: `bgru onnx`."""
    if out.suffix != ".onnx":
        raise BadInput(f"{out}: expected a name that ends in .onnx, got {out.suffix or 'none'}")
    model = (to_qonnx if qonnx else to_onnx)(read_bundle(folder))
    with replacing(out) as temporary:
        temporary.write_bytes(model.SerializeToString())
    console.print(f"{out}: features in, gains out, {out.stat().st_size:,} bytes (docs/onnx.md)")
