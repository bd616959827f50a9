"""The slow gain's energy: the sum over the frames that the gain remembers."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

__all__ = ["Energy"]


class Energy(wiring.Component):
    """S, which forgets `(S + frames - 1) >> log2(frames)` of itself, bit-serially.

    Latency: `width + 1` cycles to forget, or to show all bits in turn. Cost: about 1.2 LUT4 a bit.

    Members
    -------
    clear : In(1), S is 0
    load : In(1), it is `value`
    forget : In(1), begin to forget; show : In(1), begin to show; only while not `busy`
    busy : Out(1), `bit` is the next of S, lowest first (of the new S, where it forgets)
    value : In(width); energy : Out(width), S, while not `busy`
    """

    def __init__(self, width: int, frames: int) -> None:
        self.width, self.shift = width, exact_log2(frames)
        super().__init__(
            {
                "clear": In(1),
                "load": In(1),
                "forget": In(1),
                "show": In(1),
                "busy": Out(1),
                "bit": Out(1),
                "value": In(width),
                "energy": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        s, left = self.energy, Signal(range(self.width + 1))
        forgetting, carry = Signal(), Signal()
        # S + ~(S >> shift) + 1, less one where the shift loses a one.
        share = ~(s[self.shift] & (left > self.shift)) & forgetting
        m.d.comb += [self.busy.eq(left != 0), self.bit.eq(s[0] ^ share ^ carry)]
        with m.If(self.busy):
            m.d.sync += [left.eq(left - 1), s.eq(Cat(s[1:], self.bit)), carry.eq((s[0] + share + carry)[1])]
        with m.Elif(self.forget | self.show):
            m.d.sync += [left.eq(self.width), forgetting.eq(self.forget)]
            m.d.sync += carry.eq(Mux(self.forget, ~s[: self.shift].any(), 0))
        with m.If(self.load):
            m.d.sync += s.eq(self.value)
        with m.If(self.clear):
            m.d.sync += s.eq(0)
        return m
