"""The flash loader: wrong weights are never reported as done, whatever the chip sends."""

from functools import partial

from amaranth.hdl import Const, Mux, Signal, Value

from boards.gateware.flash import FlashLoader
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]

IDENTITY = bytes([0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE, 0xF0])


def loader(words: int, width: int) -> str:
    """The bytes that the loader reads, checked against the image's format: identity, words, CRC.

    The harness has its own byte count. The CRC's arithmetic is the library's.
    """
    h = Harness()
    dut = h.component(FlashLoader(words, width, IDENTITY, 0, 100_000))
    inner = h.inside(dut, FlashLoader.elaborate)
    received, byte, place = inner.received, inner.byte, inner.place
    size, body = dut.size, 8 + words * dut.word_bytes

    index, wrong = Signal(range(size + 1), name="index"), Signal()
    h.check(index <= size)
    # A byte comes only while the image is not complete, and never in two cycles in a row.
    with h.m.If(received & (index != size)):
        h.m.d.sync += index.eq(index + 1)
    for at, value in enumerate(IDENTITY):
        with h.m.If(received & (index == at) & (byte != value)):
            h.m.d.sync += wrong.eq(1)

    state = h.signal(dut, "fsm_state")
    h.check(state <= 3)
    h.check((state == 0) == (index < 8))
    h.check((state == 1) == ((index >= 8) & (index < body)))
    h.check((state == 2) == ((index >= body) & (index < size)))
    h.check((state != 0) | (place == index))
    h.check((state != 2) | (place == index - body))
    into, words_left = (index - 8).as_unsigned(), (body - 1 - index).as_unsigned()
    at_word = (place == into % dut.word_bytes) & (inner.left == words_left // dut.word_bytes)
    h.check((state != 1) | at_word)
    h.check(inner.stranger == wrong)
    h.check(~h.past(received) | ~received)
    settled = h.begun & h.past(h.begun) & ~h.past(received) & ~h.past(h.past(received))
    h.check((state != 0) | ~settled | (inner.expected == _identity(place)))

    h.check(~(dut.done & dut.failed))
    h.check(~(dut.done | dut.failed) | (index == size))
    h.check(~dut.done | (~wrong & inner.crc.match_detected))
    h.check(~h.begun | ~h.past(dut.failed) | dut.failed)
    return h.rtlil()


def _identity(place: Value) -> Value:
    value: Value = Const(IDENTITY[0], 8)
    for at in range(1, 8):
        value = Mux(place == at, IDENTITY[at], value)
    return value


PROOFS = (
    Proof(
        "flash-loader",
        "Done only where all bytes of the identity are the expected ones and the CRC register is at its residue, and "
        "only after the whole image; never done and failed at once; failed stays (an image of two words of 12 bits).",
        "boards/gateware/flash.py",
        partial(loader, 2, 12),
        "induction",
        3,
        (Mutant(FlashLoader.elaborate, "stranger | (byte != expected)", "byte != expected"),),
        reach=150,
    ),
)
