"""The gru layer: a GRU of integers (docs/exact-meaning.md, rule 14)."""

from amaranth.hdl import Module
from amaranth.lib import wiring

from hw.gateware.bgru_sequence import add_sequence
from hw.gateware.gru_state import GruState
from hw.gateware.gru_update import add_gru_update
from hw.gateware.integer_layer import IntegerLayerComponent
from hw.gateware.repack import Repack

__all__ = ["GruLayer"]


class GruLayer(IntegerLayerComponent):
    """Six matrices on one MVU, in the passes of a BGRU layer (`hw.gateware.bgru`), one requantiser behind it.

    Pass 1 (gates):     r and then z, row group by row group; each r becomes v = r h.
    Pass 2 (candidate): h~, row group by row group: words of x against Wh, then words of v against Uh; each entry meets
                        its z and its old h and becomes the new h.

    The requantiser takes `hw.shape.requantiser.ROW_CYCLES` per row. The layer takes the ideal number of cycles if a row
    group has at least as many words as that, per row; `hw.shape.cycles` predicts the cycles of any shape.

    Memory: the engine's and the requantiser's, twice the input vector, h and v in four banks, h twice and z by unit.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.engine, m.submodules.requantiser = engine, requantiser = self.engine, self.requantiser
        m.submodules.repack = repack = Repack(self.spec.repack)
        x = self._input(m)
        self._load(m)
        state = GruState(m, self.layer, self.spec)
        add_sequence(m, self.spec, x, state, engine)
        wiring.connect(m, engine.o, requantiser.i)
        update = add_gru_update(m, self.spec, state, requantiser.o, repack.i, self.o)
        state.write(m, repack.o)
        m.d.comb += [
            self.probe.valid.eq(update.taken),
            self.probe.vector.eq(update.vector),
            self.probe.data.eq(update.entry),
            self.probe.h.eq(update.new),
            self.probe.busy.eq(x.full),
            self.probe.released.eq(x.release),
        ]
        return m
