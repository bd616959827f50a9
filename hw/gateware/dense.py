"""The dense layer: y = step(V x - t)."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring

from hw.gateware.arithmetic import select
from hw.gateware.engine import Engine
from hw.gateware.input_buffer import OperandBuffer
from hw.gateware.layers import Folding, folded, ports
from hw.gateware.popcount import delayed
from hw.shape.family import Family
from model.bundle.bundle import Layer

__all__ = ["DenseLayer"]


class DenseLayer(wiring.Component):
    """One matrix, one bias per row; frames follow one another without a gap.

    Cycles per frame: `ideal`, exactly groups x words. Latency: that plus `engine.latency + 1`.
    Memory: the engine's, and twice the input vector.

    Members
    -------
    i : In(stream of Word(simd)); o : Out(stream of Word(pe)); probe : Out(Probe)
    load : In(stream of weight words), unless they are in a ROM
    """

    def __init__(self, layer: Layer, folding: Folding, family: Family) -> None:
        self.layer, self.folding = layer, folding
        weights = layer.w.values()
        matrix = folded(select(layer.binary), folding, [weights[None]], layer.threshold[None], dynamic=False)
        self.groups, self.words = matrix.groups, matrix.words
        self.ideal = self.groups * self.words
        self.engine = Engine(matrix, family, folding.weights)
        super().__init__(ports(folding, self.engine))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.engine = engine = self.engine
        m.submodules.x = x = OperandBuffer(
            self.layer.inputs, self.folding.simd, clean=not engine.matrix.arithmetic.has_zero
        )
        wiring.connect(m, wiring.flipped(self.i), x.i)
        wiring.connect(m, engine.o, wiring.flipped(self.o))
        if "load" in self.signature.members:
            wiring.connect(m, wiring.flipped(self.load), engine.load)

        word, group = Signal(range(self.words)), Signal(range(self.groups))
        last_word, last_group = word == self.words - 1, group == self.groups - 1
        # A word read from x this cycle is offered to the engine in the next.
        reading, offered = Signal(), Signal()
        step = ~offered | engine.i.ready
        m.d.comb += [
            reading.eq(x.full & step),
            x.address.eq(word),
            x.enable.eq(step),
            x.release.eq(reading & last_word & last_group),
            engine.i.valid.eq(offered),
            engine.x[0].eq(delayed(m, x.data, 2)),
        ]
        with m.If(step):
            m.d.sync += [
                offered.eq(x.full),
                engine.i.payload.first.eq(word == 0),
                engine.i.payload.last.eq(last_word),
                engine.i.payload.start.eq(x.start),
            ]
        with m.If(reading):
            m.d.sync += word.eq(Mux(last_word, 0, word + 1))
            with m.If(last_word):
                m.d.sync += group.eq(Mux(last_group, 0, group + 1))

        m.d.comb += [
            self.probe.valid.eq(engine.o.valid & engine.o.ready),
            self.probe.data.eq(engine.o.payload.data),
            self.probe.busy.eq(x.full),
            self.probe.released.eq(x.release),
        ]
        return m
