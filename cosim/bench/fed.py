"""A denoiser with its weights preloaded, for simulation: replaces the flash loader of a board."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from cosim.chips.sdram import StreamedWeights
from hw.gateware.denoiser import Denoiser

__all__ = ["Fed"]


class Fed(wiring.Component):
    """A denoiser whose loaded weights come from a memory, a word every two cycles; samples wait until then.

    weights : those of its streamed layers

    Members: those of `Denoiser`, without the weight streams.
    """

    def __init__(self, denoiser: Denoiser, weights: StreamedWeights | None = None) -> None:
        self.denoiser, self.weights = denoiser, weights
        members = denoiser.signature.members
        super().__init__({name: members[name] for name in members if name not in denoiser.loads})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.denoiser = denoiser = self.denoiser
        streamed = self.weights.signature.members if self.weights else {}
        there = [self._load(m, name) for name in denoiser.loads if name not in streamed]
        if self.weights is not None:
            m.submodules.weights = weights = self.weights
            there.append(weights.ready)
            for name in denoiser.loads:
                if name in streamed:
                    wiring.connect(m, getattr(weights, name), getattr(denoiser, name))
        ready = Cat(*there).all()
        wiring.connect(m, denoiser.o, wiring.flipped(self.o))
        m.d.comb += [
            denoiser.bypass.eq(self.bypass),
            self.feature.eq(denoiser.feature),
            self.mask.eq(denoiser.mask),
            denoiser.i.payload.eq(self.i.payload),
            denoiser.i.valid.eq(self.i.valid & ready),
            self.i.ready.eq(denoiser.i.ready & ready),
        ]
        return m

    def _load(self, m: Module, name: str) -> Signal:
        """Stream a layer's weights in; 1 when that is done."""
        matrix = self.denoiser.network.layers[name.removeprefix("load_")].engine.matrix
        words, port = matrix.weight_words, getattr(self.denoiser, name)
        m.submodules[f"memory_of_{name}"] = memory = Memory(shape=matrix.weight_width, depth=len(words), init=words)
        read = memory.read_port()
        place, there = Signal(range(len(words) + 1)), Signal()
        done = Signal()
        m.d.comb += [
            done.eq(place == len(words)),
            read.addr.eq(place),
            port.payload.eq(read.data),
            port.valid.eq(there & ~done),
        ]
        m.d.sync += there.eq(~there | (port.valid & ~port.ready))
        with m.If(port.valid & port.ready):
            m.d.sync += place.eq(place + 1)
        return done
