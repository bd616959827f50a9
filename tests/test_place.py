"""Place and route: a clock comes out, the same one for the same seed, and a failure says why."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.family import ECP5
from hw.place import netlist_fmax
from hw.rtl import to_rtlil
from hw.synth import synthesise

pytestmark = pytest.mark.synthesis


class Parity(wiring.Component):
    """Of 16 bits, between registers."""

    i: In(16)
    o: Out(1)

    def elaborate(self, platform):
        m = Module()
        registered = Signal(16)
        m.d.sync += [registered.eq(self.i), self.o.eq(registered.xor())]
        return m


def test_one_netlist_serves_all_seeds(tmp_path):
    rtlil = to_rtlil(Parity(), "parity")
    synthesise(rtlil, "parity", ECP5, netlist=tmp_path / "parity.json")
    first, second = (netlist_fmax(tmp_path / "parity.json", seed) for seed in (1, 2))
    assert 100 < first < 1000
    assert first != second
    assert [path.name for path in tmp_path.iterdir()] == ["parity.json"]


def test_what_nextpnr_can_not_place_is_an_error_in_its_words(tmp_path):
    (tmp_path / "empty.json").write_text("{}")
    with pytest.raises(RuntimeError, match=r"nextpnr-ecp5 failed: .*ERROR"):
        netlist_fmax(tmp_path / "empty.json")
