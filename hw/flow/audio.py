"""What an audio engine costs on a family, and how fast it can be clocked."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.flow.place import place
from hw.flow.rtl import to_rtlil
from hw.flow.synth import Cost, synthesise
from hw.gateware.audio.engine import AudioEngine
from hw.shape.family import Family
from model.bundle.front_end import FrontEnd

__all__ = ["clock", "cost"]

DEVICES = {
    "ecp5": ("--85k", "--speed", "6", "--package", "CABGA381", "--out-of-context"),
    "ice40": ("--up5k", "--package", "sg48", "--pcf-allow-unconstrained"),
}


def cost(front_end: FrontEnd, family: Family, limited: bool = False) -> Cost:
    """What an engine takes on a family, synthesised by itself; `limited` with an attenuation limit."""
    return synthesise(to_rtlil(_engine(front_end, family, limited), "engine"), "engine", family.with_multipliers())


def clock(front_end: FrontEnd, family: Family, seeds: Sequence[int] = (1, 2, 3)) -> float:
    """MHz of an engine by itself, the median over placement seeds: LFE5U-85F of speed grade 6, or iCE40UP5K."""
    with tempfile.TemporaryDirectory() as scratch:
        netlist = Path(scratch) / "netlist.json"
        serial = Serial(_engine(front_end, family))
        synthesise(to_rtlil(serial, "serial"), "serial", family.with_multipliers(), netlist)
        return median(place(netlist, family, DEVICES[family.name], 100e6, seed).mhz for seed in seeds)


def _engine(front_end: FrontEnd, family: Family, limited: bool = False) -> AudioEngine:
    return AudioEngine(front_end, family.single_port_ram is not None, limited)


class Serial(wiring.Component):
    """A unit on few pins: its inputs come out of a shift register, its outputs go into one. For measuring only.

    Members
    -------
    i : In(1), into the inputs' register; o : Out(1), out of the outputs'; load : In(1), that takes the outputs
    """

    def __init__(self, unit: wiring.Component) -> None:
        self.unit = unit
        super().__init__({"i": In(1), "load": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = self.unit
        leaves = [(member.flow, Value.cast(value)) for _, member, value in self.unit.signature.flatten(self.unit)]
        inputs, outputs = (Cat(*(value for flow, value in leaves if flow is way)) for way in (In, Out))
        given, taken = Signal(len(inputs), reset_less=True), Signal(len(outputs), reset_less=True)
        m.d.sync += [given.eq(Cat(self.i, given)), taken.eq(Mux(self.load, outputs, taken >> 1))]
        m.d.comb += [inputs.eq(given), self.o.eq(taken[0])]
        return m
