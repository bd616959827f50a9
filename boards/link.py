"""The byte protocol between a host and the network on a board.

| host to board | meaning |
|---|---|
| `S` + frame | the first frame of an utterance: start from the initial state |
| `F` + frame | the next frame |
| `W` + weights | the weights of the loaded layer, once after power-up; only where there is one |

A frame is ceil(features / 8) bytes, feature 0 in bit 0 of the first; the answer to each frame is ceil(bins / 8)
bytes, bin 0 in bit 0 of the first. Weights are the layer's memory words in order, each in ceil(width / 8) bytes,
lowest byte first; sent again, they are ignored. Any other byte where a command is expected is ignored, so a host that
lost its place sends a frame's worth of zeros.
"""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.network import Network
from hw.repack import Repack
from hw.streams import words

__all__ = ["HostLink"]

FRAME, START, WEIGHTS = ord("F"), ord("S"), ord("W")


class HostLink(wiring.Component):
    """A network (8 bits wide at both ends) behind two byte streams.

    Throughput: one byte per cycle. Cost: about 40 LUT4, and a shift register of one weight word if there is a
    layer to load.

    Members
    -------
    i : In(stream of 8 bits), from the host; o : Out(stream of 8 bits), to the host
    """

    def __init__(self, network: Network) -> None:
        assert network.in_width == network.out_width == 8
        self.network = network
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.network = network = self.network
        frame_bytes = words(network.bundle.layers[0].inputs, 8)
        loaded = [name for name in network.layers if hasattr(network, f"load_{name}")]
        load_bytes = 0
        if loaded:
            (name,) = loaded
            matrix = network.layers[name].engine.matrix
            word_bytes = words(matrix.weight_width, 8)
            load_bytes = len(matrix.weight_words) * word_bytes
            m.submodules.joined = joined = Repack(8 * word_bytes, 8, 8 * word_bytes)
            port = getattr(network, f"load_{name}")
            m.d.comb += [
                joined.i.payload.data.eq(self.i.payload),
                port.payload.eq(joined.o.payload.data),
                port.valid.eq(joined.o.valid),
                joined.o.ready.eq(1),  # the memory takes a word a cycle, and drops what comes when it is full
            ]

        left = Signal(range(max(frame_bytes, load_bytes) + 1))
        loading, start = Signal(), Signal()
        m.d.comb += [
            network.i.payload.data.eq(self.i.payload),
            network.i.payload.start.eq(start),
            self.o.payload.eq(network.o.payload.data),
            self.o.valid.eq(network.o.valid),
            network.o.ready.eq(self.o.ready),
        ]
        with m.If(left == 0):
            m.d.comb += self.i.ready.eq(1)
            is_weights = (self.i.payload == WEIGHTS) & Const(bool(loaded), 1)
            is_frame = (self.i.payload == FRAME) | (self.i.payload == START)
            with m.If(self.i.valid & (is_weights | is_frame)):
                m.d.sync += [
                    left.eq(Mux(is_weights, load_bytes, frame_bytes)),
                    loading.eq(is_weights),
                    start.eq(self.i.payload == START),
                ]
        with m.Else():
            if loaded:
                with m.If(loading):
                    m.d.comb += [joined.i.valid.eq(self.i.valid), self.i.ready.eq(joined.i.ready)]
            with m.If(~loading):
                m.d.comb += [network.i.valid.eq(self.i.valid), self.i.ready.eq(network.i.ready)]
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += left.eq(left - 1)
        return m
