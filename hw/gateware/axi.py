"""AXI4-Stream on both sides of a core, registers over Wishbone: what all cores share, and the network's core."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Member, Out

from hw.gateware.denoiser import Denoiser
from hw.gateware.network import Network
from hw.shape.words import used_lanes, words
from model.errors import BadInput

__all__ = ["IDENTITY", "MAGIC", "AxiNetwork", "AxiStream", "Register", "octets"]


@dataclass(frozen=True)
class Register:
    """One 32-bit word of the register map."""

    name: str
    meaning: str


IDENTITY = (
    Register("magic", 'the letters "BGRU", B in the lowest byte'),
    Register("version", "of this map: 1 for features and masks, 2 for samples"),
    Register("identity_low", "bytes 0 to 3 of the bundle's identity, byte 0 lowest"),
    Register("identity_high", "bytes 4 to 7"),
)
"""The registers that every core begins with."""

MAGIC = int.from_bytes(b"BGRU", "little")
STATUS = 6
"""The register that a write to clears."""
IN_FLIGHT_BITS = 16
"""Bits to count the frames that a network holds at once, and more."""


def octets(bits: int) -> int:
    """Bits rounded up to whole bytes, as AXI4-Stream requires of `tdata`."""
    return 8 * words(bits, 8)


class AxiStream(wiring.Component):
    """A core behind AXI4-Stream, with identity, status and counters behind Wishbone (B4 classic, 32 bits).

    There is no combinational path from an input to an output, and `m_axis_tvalid` never waits for `m_axis_tready`. A
    read or write takes two cycles. There is no `dat_i`: only `status` can be written, and the value does not matter.

    Members
    -------
    s_axis_tdata, _tvalid, _tready, _tlast : the stream in; m_axis_* : the stream out
    s_axis_<layer>_tdata, _tvalid, _tready : weights of a layer without a weight ROM, each memory word in `octets` bits.
        A loaded layer takes them once after reset, a streamed one again for every frame
    wb_* : the registers; `wb_adr_i` counts words

    Parameters
    ----------
    core : a network, or the denoiser around one
    in_width, out_width : bits of `tdata`
    more : further members
    """

    registers: ClassVar[tuple[Register, ...]]
    """The map: register n is at byte address 4 n. Its first four and `status` are the same for all cores."""
    version: ClassVar[int]
    """Of the map."""

    def __init__(self, core: Network | Denoiser, in_width: int, out_width: int, more: Mapping[str, Member]) -> None:
        self.core = core
        self.network = core if isinstance(core, Network) else core.network
        self.loads = [name for name in self.network.layers if self.network.layers[name].folding.weights != "rom"]
        members = {
            "s_axis_tdata": In(in_width),
            "s_axis_tvalid": In(1),
            "s_axis_tready": Out(1),
            "s_axis_tlast": In(1),
            "m_axis_tdata": Out(out_width),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
            "m_axis_tlast": Out(1),
            **more,
            "wb_cyc_i": In(1),
            "wb_stb_i": In(1),
            "wb_we_i": In(1),
            "wb_adr_i": In(range(len(self.registers))),
            "wb_dat_o": Out(32),
            "wb_ack_o": Out(1),
        }
        for name in self.loads:
            members[f"s_axis_{name}_tdata"] = In(octets(self.network.layers[name].engine.matrix.weight_width))
            members[f"s_axis_{name}_tvalid"] = In(1)
            members[f"s_axis_{name}_tready"] = Out(1)
        super().__init__(members)

    @property
    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Sizes of the two streams' packets and words, for headers."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = self.core
        loading, cleared = self._weights(m), Signal()
        identity = self.network.bundle.identity
        values: dict[str, Value | int] = {
            "magic": MAGIC,
            "version": self.version,
            "identity_low": int.from_bytes(identity[:4], "little"),
            "identity_high": int.from_bytes(identity[4:], "little"),
            **self._streams(m, loading, cleared),
        }
        asked = self.wb_cyc_i & self.wb_stb_i & ~self.wb_ack_o
        m.d.comb += cleared.eq(asked & self.wb_we_i & (self.wb_adr_i == STATUS))
        with m.Switch(self.wb_adr_i):
            for address, register in enumerate(self.registers):
                with m.Case(address):
                    m.d.sync += self.wb_dat_o.eq(values[register.name])
            with m.Default():
                m.d.sync += self.wb_dat_o.eq(0)
        m.d.sync += self.wb_ack_o.eq(asked)
        return m

    @abstractmethod
    def _streams(self, m: Module, loading: Value, cleared: Value) -> dict[str, Value | int]:
        """Connect the core to both streams; return the values of its registers, from the fifth on.

        loading : a layer still waits for its weights; cleared : pulse, `status` is written
        """

    def _weights(self, m: Module) -> Value:
        """Whether a layer still waits for weights to be loaded."""
        loading: Value = Const(0)
        for name in self.loads:
            load = getattr(self.core, f"load_{name}")
            data, valid, ready = (getattr(self, f"s_axis_{name}_{part}") for part in ("tdata", "tvalid", "tready"))
            if self.network.layers[name].folding.weights == "loaded":
                m.d.comb += [load.payload.eq(data), load.valid.eq(valid), ready.eq(load.ready)]
                loading |= load.ready
            else:
                # A streamed layer's ready depends on valid; AXI forbids that in the same cycle.
                m.submodules[f"queue_{name}"] = queue = SyncFIFO(width=len(load.payload), depth=2)
                m.d.comb += [
                    queue.w_data.eq(data),
                    queue.w_en.eq(valid),
                    ready.eq(queue.w_rdy),
                    load.payload.eq(queue.r_data),
                    load.valid.eq(queue.r_rdy),
                    queue.r_en.eq(load.ready),
                ]
        return loading

    @staticmethod
    def count(m: Module, name: str, event: Value) -> Signal:
        """A counter of cycles with an event, modulo 2^32."""
        counter = Signal(32, name=name)
        with m.If(event):
            m.d.sync += counter.eq(counter + 1)
        return counter


class AxiNetwork(AxiStream):
    """The network's core: an input packet is a frame of features, an output packet its mask.

    Every frame, whatever its length, gives exactly one mask, so both sides stay in step. If tlast comes late, the
    words after the features are dropped; if it comes early, zeros complete the frame. Both count as framing errors.

    Features and masks pass without a cycle of delay: latency and throughput are the network's.
    A frame is timed if no other is being timed when its first word comes; then `latency` is its own, however many
    frames are in the network.
    Cost: 395 LUT4 and 257 FF on top of the network, on ECP5 and on iCE40 (`tiny`, 32 bits), mostly the counters, and
    the queue of a streamed layer. No memory.

    Members
    -------
    s_axis_* : features, words of the network's `in_width`. `tuser` with a frame's first word: an utterance begins, as
        it does with the first frame after reset. Bits after the features are ignored.
    m_axis_* : masks, words of `out_width`. `tkeep` is short in the last word if some of its bytes are not part of the
        mask. `tuser` is 1 in every word of a mask whose frame began an utterance, and 0 from reset to the first mask.
    """

    registers = (
        *IDENTITY,
        Register("features", "bits per frame"),
        Register("bins", "bits per mask"),
        Register("status", "bit 0: busy; bit 1: a framing error since the last write here; bit 2: weights are missing"),
        Register("frames", "complete frames taken"),
        Register("masks", "complete masks sent"),
        Register("errors", "framing errors: frames whose tlast came early or late"),
        Register("stalled", "cycles in which a mask word waited for m_axis_tready"),
        Register("latency", "cycles from first word in to last word out, of the last frame that was timed"),
    )
    version = 1

    def __init__(self, network: Network) -> None:
        for what, width in (("in_width", network.in_width), ("out_width", network.out_width)):
            if width % 8:
                raise BadInput(f"{what}: expected a multiple of 8 bits for AXI4-Stream, got {width}")
        more = {"s_axis_tuser": In(1), "m_axis_tkeep": Out(network.out_width // 8), "m_axis_tuser": Out(1)}
        super().__init__(network, network.in_width, network.out_width, more)

    @property
    def sizes(self) -> dict[str, int]:
        """Words of a frame and of a mask, and bits of a word."""
        network = self.network
        return {
            "FRAME_WORDS": words(network.spec.frame_bits, network.in_width),
            "MASK_WORDS": words(network.spec.mask_bits, network.out_width),
            "IN_WIDTH": network.in_width,
            "OUT_WIDTH": network.out_width,
        }

    def _streams(self, m: Module, loading: Value, cleared: Value) -> dict[str, Value | int]:
        entering, entered, error = self._features(m)
        left = self._masks(m)
        return self._counters(m, entering, entered, left, error, loading, cleared)

    def _features(self, m: Module) -> tuple[Value, Value, Value]:
        """Pulses: a frame's first word enters the network, its last word does, a framing error."""
        i = self.network.i
        count = words(self.network.spec.frame_bits, self.network.in_width)
        index = Signal(range(count))
        first, last = index == 0, index == count - 1
        # Surplus words of a long frame are dropped up to its tlast; a short frame is padded.
        dropping, filling, start = Signal(), Signal(), Signal()
        moving, fresh = Signal(), Signal(init=1)
        m.d.comb += [
            i.valid.eq(filling | (self.s_axis_tvalid & ~dropping)),
            i.payload.data.eq(Mux(filling, 0, self.s_axis_tdata)),
            i.payload.start.eq(Mux(first, self.s_axis_tuser | fresh, start)),
            self.s_axis_tready.eq(~filling & (dropping | i.ready)),
            moving.eq(i.valid & i.ready),
        ]
        early, late = moving & ~filling & self.s_axis_tlast & ~last, moving & ~filling & ~self.s_axis_tlast & last
        with m.If(moving):
            m.d.sync += [index.eq(Mux(last, 0, index + 1)), start.eq(i.payload.start), fresh.eq(0)]
        with m.If(early):
            m.d.sync += filling.eq(1)
        with m.Elif(moving & last):
            m.d.sync += filling.eq(0)
        with m.If(late):
            m.d.sync += dropping.eq(1)
        with m.Elif(self.s_axis_tvalid & self.s_axis_tlast):
            m.d.sync += dropping.eq(0)
        return moving & first, moving & last, early | late

    def _masks(self, m: Module) -> Value:
        """Pulse: a mask's last word leaves."""
        o, bits = self.network.o, self.network.spec.mask_bits
        count = words(bits, self.network.out_width)
        index = Signal(range(count))
        last_bits = used_lanes(bits, self.network.out_width).bit_length()
        m.d.comb += [
            self.m_axis_tdata.eq(o.payload.data),
            self.m_axis_tuser.eq(o.payload.start & o.valid),
            self.m_axis_tvalid.eq(o.valid),
            o.ready.eq(self.m_axis_tready),
            self.m_axis_tlast.eq(index == count - 1),
            self.m_axis_tkeep.eq(Mux(self.m_axis_tlast, (1 << words(last_bits, 8)) - 1, -1)),
        ]
        with m.If(o.valid & o.ready):
            m.d.sync += index.eq(Mux(self.m_axis_tlast, 0, index + 1))
        return o.valid & o.ready & self.m_axis_tlast

    def _counters(
        self, m: Module, entering: Value, entered: Value, left: Value, error: Value, loading: Value, cleared: Value
    ) -> dict[str, Value | int]:
        """The registers' values, from those pulses."""
        frames, masks, errors = (
            self.count(m, name, event) for name, event in (("frames", entered), ("masks", left), ("errors", error))
        )
        stalled = self.count(m, "stalled", self.m_axis_tvalid & ~self.m_axis_tready)

        # The number of frames that entered before this one is the number of masks that leave before its own.
        timing, timed, elapsed = Signal(), Signal(IN_FLIGHT_BITS), Signal(32)
        latency = Signal(32)
        m.d.sync += elapsed.eq(elapsed + 1)
        with m.If(entering & ~timing):
            m.d.sync += [timing.eq(1), timed.eq(frames), elapsed.eq(1)]
        with m.If(timing & left & (masks[:IN_FLIGHT_BITS] == timed)):
            m.d.sync += [timing.eq(0), latency.eq(elapsed)]

        # The counters don't show a frame between its first word and its last.
        between, erred = Signal(), Signal()
        with m.If(entering | entered):
            m.d.sync += between.eq(~entered)
        with m.If(error):
            m.d.sync += erred.eq(1)
        with m.Elif(cleared):
            m.d.sync += erred.eq(0)
        return {
            "features": self.network.spec.frame_bits,
            "bins": self.network.spec.mask_bits,
            "status": Cat(between | (frames != masks), erred, loading),
            "frames": frames,
            "masks": masks,
            "errors": errors,
            "stalled": stalled,
            "latency": latency,
        }
