"""LUT4 of the product of a weight and an operand, for every weight format and operand width, from synthesis."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.flow.components import Registered
from hw.flow.rtl import to_rtlil
from hw.flow.synth import synthesise
from hw.gateware.lanes import lanes
from hw.shape.family import Family
from hw.shape.integer_engine_spec import signed_bits
from model.bundle.formats import MOST_BITS, WEIGHT_FORMATS, WeightFormat, one

__all__ = ["OPERAND_BITS", "Products", "lane_lut4"]

OPERAND_BITS = range(2, MOST_BITS + 1)
"""Bits of a lane's operand, signed."""

LANES = 4
"""Lanes that are synthesised together."""


class Products(wiring.Component):
    """Lanes by themselves, without adders.

    Members
    -------
    weights : In(the stored bits of all lanes); x : In(their operands); o : Out(their products)
    """

    def __init__(self, format: WeightFormat, operand_bits: int) -> None:
        self.format, self.operand_bits = format, operand_bits
        self.product_bits = signed_bits(format.largest * one(operand_bits))
        super().__init__(
            {
                "weights": In(LANES * format.bits),
                "x": In(LANES * operand_bits),
                "o": Out(LANES * self.product_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        operands = [self.x.word_select(lane, self.operand_bits).as_signed() for lane in range(LANES)]
        for lane, product in enumerate(lanes(self.format).products(self.weights, operands)):
            m.d.comb += self.o.word_select(lane, self.product_bits).eq(product)
        return m


def lane_lut4(name: str, operand_bits: int, family: Family) -> float:
    """LUT4 of a lane of a weight format that takes no multiplier of the device."""
    products = to_rtlil(Registered(Products(WEIGHT_FORMATS[name], operand_bits)), "products")
    return synthesise(products, "products", family)["lut4"] / LANES
