# amaranth: UnusedElaboratable=no
# A network whose RTLIL is in the cache is never elaborated (`hw.flow.rtl.elaborated`).
"""The engine of a layer of integers: the engine of bits with another MVU, and without biases."""

from typing import Any

from amaranth.hdl import Module, Value

from hw.gateware.engine import Engine, padded_rows, weight_words
from hw.gateware.integer_mvu import IntegerMVU
from hw.gateware.lanes import lanes
from hw.shape.engine_spec import EngineSpec
from hw.shape.integer_engine_spec import IntegerEngineSpec
from hw.shape.integer_layer_spec import IntegerLayerSpec
from model.bundle.integer_layers import IntegerLayer

__all__ = ["IntegerEngine", "IntegerMatrix"]


class IntegerMatrix:
    """Weight codes as an engine's memory holds them: padded, folded, encoded, in the order of use."""

    def __init__(self, layer: IntegerLayer, spec: IntegerLayerSpec) -> None:
        self.weight_width = spec.engine.weight_width
        self.weight_words = weight_words(spec.engine, padded_rows(spec, layer.w, layer.u), lanes(spec.lanes))


class IntegerEngine(Engine):
    """Multiply a stream of operand words by a matrix of integers: `hw.gateware.engine.Engine` with an `IntegerMVU`.

    Members: the same; a result is that of the MVU, the sums of a row group.
    """

    def _mvu(self, spec: EngineSpec) -> Any:
        assert isinstance(spec, IntegerEngineSpec)
        return IntegerMVU(spec)

    def _biases(self, m: Module, moving: Value) -> None:
        pass
