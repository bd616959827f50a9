"""Output registers of block RAM: taken where nothing changes by it, and only there."""

from typing import Any

import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.flow.rtl import to_rtlil
from hw.flow.synth import synthesise
from hw.gateware.memory import ram, read
from hw.gateware.popcount import delayed
from hw.shape.family import ECP5

pytestmark = pytest.mark.synthesis


class Reader(wiring.Component):
    """A ROM in block RAM, `registers` behind it, and what else a case does with it."""

    address: In(10)
    enable: In(1)
    o: Out(9)
    also: Out(9)

    def __init__(self, registers: int, *, read_enabled=False, register_enabled=False, cleared=False, tapped=False):
        self.registers, self.read_enabled, self.register_enabled = registers, read_enabled, register_enabled
        self.cleared, self.tapped = cleared, tapped
        super().__init__()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.bank = bank = ram(9, 1024, [7 * word % 512 for word in range(1024)], ram_style="block")
        word = read(m, bank, self.address, self.enable if self.read_enabled else 1)
        if self.tapped:
            m.d.comb += self.also.eq(word)
        if self.register_enabled or self.cleared:
            register = Signal(9, reset_less=True)
            with m.If(self.enable if self.register_enabled else 1):
                m.d.sync += register.eq(Mux(self.cleared & self.enable, 0, word))
            word = register
            m.d.comb += self.o.eq(word)
        else:
            m.d.comb += self.o.eq(delayed(m, word, self.registers))
        return m


def cost(reader: Reader) -> tuple[int, int]:
    found = synthesise(to_rtlil(reader, "reader"), "reader", ECP5)
    return found["block_ram"], found["ff"]


@pytest.mark.parametrize("registers", [1, 2])
def test_the_first_register_behind_a_memory_is_the_memorys_own(registers):
    assert cost(Reader(registers)) == (1, 9 * (registers - 1))


@pytest.mark.parametrize("case", ["read_enabled", "register_enabled", "cleared", "tapped"])
def test_a_register_that_does_more_or_less_stays(case):
    assert cost(Reader(1, **{case: True})) == (1, 9)


def test_no_register_no_output_register():
    assert cost(Reader(0)) == (1, 0)
