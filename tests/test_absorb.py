"""Folding LUT4 into carry chains: fewer of them, and provably the same function."""

import json
from dataclasses import replace

import pytest
from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.absorb import absorb
from hw.arithmetic import Binary, Ternary
from hw.family import ECP5
from hw.mvu import MVU
from hw.rtl import to_rtlil, yosys
from hw.synth import synthesise

pytestmark = pytest.mark.synthesis
PLAIN = replace(ECP5, absorbs=False)


class Sum(wiring.Component):
    """x + y, where a bit of y is `function` of a bit each of a, b, c."""

    def __init__(self, function):
        self.function = function
        super().__init__({"x": In(8), "a": In(8), "b": In(8), "c": In(8), "total": Out(8), "seen": Out(8)})

    def elaborate(self, platform):
        m = Module()
        y = Cat(self.function(a, b, c) for a, b, c in zip(self.a, self.b, self.c, strict=True))
        m.d.comb += self.total.eq(self.x + y)
        return m


def lut4_of(function, family):
    return synthesise(to_rtlil(Sum(function), "top"), "top", family)["lut4"]


@pytest.mark.parametrize(
    "function",
    [lambda a, b, c: ~(a ^ b) & c, lambda a, b, c: Mux(a, b, c), lambda a, b, c: a ^ b],
    ids=["product", "multiplexer", "difference"],
)
def test_a_function_in_front_of_an_adder_costs_nothing(function):
    assert lut4_of(function, PLAIN) == 16
    assert lut4_of(function, ECP5) == 8


def test_a_function_stays_where_the_two_tables_of_a_full_half_clash():
    # With four pins in use, the carry's table is a part of the sum's.
    assert lut4_of(lambda a, b, c: a ^ b ^ c, ECP5) == 16


def test_a_lut_with_another_reader_stays():
    class Shared(Sum):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            m.d.comb += self.seen.eq(self.a & self.b & self.c)
            return m

    assert synthesise(to_rtlil(Shared(lambda a, b, c: a & b & c), "top"), "top", ECP5)["lut4"] == 16


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("arithmetic", [Ternary(), Binary()], ids=lambda it: it.name)
def test_yosys_proves_that_nothing_has_changed(arithmetic, dynamic, tmp_path):
    """Plain and folded MVU, cut at the flip-flops, are the same function of inputs and state."""
    prove(to_rtlil(MVU(arithmetic, 2, 9, 40, dynamic), "top"), tmp_path)


def test_the_proof_can_fail(tmp_path):
    with pytest.raises(RuntimeError, match="yosys failed"):
        prove(to_rtlil(MVU(Ternary(), 1, 9, 40, False), "top"), tmp_path, spoil=True)


def full(chain):
    return all(isinstance(chain["connections"][pin][0], int) for pin in ("A0", "B0", "C0", "D0"))


def prove(rtlil, folder, spoil=False):
    plain, folded = folder / "plain.json", folder / "folded.json"
    synthesise(rtlil, "top", PLAIN, netlist=plain)
    netlist = json.loads(plain.read_text())
    netlist["modules"] = {"plain": netlist["modules"]["top"]}  # not the cells' empty ones
    plain.write_text(json.dumps(netlist))
    assert absorb(netlist, "plain") > 0
    module = netlist["modules"].pop("plain")
    # What has the same name is held to be the same: the nets and the flip-flops, but not the insides of a chain.
    kept = {name: cell for name, cell in module["cells"].items() if cell["type"] == "TRELLIS_FF"}
    module["cells"] = kept | {f"{name}_": cell for name, cell in module["cells"].items() if name not in kept}
    netlist["modules"] = {"folded": module}
    if spoil:
        lut = next(cell for cell in module["cells"].values() if cell["type"] == "CCU2C" and full(cell))
        lut["parameters"]["INIT0"] = f"{int(lut['parameters']['INIT0'], 2) ^ 1 << 9:016b}"
    folded.write_text(json.dumps(netlist))
    script = []
    for side in ("plain", "folded"):
        script += [
            f"read_json {side}.json",
            "read_verilog -D NO_INCLUDES +/ecp5/common_sim.vh +/ecp5/ccu2c_sim.vh",
            f"hierarchy -top {side}",
            "proc",
            "flatten",
            "opt_expr",
            "opt_clean",
            f"design -stash {side}",
        ]
    script += [f"design -copy-from {side} {side}" for side in ("plain", "folded")]
    script += ["equiv_make plain folded proof", "hierarchy -top proof", "equiv_simple", "equiv_induct"]
    yosys([*script, "equiv_status -assert"], folder)
