"""Place and route: a clock comes out, the same one for the same seed, and a failure says why."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.flow.place import _domain, fmax


class Parity(wiring.Component):
    """Of 16 bits, between registers."""

    i: In(16)
    o: Out(1)

    def elaborate(self, platform):
        m = Module()
        registered = Signal(16)
        m.d.sync += [registered.eq(self.i), self.o.eq(registered.xor())]
        return m


@pytest.mark.parametrize(
    ("net", "domain"),
    [
        ("clk", "sync"),
        ("$glbnet$clk$TRELLIS_IO_IN", "sync"),
        ("clk$SB_IO_IN_$glb_clk", "sync"),
        ("$glbnet$core.denoiser.network.mask.engine.clk", "sync"),
        ("$glbnet$core.weights.load_mask.sdram_clk", "sdram"),
        ("$glbnet$chip_clk", "chip"),
    ],
)
def test_a_clock_is_known_by_its_domain_in_any_module(net, domain):
    assert _domain(net) == domain


@pytest.mark.synthesis
def test_the_median_of_the_seeds():
    each = [fmax(Parity(), [seed]) for seed in (1, 2, 3)]
    assert 100 < min(each) < max(each) < 1000, "another seed, another placement"
    assert fmax(Parity(), (1, 2, 3)) == sorted(each)[1]


@pytest.mark.synthesis
def test_what_nextpnr_refuses_is_an_error_in_its_words():
    with pytest.raises(RuntimeError, match=r"(?s)nextpnr-ecp5 failed: .*seed"):
        fmax(Parity(), ["none"])  # type: ignore[list-item]  # which is the point
