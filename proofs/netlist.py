"""The ECP5 netlist passes: the cells that they put in do the same as those they take out."""

import copy
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.flow.absorb import _fold, absorb
from hw.flow.bram_output_registers import _plain, use_output_registers
from hw.flow.netlist import Bit, Cell, uses
from hw.flow.rtl import to_rtlil, yosys
from hw.flow.synth import synthesise
from hw.gateware.arithmetic import Binary, Ternary
from hw.gateware.audio.engine import AudioEngine
from hw.gateware.memory import ram, read
from hw.gateware.mvu import MVU
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from model.bundle.random_bundle import random_bundle
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]

TOP = "top"

OUTPUT = """
module OUTPUT(input CLK, OCE, D, output DO);
    parameter REGMODE = "NOREG";
    reg register = 0;
    always @(posedge CLK) if (OCE) register <= D;
    assign DO = REGMODE == "OUTREG" ? register : D;
endmodule
"""
"""An output of block RAM: what is stored, or what was a cycle ago (Lattice FPGA-TN-02204, sysMEM usage guide)."""


class Outputs(wiring.Component):
    """Memories whose registers do more or less than a block RAM's own, and so must stay."""

    def __init__(self) -> None:
        super().__init__({"address": In(10), "enable": In(1), "o": Out(36)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for index in range(4):
            m.submodules[f"words_{index}"] = words = ram(9, 1024, range(index, 512), ram_style="block")
            word = read(m, words, self.address, self.enable if index == 0 else 1)
            register = Signal(9, init=index == 3, reset_less=True, name=f"register_{index}")
            with m.If(self.enable if index == 1 else 1):
                m.d.sync += register.eq(word)
            m.d.comb += self.o.word_select(index, 9).eq(register ^ (word if index == 2 else 0))
        return m


@cache
def netlists() -> tuple[str, ...]:
    """What the passes run on, as Yosys' JSON: MVUs of each kind, a network, the audio engine, `Outputs`."""
    bundle = random_bundle(np.random.default_rng(0), (("bgru", 16),))
    designs = (
        *(MVU(kind, 2, 9, 40, dynamic) for kind in (Ternary(), Binary()) for dynamic in (False, True)),
        Network(bundle, {"gru0": Folding(4, 8), "mask": Folding(3, 7)}, ECP5, 8, 8),
        AudioEngine(replace(bundle.front_end, code="thermometer")),
        Outputs(),
    )
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for design in designs:
            netlist = Path(folder) / "netlist.json"
            synthesise(to_rtlil(design, TOP), TOP, replace(ECP5, absorbs=False), netlist=netlist)
            found.append(netlist.read_text(encoding="utf-8"))
    return tuple(found)


Change = Callable[[dict[str, Any], str], int]


@dataclass(frozen=True)
class Pattern:
    """One change of a pass: the cells before and after, and the nets that they drive for the rest of the netlist."""

    before: list[Cell]
    after: list[Cell]
    outputs: list[Bit]


def touched(change: Change) -> Iterator[Pattern]:
    """Every change of a pass in the netlists: a cell, with the cells in front or behind that it replaces."""
    for text in netlists():
        netlist = json.loads(text)
        module = netlist["modules"][TOP]
        before = copy.deepcopy(module["cells"])
        change(netlist, TOP)
        cells, used = module["cells"], uses(module)
        removed = [cell for name, cell in before.items() if name not in cells]
        for name, cell in cells.items():
            if cell != before[name]:
                pins = {bit for bits in before[name]["connections"].values() for bit in bits if isinstance(bit, int)}
                replaced = [part for part in removed if part["connections"][JOINT[part["type"]]][0] in pins]
                parts = [*modelled(before[name]), *replaced]
                yield Pattern(parts, modelled(cell), [bit for bit in nets(parts, "output") if used[bit]])


JOINT = {"LUT4": "Z", "TRELLIS_FF": "DI"}
"""The pin that connects a removed cell to the one that replaces it."""


def nets(cells: Iterable[Cell], direction: str) -> list[Bit]:
    """The nets on all pins of a direction, constants left out."""
    return [
        bit
        for cell in cells
        for pin, bits in cell["connections"].items()
        if cell["port_directions"][pin] == direction
        for bit in bits
        if bit not in ("0", "1", "x")
    ]


def modelled(cell: Cell) -> list[Cell]:
    """A cell in terms of the models: a block RAM is its outputs, and the stored data are inputs."""
    if cell["type"] != "DP16KD":
        return [cell]
    wide = int(cell["parameters"]["DATA_WIDTH_B"], 2) == 36  # then port B's outputs are on both sides
    parts = []
    for pin, bits in cell["connections"].items():
        if pin.startswith(("DOA", "DOB")):
            side = "B" if wide else pin[2]
            parts.append(
                {
                    "type": "OUTPUT",
                    "parameters": {"REGMODE": cell["parameters"].get(f"REGMODE_{pin[2]}", "NOREG")},
                    "port_directions": {"CLK": "input", "OCE": "input", "D": "input", "DO": "output"},
                    "connections": {
                        "CLK": cell["connections"][f"CLK{side}"],
                        "OCE": cell["connections"][f"OCE{side}"],
                        "D": [f"stored for {pin}"],
                        "DO": bits,
                    },
                }
            )
    return parts


def equivalence(change: Change) -> str:
    """Every different pattern, before and after, side by side, with the same inputs: the outputs are the same."""
    sides: tuple[dict[str, Cell], ...] = ({}, {})
    inputs, outputs, seen = [], [], set()
    numbers = count(2)  # of nets; Yosys keeps 0 and 1 for itself
    for pattern in touched(change):
        number: dict[Bit, int] = {}
        order = [*pattern.outputs, *nets(pattern.before, "input"), *nets(pattern.after, "input")]
        for bit in [*order, *nets(pattern.before, "output"), *nets(pattern.after, "output")]:
            number.setdefault(bit, len(number))
        key = json.dumps([_renamed(cells, number) for cells in (pattern.before, pattern.after)], sort_keys=True)
        if key in seen:
            continue
        seen.add(key)
        number = {bit: next(numbers) for bit in number}
        driven = set(nets(pattern.before, "output"))
        inputs += [place for bit, place in number.items() if bit in order and bit not in driven]
        outputs += [number[bit] for bit in pattern.outputs]
        for side, cells in zip(sides, (pattern.before, pattern.after), strict=True):
            side.update({f"cell_{len(seen)}_{place}": cell for place, cell in enumerate(_renamed(cells, number))})
    ports = {"i": {"direction": "input", "bits": inputs}, "o": {"direction": "output", "bits": outputs}}
    modules = {
        name: {"ports": ports, "cells": cells, "netnames": {}}
        for name, cells in zip(("before", "after"), sides, strict=True)
    }
    script = [
        "read_json patterns.json",
        "read_verilog output.v",
        "read_verilog -D NO_INCLUDES +/ecp5/common_sim.vh +/ecp5/ccu2c_sim.vh",
        "setundef -undriven -anyseq after",  # a net that was lost has any value
        "miter -equiv -make_assert before after top",
        "hierarchy -top top",
        "write_rtlil top.il",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "patterns.json").write_text(json.dumps({"modules": modules}), encoding="utf-8")
        (folder / "output.v").write_text(OUTPUT, encoding="utf-8")
        yosys(script, folder)
        return (folder / "top.il").read_text(encoding="utf-8")


def _renamed(cells: list[Cell], number: dict[Bit, int]) -> list[Cell]:
    """Cells with their nets renumbered. A pin at x counts as 0, as in `absorb`."""
    return [
        {
            **cell,
            "connections": {
                pin: [number.get(bit, "0" if bit == "x" else bit) for bit in bits]
                for pin, bits in cell["connections"].items()
            },
            "attributes": {},
        }
        for cell in cells
    ]


PROOFS = (
    Proof(
        "absorb",
        "Every pattern of LUTs in front of a carry chain that the pass folds gives the chain's outputs for all inputs, "
        "and no net is lost: in MVUs, a network and the audio engine.",
        "hw/flow/absorb.py",
        partial(equivalence, absorb),
        "induction",
        1,
        (
            Mutant(_fold, "[] if propagate else", "[] if True else"),
            Mutant(_fold, "at = [1, 1, 1, 1]", "at = [0, 0, 0, 0]"),
            Mutant(_fold, "_look_up(table, [*at[:2], 0, 0])", "_look_up(table, at)"),
            Mutant(_fold, "entries.setdefault(entry, value) != value", "entries.setdefault(entry, value) < value"),
        ),
        reach=1,
    ),
    Proof(
        "output-registers",
        "Every block RAM whose own output register takes the place of flip-flops gives what they gave in every cycle, "
        "and no net is lost: in a network, and next to registers that must stay.",
        "hw/flow/bram_output_registers.py",
        partial(equivalence, use_output_registers),
        "induction",
        2,
        (
            Mutant(use_output_registers, "used[bit] == 1 and ", ""),
            Mutant(_plain, 'parameters["CEMUX"].strip() == "1"', "True"),
            Mutant(_plain, 'parameters["REGSET"] == "RESET"', "True"),
        ),
        reach=4,
    ),
)
