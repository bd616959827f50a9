"""The dense layer of integers (docs/exact-meaning.md, rule 14)."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring

from hw.gateware.dense import add_rows
from hw.gateware.integer_layer import IntegerLayerComponent
from hw.gateware.integer_operands import input_operands, outgoing
from hw.gateware.popcount import delayed

__all__ = ["IntegerDenseLayer"]


class IntegerDenseLayer(IntegerLayerComponent):
    """One matrix and its requantiser; frames follow each other without a gap.

    Cycles per frame: `hw.shape.cycles`; the ideal if a row group has enough words for the requantiser.
    Memory: the engine's and the requantiser's, plus twice the input vector.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.engine, m.submodules.requantiser = engine, requantiser = self.engine, self.requantiser
        x = self._input(m)
        self._load(m)
        last = add_rows(m, self.spec, x, engine)
        wiring.connect(m, engine.o, requantiser.i)
        entries: Any = requantiser.o
        m.d.comb += [
            engine.x.eq(input_operands(self.spec, delayed(m, x.data, 2), delayed(m, last, 2))),
            self.o.valid.eq(entries.valid),
            entries.ready.eq(self.o.ready),
            self.o.payload.data.eq(outgoing(entries.payload.data, self.spec.output_bits)),
            self.o.payload.start.eq(entries.payload.start),
            self.probe.valid.eq(entries.valid & entries.ready),
            self.probe.data.eq(entries.payload.data),
            self.probe.busy.eq(x.full),
            self.probe.released.eq(x.release),
        ]
        return m
