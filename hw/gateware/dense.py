"""The dense layer: y = step(V x - t)."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring

from hw.gateware.engine import Engine
from hw.gateware.input_buffer import InputBuffer
from hw.gateware.layers import LayerComponent
from hw.gateware.popcount import delayed
from hw.shape.layer_spec import LayerSpec

__all__ = ["DenseLayer", "add_rows"]


class DenseLayer(LayerComponent):
    """One matrix, one bias per row; frames follow each other without a gap.

    Cycles per frame: `spec.ideal`, exactly groups x words. Latency: that plus `spec.engine.latency + 1`.
    Memory: the engine's, plus twice the input vector.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.engine = engine = self.engine
        x = self._input(m)
        wiring.connect(m, engine.o, wiring.flipped(self.o))
        self._load(m)

        add_rows(m, self.spec, x, engine)
        m.d.comb += engine.x[0].eq(delayed(m, x.data, 2))
        m.d.comb += [
            self.probe.valid.eq(engine.o.valid & engine.o.ready),
            self.probe.data.eq(engine.o.payload.data),
            self.probe.busy.eq(x.full),
            self.probe.released.eq(x.release),
        ]
        return m


def add_rows(m: Module, spec: LayerSpec, x: InputBuffer, engine: Engine) -> Signal:
    """Read x once for each row group and offer its words to the engine; returns whether the last one is offered.

    The operand of the word that is offered leaves the buffer a cycle later.
    """
    words, groups = spec.words, spec.groups
    word, group = Signal(range(words)), Signal(range(groups))
    last_word, last_group = word == words - 1, group == groups - 1
    # A word read from x this cycle is offered to the engine in the next.
    reading, offered, offered_last = Signal(), Signal(), Signal()
    step = ~offered | engine.i.ready
    m.d.comb += [
        reading.eq(x.full & step),
        x.address.eq(word),
        x.enable.eq(step),
        x.release.eq(reading & last_word & last_group),
        engine.i.valid.eq(offered),
        engine.i.payload.last.eq(offered_last),
    ]
    with m.If(step):
        m.d.sync += [
            offered.eq(x.full),
            offered_last.eq(last_word),
            engine.i.payload.first.eq(word == 0),
            engine.i.payload.start.eq(x.start),
        ]
    with m.If(reading):
        m.d.sync += word.eq(Mux(last_word, 0, word + 1))
        with m.If(last_word):
            m.d.sync += group.eq(Mux(last_group, 0, group + 1))
    return offered_last
