"""Weights from a board's SPI flash: the image, and the gateware that reads it at start (docs/flash.md).

| bytes | what |
|---|---|
| 8 | the bundle's identity |
| words x ceil(width / 8) | the loaded layer's weight words in order of use, each lowest byte first; or the \
contents of the SDRAM (`boards.gateware.sdram_layout`), words of 16 bits |
| 4 | CRC-32 (as in zlib) of everything above, lowest byte first |
"""

import zlib

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from boards.gateware.sdram_layout import parts_of, stored
from hw.gateware.memory import ram, read
from hw.gateware.network import Network
from hw.gateware.popcount import delayed
from hw.shape.words import words as pieces
from model.errors import BadInput

__all__ = [
    "READ",
    "READ_HZ",
    "RELEASE",
    "RELEASE_SECONDS",
    "SPI",
    "FlashLoader",
    "ImageByte",
    "identity_rom",
    "image",
    "loaded_layer",
]

RELEASE, READ = 0xAB, 0x03
"""Release from deep power-down; read from a 24-bit address until the chip is deselected."""

RELEASE_SECONDS = 30e-6
"""Pause after RELEASE (tRES1): W25Q128JV, the iCEBreaker's, needs 3 us, MT25QL128ABA 30 us, the slowest of those that
github.com/YosysHQ/picorv32/pull/167 compares."""

READ_HZ = 20_000_000
"""Fastest SPI clock. READ is the slowest read command, but every chip has it: 50 MHz on a W25Q, less on others."""

SPI = wiring.Signature({"cs": Out(1), "clk": Out(1), "copi": Out(1), "cipo": In(1)})
"""SPI mode 0, from the controller's side; `cs` is 1 while the chip is selected."""

IDENTITY_BYTES, CRC_BYTES = 8, 4

BYTE_CYCLES = 5
"""Cycles of a byte from elsewhere, at least: the expected identity comes from a block RAM, three cycles late."""


def loaded_layer(network: Network) -> str | None:
    """The layer whose weights are loaded into the FPGA's own RAM, if any; `BadInput` for several."""
    found = [name for name, layer in network.layers.items() if layer.folding.weights == "loaded"]
    if len(found) > 1:
        raise BadInput(f"board: expected the weights of one layer at most in its flash, got {', '.join(found)}")
    return found[0] if found else None


def image(network: Network) -> bytes:
    """The flash's contents from the board's offset on, for a network with one loaded layer or with streamed layers."""
    loaded, parts = loaded_layer(network), parts_of(network.spec)
    if loaded is not None:
        matrix = network.layers[loaded].engine.matrix
        width = pieces(matrix.weight_width, 8)
        words = b"".join(word.to_bytes(width, "little") for word in matrix.weight_words)
    elif parts:
        words = stored(network, parts)
    else:
        raise ValueError("network: expected a layer with loaded or streamed weights, got none")
    body = network.bundle.identity + words
    return body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")


def identity_rom(identity: bytes) -> list[int]:
    """The loader's block RAM: the identity of the expected image. Another identity may replace it.

    The last two bytes are never read: without them Yosys would remove a bit that is the same in all identity bytes.
    """
    return [*identity, 0x00, 0xFF]


class ImageByte(data.StructLayout):
    """A byte of an image from elsewhere; `first` with its first one."""

    def __init__(self) -> None:
        super().__init__({"data": 8, "first": 1})


class FlashLoader(wiring.Component):
    """Read the weights from flash once after reset, and check them.

    It first waits for `RELEASE_SECONDS`, because the chip may be on its way into deep power-down: an iCE40 sends it
    there after configuration. Then it wakes the chip, waits as long again, and reads the whole image. Only then does it
    set `done` or `failed`, until reset. Back-pressure on `o` stops the SPI clock.

    The pins must have no registers: data is sampled in the cycle before the clock falls, so it has a whole period of
    the SPI clock to arrive.

    Latency: `cycles`. Throughput: one bit per `2 * half` cycles.
    Cost on iCE40, for 16,272 words of 40 bits: 176 LUT4, 131 flip-flops, one block RAM; 61 MHz or more on a UP5K.

    Parameters
    ----------
    words, width : number of weight words, and their bits
    identity : the bundle's 8 bytes; in a block RAM, so another can be written into a finished bitstream
    offset : start of the image, in bytes
    clock_hz : of the `sync` domain
    read_hz : fastest SPI clock

    Members
    -------
    spi : Out(SPI), to the chip
    o : Out(stream of unsigned(width)), the weight words, not yet checked
    done : Out(1), the image is read, and identity and CRC are right
    failed : Out(1), the image is read, and identity or CRC is wrong

    Only with `twice`, where an image may come from elsewhere after the flash's has failed, as often as it fails:
    image : In(stream of ImageByte), its bytes; others are dropped. A byte takes `BYTE_CYCLES` cycles at least
    loadable : Out(1), an image may come, or is coming
    """

    def __init__(
        self,
        words: int,
        width: int,
        identity: bytes,
        offset: int,
        clock_hz: int,
        rom_style: str = "block",
        read_hz: int = READ_HZ,
        twice: bool = False,
    ) -> None:
        self.rom_style = rom_style
        self.words, self.width, self.identity, self.offset = words, width, identity, offset
        self.word_bytes = pieces(width, 8)
        self.size = IDENTITY_BYTES + words * self.word_bytes + CRC_BYTES
        assert len(identity) == IDENTITY_BYTES
        assert 0 <= offset <= (1 << 24) - self.size  # READ's address has 24 bits
        self.half = pieces(clock_hz, 2 * read_hz)
        self.pause = round(clock_hz * RELEASE_SECONDS) + 1
        self.twice = twice
        members = {"spi": Out(SPI), "o": Out(stream.Signature(width)), "done": Out(1), "failed": Out(1)}
        if twice:
            members |= {"image": In(stream.Signature(ImageByte())), "loadable": Out(1)}
        super().__init__(members)

    @property
    def cycles(self) -> int:
        """Cycles from reset to `done` or `failed`, without back-pressure on `o`."""
        return 2 * self.pause + (5 + self.size) * 8 * 2 * self.half + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        received, byte, over, elsewhere = Signal(), Signal(8), Signal(), Signal()
        restart: Value = Const(0)
        self._spi(m, received, byte, over | elsewhere)
        if self.twice:
            restart = Signal()
            self._elsewhere(m, received, byte, over, restart, elsewhere)
        m.submodules.crc = crc = CRC32_ISO_HDLC().create()
        m.d.comb += [crc.valid.eq(received), crc.data.eq(byte), crc.start.eq(restart)]

        # `place` in the identity, in a word, in the CRC.
        place, left = Signal(range(max(IDENTITY_BYTES, self.word_bytes))), Signal(range(self.words))
        m.submodules.identity = rom = ram(8, 16, identity_rom(self.identity), ram_style=self.rom_style)
        # Block RAM is slow, and a byte takes 16 cycles: there is time for another register.
        expected, stranger = delayed(m, read(m, rom, place[:3]), 1), Signal()
        word = Signal(8 * self.word_bytes)
        m.d.comb += self.o.payload.eq(word)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("identity"):
                with m.If(received):
                    m.d.sync += [place.eq(place + 1), stranger.eq(stranger | (byte != expected))]
                    with m.If(place == IDENTITY_BYTES - 1):
                        m.d.sync += [place.eq(0), left.eq(self.words - 1)]
                        m.next = "words"
            with m.State("words"):
                with m.If(received):
                    m.d.sync += [place.eq(place + 1), word.eq(Cat(word[8:], byte))]
                    with m.If(place == self.word_bytes - 1):
                        m.d.sync += [place.eq(0), left.eq(left - 1), self.o.valid.eq(1)]
                        with m.If(left == 0):
                            m.next = "crc"
            with m.State("crc"):
                with m.If(received):
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == CRC_BYTES - 1):
                        m.next = "over"
            with m.State("over"):
                right = crc.match_detected & ~stranger
                m.d.comb += over.eq(1)
                m.d.sync += [self.done.eq(right), self.failed.eq(~right)]
                with m.If(restart):
                    m.d.sync += [self.failed.eq(0), stranger.eq(0), place.eq(0)]
                    m.next = "identity"
        return m

    def _elsewhere(
        self, m: Module, received: Signal, byte: Signal, over: Signal, restart: Signal, elsewhere: Signal
    ) -> None:
        """Bytes from elsewhere take the place of the flash's, once that has failed."""
        image, pause = self.image, Signal(range(BYTE_CYCLES))
        coming = elsewhere & ~over
        m.d.comb += [
            restart.eq(over & self.failed & image.valid & image.payload.first),
            self.loadable.eq(coming | (over & self.failed)),
            image.ready.eq(Mux(over, ~restart, coming & (pause == 0) & (~self.o.valid | self.o.ready))),
        ]
        with m.If(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        with m.If(coming & image.valid & image.ready):
            m.d.sync += [received.eq(1), byte.eq(image.payload.data), pause.eq(BYTE_CYCLES - 1)]
        with m.If(restart):
            m.d.sync += [elsewhere.eq(1), pause.eq(BYTE_CYCLES - 1)]

    def _spi(self, m: Module, received: Signal, byte: Signal, over: Value) -> None:
        """Wake the chip and read bytes until `over`; `received` is 1 for one cycle with each `byte`."""
        sent = Const(RELEASE << 32 | READ << 24 | self.offset, 40)[::-1]
        timer = Signal(range(max(self.pause, self.half)), init=self.pause - 1)
        index = Signal(
            range(48)
        )  # of the bit; 40 to 47 while reading, so the lowest three bits are its index in the byte
        m.d.comb += self.spi.copi.eq(sent.bit_select(index, 1))
        m.d.sync += [timer.eq(self.half - 1), received.eq(0)]
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(over):
            m.d.sync += [self.spi.cs.eq(0), self.spi.clk.eq(0)]
        with m.Elif(~self.spi.cs):
            m.d.sync += self.spi.cs.eq(1)
        with m.Elif(~self.spi.clk):
            m.d.sync += self.spi.clk.eq(1)
        with m.Elif(~self.o.valid | self.o.ready):
            m.d.sync += [
                self.spi.clk.eq(0),
                byte.eq(Cat(self.spi.cipo, byte)),
                index.eq(Mux(index == 47, 40, index + 1)),
                received.eq(index == 47),
            ]
            with m.If(index == 7):
                m.d.sync += [self.spi.cs.eq(0), timer.eq(self.pause - 1)]
