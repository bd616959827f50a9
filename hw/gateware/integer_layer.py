# amaranth: UnusedElaboratable=no
# A network whose RTLIL is in the cache is never elaborated (`hw.flow.rtl.elaborated`).
"""The common part of the two kinds of layer of integers."""

from hw.gateware.engine import Engine
from hw.gateware.integer_engine import IntegerEngine, IntegerMatrix
from hw.gateware.layers import LayerComponent
from hw.gateware.requantiser import Requantiser
from hw.shape.integer_layer_spec import IntegerLayerSpec
from model.bundle.integer_layers import IntegerLayer

__all__ = ["IntegerLayerComponent"]


class IntegerLayerComponent(LayerComponent):
    """A layer of integers: a `LayerComponent` with a requantiser. Its output words are single elements.

    Members
    -------
    i : In(stream of Word(simd * input_bits)); o : Out(stream of Word(output_bits)); the others as in `LayerComponent`
    """

    layer: IntegerLayer
    spec: IntegerLayerSpec

    def __init__(self, layer: IntegerLayer, spec: IntegerLayerSpec) -> None:
        self.requantiser = Requantiser(layer, spec)
        super().__init__(layer, spec)

    def _engine(self) -> Engine:
        return IntegerEngine(self.spec.engine, IntegerMatrix(self.layer, self.spec))
