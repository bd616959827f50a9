"""Folding LUT4 into carry chains: fewer of them, and provably the same function."""

import copy
import json
import random
from dataclasses import replace
from itertools import count, product

import pytest
from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings

from hw.flow.absorb import absorb
from hw.flow.rtl import to_rtlil, yosys
from hw.flow.synth import synthesise
from hw.gateware.arithmetic import Binary, Ternary
from hw.gateware.mvu import MVU
from hw.shape.family import ECP5
from tests.support.random_bundles import seeds

synthesis = pytest.mark.synthesis
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


@synthesis
@pytest.mark.parametrize(
    "function",
    [lambda a, b, c: ~(a ^ b) & c, lambda a, b, c: Mux(a, b, c), lambda a, b, c: a ^ b],
    ids=["product", "multiplexer", "difference"],
)
def test_a_function_in_front_of_an_adder_costs_nothing(function):
    assert lut4_of(function, PLAIN) == 16
    assert lut4_of(function, ECP5) == 8


@synthesis
def test_a_function_stays_where_the_two_tables_of_a_full_half_clash():
    # With four pins in use, the carry's table is a part of the sum's.
    assert lut4_of(lambda a, b, c: a ^ b ^ c, ECP5) == 16


@synthesis
def test_a_lut_with_another_reader_stays():
    class Shared(Sum):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            m.d.comb += self.seen.eq(self.a & self.b & self.c)
            return m

    assert synthesise(to_rtlil(Shared(lambda a, b, c: a & b & c), "top"), "top", ECP5)["lut4"] == 16


@synthesis
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("arithmetic", [Ternary(), Binary()], ids=lambda it: it.format.name)
def test_yosys_proves_that_nothing_has_changed(arithmetic, dynamic, tmp_path):
    """Plain and folded MVU, cut at the flip-flops, are the same function of inputs and state."""
    prove(to_rtlil(MVU(arithmetic, 2, 9, 40, dynamic), "top"), tmp_path)


@synthesis
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


# Netlists of all sorts, as Yosys would hardly write them: evaluated before and after.

INPUTS = (2, 3, 4, 5, 6)
"""Nets of the module's inputs."""


@given(seed=seeds)
@settings(max_examples=300)
def test_any_netlist_keeps_its_function(seed):
    rng = random.Random(seed)
    cells, outputs = random_netlist(rng)
    before = copy.deepcopy(cells)
    ports = {"i": {"bits": list(INPUTS)}, "o": {"bits": outputs}}
    if absorb({"modules": {"top": {"ports": ports, "cells": cells}}}, "top"):
        for values in product((0, 1), repeat=len(INPUTS)):
            known = dict(zip(INPUTS, values, strict=True))
            assert evaluated(cells, known, outputs) == evaluated(before, known, outputs)


def test_the_random_netlists_are_folded():
    gone = 0
    for seed in range(100):
        cells, outputs = random_netlist(random.Random(seed))
        gone += absorb({"modules": {"top": {"ports": {"o": {"bits": outputs}}, "cells": cells}}}, "top")
    assert gone > 10


def random_netlist(rng):
    """LUT4 and chains with shared nets, constants, module ports, injected carries: cells and output nets."""
    nets, cells, outputs = list(INPUTS), {}, []
    fresh = count(20)
    for number in range(rng.randint(1, 4)):
        out = next(fresh)
        pins = {pin: [rng.choice([*nets, "0", "1", "x"])] for pin in "ABCD"}
        cells[f"lut{number}"] = cell("LUT4", {"INIT": rng.getrandbits(16)}, pins, {"Z": [out]})
        nets.append(out)
    luts = nets[len(INPUTS) :]
    for number in range(2):
        pins = {f"{pin}{half}": [rng.choice([*nets, *luts, *luts, "0", "1"])] for pin in "AB" for half in "01"}
        pins |= {f"{pin}{half}": [rng.choice([rng.choice(nets), "0", "0", "1"])] for pin in "CD" for half in "01"}
        driven = {pin: [next(fresh)] for pin in ("S0", "S1", "COUT")}
        tables = {"INIT0": rng.choice([rng.getrandbits(16), 0x96AA, 0x666A]), "INIT1": rng.getrandbits(16)}
        inject = {f"INJECT1_{half}": rng.choice(["YES", "NO"]) for half in "01"}
        carry_in = {"CIN": [rng.choice(INPUTS)]}
        cells[f"chain{number}"] = cell("CCU2C", tables, pins | carry_in, driven)
        cells[f"chain{number}"]["parameters"] |= inject
        outputs += [bit for (bit,) in driven.values()]
        nets += [driven["S0"][0], driven["S1"][0]]
    return cells, [*outputs, *rng.sample(luts, rng.randint(0, 1))]


def cell(kind, tables, inputs, outputs):
    directions = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")
    parameters = {name: f"{table:016b}" for name, table in tables.items()}
    return {
        "type": kind,
        "parameters": parameters,
        "port_directions": directions,
        "connections": {**inputs, **outputs},
    }


def evaluated(cells, known, outputs):
    """The output nets' values; cells are in an order in which each reads only what is before it."""
    value = {"0": 0, "1": 1, "x": 0, **known}
    for each in cells.values():
        nets = {pin: bits[0] for pin, bits in each["connections"].items()}
        if each["type"] == "LUT4":
            value[nets["Z"]] = looked_up(each, "INIT", [value[nets[pin]] for pin in "ABCD"])
            continue
        carry = value[nets["CIN"]]
        for half in "01":
            at = [value[nets[f"{pin}{half}"]] for pin in "ABCD"]
            propagate, generate = (looked_up(each, f"INIT{half}", pins) for pins in (at, [*at[:2], 0, 0]))
            injected = each["parameters"][f"INJECT1_{half}"] == "YES"
            value[nets[f"S{half}"]] = propagate ^ (0 if injected else carry)
            carry = carry if propagate else generate & (not injected)
        value[nets["COUT"]] = carry
    return [value[net] for net in outputs]


def looked_up(each, name, bits):
    return int(each["parameters"][name], 2) >> sum(bit << place for place, bit in enumerate(bits)) & 1
