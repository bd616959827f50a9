"""The network for other systems: AXI4-Stream on both sides, registers over Wishbone."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from hw.gateware.network import Network
from hw.shape.words import used_lanes, words
from model.errors import BadInput

__all__ = ["REGISTERS", "AxiNetwork", "Register", "octets"]


@dataclass(frozen=True)
class Register:
    """One 32-bit word of the register map."""

    name: str
    meaning: str


REGISTERS = (
    Register("magic", 'the letters "BGRU", B in the lowest byte'),
    Register("version", "of this map: 1"),
    Register("identity_low", "bytes 0 to 3 of the bundle's identity, byte 0 lowest"),
    Register("identity_high", "bytes 4 to 7"),
    Register("features", "bits of a frame"),
    Register("bins", "bits of a mask"),
    Register(
        "status", "bit 0: busy; bit 1: a framing error since a write to this register; bit 2: weights are missing"
    ),
    Register("frames", "frames taken in whole"),
    Register("masks", "masks given out whole"),
    Register("errors", "framing errors: frames whose tlast came early or late"),
    Register("stalled", "cycles in which a mask word waited for m_axis_tready"),
    Register("latency", "cycles from first word in to last word out, of the last frame that was timed"),
)
"""The map: register n is at byte address 4 n. All are read only; the last five count modulo 2^32 from reset."""

MAGIC = int.from_bytes(b"BGRU", "little")
VERSION = 1
STATUS = [register.name for register in REGISTERS].index("status")
IN_FLIGHT_BITS = 16
"""Bits to count the frames that a network holds at once, and more."""


def octets(bits: int) -> int:
    """Bits rounded up to whole bytes, as AXI4-Stream wants `tdata`."""
    return 8 * words(bits, 8)


class AxiNetwork(wiring.Component):
    """A network behind AXI4-Stream, with identity, status and counters behind Wishbone (B4 classic, 32 bits).

    Every frame, whatever its length, gives exactly one mask, so neither side loses its place. If tlast comes late, the
    words after the features are dropped; if it comes early, zeros complete the frame. Both count as framing errors.

    No output depends on an input within a cycle, and `m_axis_tvalid` waits for nobody. Features and masks go
    through without a cycle of delay, so latency and throughput are the network's.
    A frame is timed if no other is being timed when its first word comes; then `latency` is its own, however many
    frames are in the network. A read or write takes two cycles; there is no `dat_i`, for the only write is one to
    `status`, and any value clears its bit 1.
    Cost: 395 LUT4 and 257 FF on top of the network's, on ECP5 as on iCE40 (`tiny`, 32 bits), mostly the counters; a
    streamed layer's queue comes on top. No memory.

    Members
    -------
    s_axis_* : features, words of the network's `in_width`. `tuser` with a frame's first word: an utterance begins.
        Bits after the features are ignored.
    m_axis_* : masks, words of `out_width`. `tkeep` is short in the last word if some of its bytes are not part of the
        mask. `tuser` repeats that of the frame's first word.
    s_axis_<layer>_tdata, _tvalid, _tready : weights of a layer that has none in a ROM, each word of its memory in
        `octets` bits; a loaded layer takes them once after reset, a streamed one again for every frame
    wb_* : the registers; `wb_adr_i` counts words
    """

    def __init__(self, network: Network) -> None:
        for what, width in (("in_width", network.in_width), ("out_width", network.out_width)):
            if width % 8:
                raise BadInput(f"{what}: expected a multiple of 8 bits for AXI4-Stream, got {width}")
        self.network = network
        self.loads = [name for name in network.layers if network.layers[name].folding.weights != "rom"]
        members = {
            "s_axis_tdata": In(network.in_width),
            "s_axis_tvalid": In(1),
            "s_axis_tready": Out(1),
            "s_axis_tlast": In(1),
            "s_axis_tuser": In(1),
            "m_axis_tdata": Out(network.out_width),
            "m_axis_tkeep": Out(network.out_width // 8),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
            "m_axis_tlast": Out(1),
            "m_axis_tuser": Out(1),
            "wb_cyc_i": In(1),
            "wb_stb_i": In(1),
            "wb_we_i": In(1),
            "wb_adr_i": In(range(len(REGISTERS))),
            "wb_dat_o": Out(32),
            "wb_ack_o": Out(1),
        }
        for name in self.loads:
            members[f"s_axis_{name}_tdata"] = In(octets(network.layers[name].engine.matrix.weight_width))
            members[f"s_axis_{name}_tvalid"] = In(1)
            members[f"s_axis_{name}_tready"] = Out(1)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.network = self.network
        entering, entered, error = self._features(m)
        left = self._masks(m)
        loading = self._weights(m)
        self._registers(m, entering, entered, left, error, loading)
        return m

    def _features(self, m: Module) -> tuple[Value, Value, Value]:
        """Pulses: a frame's first word enters the network, its last word does, a framing error."""
        i = self.network.i
        count = words(self.network.bundle.layers[0].inputs, self.network.in_width)
        index = Signal(range(count))
        first, last = index == 0, index == count - 1
        # Words of a frame that is too long are dropped until its tlast; one that is too short is then completed.
        dropping, filling, start = Signal(), Signal(), Signal()
        moving = Signal()
        m.d.comb += [
            i.valid.eq(filling | (self.s_axis_tvalid & ~dropping)),
            i.payload.data.eq(Mux(filling, 0, self.s_axis_tdata)),
            i.payload.start.eq(Mux(first, self.s_axis_tuser, start)),
            self.s_axis_tready.eq(~filling & (dropping | i.ready)),
            moving.eq(i.valid & i.ready),
        ]
        early, late = moving & ~filling & self.s_axis_tlast & ~last, moving & ~filling & ~self.s_axis_tlast & last
        with m.If(moving):
            m.d.sync += [index.eq(Mux(last, 0, index + 1)), start.eq(i.payload.start)]
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
        o, bins = self.network.o, self.network.bundle.layers[-1].units
        count = words(bins, self.network.out_width)
        index = Signal(range(count))
        last_bits = used_lanes(bins, self.network.out_width).bit_length()
        m.d.comb += [
            self.m_axis_tdata.eq(o.payload.data),
            self.m_axis_tuser.eq(o.payload.start),
            self.m_axis_tvalid.eq(o.valid),
            o.ready.eq(self.m_axis_tready),
            self.m_axis_tlast.eq(index == count - 1),
            self.m_axis_tkeep.eq(Mux(self.m_axis_tlast, (1 << words(last_bits, 8)) - 1, -1)),
        ]
        with m.If(o.valid & o.ready):
            m.d.sync += index.eq(Mux(self.m_axis_tlast, 0, index + 1))
        return o.valid & o.ready & self.m_axis_tlast

    def _weights(self, m: Module) -> Value:
        """Whether a layer still waits for weights to be loaded."""
        loading: Value = Const(0)
        for name in self.loads:
            load = getattr(self.network, f"load_{name}")
            data, valid, ready = (getattr(self, f"s_axis_{name}_{part}") for part in ("tdata", "tvalid", "tready"))
            if self.network.layers[name].folding.weights == "loaded":
                m.d.comb += [load.payload.eq(data), load.valid.eq(valid), ready.eq(load.ready)]
                loading |= load.ready
            else:
                # A streamed layer's ready depends on valid, which AXI forbids within the cycle.
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

    def _registers(self, m: Module, entering: Value, entered: Value, left: Value, error: Value, loading: Value) -> None:
        frames, masks, errors, stalled, latency = (
            Signal(32, name=name) for name in ("frames", "masks", "errors", "stalled", "latency")
        )
        events = (
            (frames, entered),
            (masks, left),
            (errors, error),
            (stalled, self.m_axis_tvalid & ~self.m_axis_tready),
        )
        for counter, event in events:
            with m.If(event):
                m.d.sync += counter.eq(counter + 1)

        # As many frames have entered before this one as will leave before its mask does.
        timing, timed, elapsed = Signal(), Signal(IN_FLIGHT_BITS), Signal(32)
        m.d.sync += elapsed.eq(elapsed + 1)
        with m.If(entering & ~timing):
            m.d.sync += [timing.eq(1), timed.eq(frames), elapsed.eq(1)]
        with m.If(timing & left & (masks[:IN_FLIGHT_BITS] == timed)):
            m.d.sync += [timing.eq(0), latency.eq(elapsed)]

        # Between a frame's first word and its last, the counters don't show it.
        between, erred = Signal(), Signal()
        with m.If(entering | entered):
            m.d.sync += between.eq(~entered)
        asked = self.wb_cyc_i & self.wb_stb_i & ~self.wb_ack_o
        identity = self.network.bundle.identity
        values: dict[str, Value | int] = {
            "magic": MAGIC,
            "version": VERSION,
            "identity_low": int.from_bytes(identity[:4], "little"),
            "identity_high": int.from_bytes(identity[4:], "little"),
            "features": self.network.bundle.layers[0].inputs,
            "bins": self.network.bundle.layers[-1].units,
            "status": Cat(between | (frames != masks), erred, loading),
            "frames": frames,
            "masks": masks,
            "errors": errors,
            "stalled": stalled,
            "latency": latency,
        }
        with m.Switch(self.wb_adr_i):
            for address, register in enumerate(REGISTERS):
                with m.Case(address):
                    m.d.sync += self.wb_dat_o.eq(values[register.name])
            with m.Default():
                m.d.sync += self.wb_dat_o.eq(0)
        m.d.sync += self.wb_ack_o.eq(asked)
        with m.If(error):
            m.d.sync += erred.eq(1)
        with m.Elif(asked & self.wb_we_i & (self.wb_adr_i == STATUS)):
            m.d.sync += erred.eq(0)
