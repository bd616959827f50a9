"""Streams and structures of a component as plain ports with fixed names, for a C++ test bench."""

from amaranth.hdl import Module, Shape, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

__all__ = ["Flat"]


class Flat(wiring.Component):
    """A component whose streams become ports with names that Verilator keeps: `i_valid`, `i_payload`, ..."""

    def __init__(self, dut: wiring.Component) -> None:
        self.dut = dut
        leaves = dut.signature.flatten(dut)
        super().__init__(
            {"_".join(map(str, path)): member.flow(Shape.cast(member.shape).width) for path, member, _ in leaves}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = self.dut
        for path, member, inside in self.dut.signature.flatten(self.dut):
            outside = getattr(self, "_".join(map(str, path)))
            value = Value.cast(inside)
            m.d.comb += value.eq(outside) if member.flow is In else outside.eq(value)
        return m
