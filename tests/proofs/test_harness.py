"""The harness: parts without their insides, signals inside a component, and words that are read while written."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.gateware.link import HostLink
from boards.gateware.link_format import LinkFormat
from boards.gateware.slots import Slots
from proofs.harness import Harness
from proofs.prover import decide

pytestmark = pytest.mark.synthesis


class Inverter(wiring.Component):
    """Not `i`, one cycle later."""

    def __init__(self):
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(~self.i)
        return m


class Twice(wiring.Component):
    """Two inverters."""

    def __init__(self):
        self.parts = Inverter(), Inverter()
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules += self.parts
        first, second = self.parts
        m.d.comb += [first.i.eq(self.i), second.i.eq(first.o), self.o.eq(second.o)]
        return m


@pytest.mark.parametrize(("hollow", "verdict"), [(False, "proved"), (True, "refuted")])
def test_a_hollow_part_answers_anything(hollow, verdict):
    h, dut = Harness(), Twice()
    if hollow:
        h.m.d.comb += h.hollow(dut.parts[0]).o.eq(h.free(1, "answer"))
    h.component(dut)
    h.check((h.past(h.begun) == 0) | (dut.o == h.past(dut.i, 2)))
    assert decide(h.rtlil(), "bounded", 5).verdict == verdict


@pytest.mark.parametrize(("apart", "verdict"), [(True, "proved"), (False, "refuted")])
def test_a_word_that_is_read_while_it_is_written_may_be_anything(apart, verdict):
    h = Harness()
    dut = h.component(Slots(2, 1))
    h.assume((dut.write_data == 0) & (apart | dut.write_enable))
    if apart:
        h.assume(dut.write_slot != dut.read_slot)
    h.check(~h.begun | (dut.read_data == 0))
    assert decide(h.rtlil(), "bounded", 5).verdict == verdict


def test_a_signal_of_a_part_is_found_by_its_name():
    h = Harness()
    dut = h.component(HostLink(LinkFormat(frame_bytes=1, answer_bytes=1, slots=4, info=b"")))
    state = h.signal(dut, "receive_state")
    h.check(state <= 1)
    assert decide(h.rtlil(), "induction", 1).verdict == "proved"
    with pytest.raises(ValueError, match="unpack"):
        h.signal(dut, "no_such_signal")
