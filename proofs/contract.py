"""The stream contract: an offer stays until it is taken, and transfers never stall for ever."""

from typing import Any

from amaranth.hdl import Mux, Signal, Value, ValueLike

from proofs.harness import Harness

__all__ = ["Counted", "Remembered", "bit_at", "counter", "held", "moved", "stuck"]


def moved(stream: Any) -> Value:
    """A word goes over in this cycle."""
    return stream.valid & stream.ready


def held(h: Harness, stream: Any) -> Value:
    """What was offered and not taken in the cycle before is still offered, and the same.

    An assumption about the environment's streams, an assertion about the component's.
    """
    payload = Value.cast(stream.payload)
    waiting = h.past(stream.valid & ~stream.ready)
    return ~waiting | (stream.valid & (payload == h.past(payload)))


def counter(h: Harness, step: ValueLike, count: int, name: str) -> Signal:
    """Counts steps from 0, modulo `count`."""
    value = Signal(range(count), name=name)
    with h.m.If(step):
        h.m.d.sync += value.eq(0)
        with h.m.If(value != count - 1):
            h.m.d.sync += value.eq(value + 1)
    return value


def bit_at(word: ValueLike, place: Value) -> Value:
    """One bit of a word, at a place that is known not to be negative."""
    return Value.cast(word).bit_select(place.as_unsigned(), 1)


class Remembered:
    """A value as it was when `when` was last true.

    was : before this cycle; now : with this cycle's
    """

    def __init__(self, h: Harness, when: ValueLike, value: ValueLike) -> None:
        value = Value.cast(value)
        self.was, self.now = Signal(value.shape(), name="was"), Signal(value.shape(), name="now")
        h.m.d.comb += self.now.eq(Mux(when, value, self.was))
        h.m.d.sync += self.was.eq(self.now)


class Counted:
    """The words of one end of a stream of vectors, counted by the harness.

    index : of the next word in its vector
    vector : of the next word, modulo `VECTORS`, which is more than are ever under way at once
    """

    VECTORS = 4

    def __init__(self, h: Harness, stream: Any, words: int, name: str) -> None:
        self.moved = moved(stream)
        self.index = counter(h, self.moved, words, f"{name}_index")
        self.last = self.index == words - 1
        self.vector = counter(h, self.moved & self.last, self.VECTORS, f"{name}_vector")


def stuck(h: Harness, willing: ValueLike, progress: ValueLike, bound: int) -> Signal:
    """Cycles in which both ends were willing since something last moved, asserted to be at most `bound`.

    Pauses of either end do not count and do not start it again, so fair ends, however slow, meet no deadlock.
    """
    cycles = Signal(range(bound + 2), name="stuck")
    with h.m.If(progress):
        h.m.d.sync += cycles.eq(0)
    with h.m.Elif(willing & (cycles <= bound)):
        h.m.d.sync += cycles.eq(cycles + 1)
    h.check(cycles <= bound)
    return cycles
