"""The bitwise GRU layer (Kim, Maity and Kim, ICASSP 2019, eq. 4)."""

from amaranth.hdl import Module

from hw.gateware.bgru_sequence import add_sequence
from hw.gateware.bgru_state import State
from hw.gateware.bgru_update import add_update
from hw.gateware.layers import LayerComponent
from hw.gateware.repack import Repack

__all__ = ["BGRULayer"]


class BGRULayer(LayerComponent):
    """Six matrices on one MVU, in two passes over the rows, with the state in two small memories.

    Pass 1 (gates):     r and then z, row group by row group: words of x against W, then words of h against U.
    Pass 2 (candidate): h~, row group by row group: words of x against Wh, then words of r * h against Uh; each
                        result meets its z and its old h and becomes the new h.

    The passes follow each other without a gap, frame after frame. Only two dependencies can wait: words of r * h need
    the last r, and words of h need the last h of the previous frame. The words of x come first in a row group and
    usually cover the wait. Then the layer takes exactly the ideal `3 * groups * words` cycles;
    `hw.shape.cycles` predicts the cycles of any shape.

    The state is stored twice: as `pe`-bit chunks, for `h = z ? h : h~`, and as `simd`-bit words, for U h. The words are
    in two banks, because the old h is still read while the new one is written. Both memories also hold the initial
    state, which replaces the old h in an utterance's first frame (and in the first after reset), so a restart costs no
    cycle.

    Memory: the engine's, twice the input vector, h five times, r and z once.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.engine = engine = self.engine
        m.submodules.repack = repack = Repack(self.spec.repack)
        x = self._input(m)
        self._load(m)
        state = State(m, self.layer, self.spec)
        add_sequence(m, self.spec, x, state, engine)
        update = add_update(m, self.spec, state, engine.o, repack.i, self.o)
        state.write(m, repack.o)
        m.d.comb += [
            self.probe.valid.eq(update.taken),
            self.probe.vector.eq(update.vector),
            self.probe.data.eq(engine.o.payload.data),
            self.probe.h.eq(update.new),
            self.probe.busy.eq(x.full),
            self.probe.released.eq(x.release),
        ]
        return m
