# amaranth: UnusedElaboratable=no
# A simulation puts another loader in the place of the flash's (`cosim.chips.sdram`).
"""Weights in a board's SDRAM: loaded from flash at start, checked, and streamed to the network in every frame."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, DomainRenamer, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.fifo import AsyncFIFO, SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from boards.definitions.sdram import Chip
from boards.gateware.flash import SPI, FlashLoader, ImageByte
from boards.gateware.sdram import PINS, SdramController, start_cycles
from boards.gateware.sdram_layout import SDRAM_BITS, Part
from boards.gateware.weight_queue import WeightQueue

__all__ = ["CROSSING", "DOMAIN", "FLASH_READ_HZ", "Memory", "SdramWeights", "WeightReader"]

DOMAIN = "sdram"
"""The clock domain of the SDRAM, its controller, and the flash."""

FLASH_READ_HZ = 25_000_000
"""SPI clock of the flash next to an SDRAM. Half of what the W25Q128JV and the IS25LP128F, the ULX3S's, allow for READ:
it leaves room for the way through the configuration clock's pin."""

TAGS = 8
"""Chunks that are asked for and have not arrived whole, at most."""

CROSSING = 16
"""Words of the queue between the two clocks, a power of two: enough to cross at one word per cycle of either clock."""


@dataclass(frozen=True)
class Memory:
    """A board's SDRAM as the home of weights.

    chip : its timing and size
    clock_hz : of the domain `DOMAIN`
    pads : cycles that registers in the pads add (`boards.gateware.sdram_pads.PADS`); none in a simulation without pads
    """

    chip: Chip
    clock_hz: float
    pads: int = 0


class WeightReader(wiring.Component):
    """Load, check, stream: all in one clock domain.

    1. Load: the image's words go from flash into SDRAM, from address 0 on. Its identity and CRC are checked.
    2. Check: each part is read back once, and its CRC checked over what lies in the SDRAM. Then `ready` is set.
    3. Run: each part is read again and again, chunk by chunk; layers with room in their queues take turns. Every pass
       is checked.

    A wrong image, or a wrong part in step 2 or 3, sets `failed`. After a wrong image another may come on `image`, which
    clears it; a wrong part stays wrong until reset.

    Throughput: `boards.gateware.sdram.data_share` words per cycle for one layer. With several, a chunk may wait for a
    row of its bank: docs/sdram.md has the share measured. Latency: `cycles` until `ready` or `failed`.

    Parameters
    ----------
    parts : what lies in the SDRAM (`boards.gateware.sdram_layout.parts_of`)
    identity : the bundle's 8 bytes, which the image begins with
    memory : the SDRAM; `memory.clock_hz` is the clock of `sync`
    flash_offset : start of the image in the flash, in bytes
    rom_style : of the identity's memory, as for `FlashLoader`

    Members
    -------
    pins : Out(PINS), to the SDRAM; flash : Out(SPI)
    load_<layer> : Out(stream of weight words), of each part
    ready : Out(1), all parts were loaded and right, until reset; failed : Out(1), the weights are wrong
    image : In(stream of ImageByte), loadable : Out(1), as of `FlashLoader`
    """

    def __init__(
        self, parts: tuple[Part, ...], identity: bytes, memory: Memory, flash_offset: int, rom_style: str = "block"
    ) -> None:
        assert parts
        self.parts, self.memory = parts, memory
        self.words = parts[-1].first * parts[-1].chunk + parts[-1].size
        self.controller = SdramController(memory.chip, memory.clock_hz, memory.pads)
        self.loader = FlashLoader(
            self.words, SDRAM_BITS, identity, flash_offset, round(memory.clock_hz), rom_style, FLASH_READ_HZ, True
        )
        self.queues = [WeightQueue(part) for part in parts]
        super().__init__(
            {
                "pins": Out(PINS),
                "flash": Out(SPI),
                **{f"load_{part.name}": Out(stream.Signature(part.width)) for part in parts},
                "ready": Out(1),
                "failed": Out(1),
                "image": In(stream.Signature(ImageByte())),
                "loadable": Out(1),
            }
        )

    @property
    def cycles(self) -> int:
        """Cycles from reset to `ready` or `failed`, at most."""
        return start_cycles(self.controller.cycles) + self.loader.cycles + 2 * self.words + 1000

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.controller, m.submodules.loader = controller, loader = self.controller, self.loader
        wiring.connect(m, controller.pins, wiring.flipped(self.pins))
        wiring.connect(m, loader.spi, wiring.flipped(self.flash))
        for part, queue in zip(self.parts, queues := self.queues, strict=True):
            m.submodules[f"queue_{part.name}"] = queue
            wiring.connect(m, queue.o, wiring.flipped(getattr(self, f"load_{part.name}")))

        # Load. The last word is written before the loader has read the image's CRC.
        address = Signal(controller.bits)
        m.d.comb += [
            controller.write.payload.address.eq(address),
            controller.write.payload.data.eq(loader.o.payload),
            controller.write.valid.eq(loader.o.valid),
            loader.o.ready.eq(controller.write.ready),
        ]
        with m.If(loader.failed):
            m.d.sync += address.eq(0)
        with m.Elif(loader.o.valid & loader.o.ready):
            m.d.sync += address.eq(address + 1)
        wiring.connect(m, wiring.flipped(self.image), loader.image)
        m.d.comb += self.loadable.eq(loader.loadable)

        # Check, and then run.
        checked, spoilt = Signal(len(queues)), Signal()
        m.d.sync += [
            checked.eq(checked | Cat(queue.right for queue in queues)),
            spoilt.eq(spoilt | Cat(queue.wrong for queue in queues).any()),
            self.ready.eq(checked.all()),
            self.failed.eq(loader.failed | spoilt),
        ]
        m.d.comb += [queue.testing.eq(~self.ready) for queue in queues]
        tags = self._ask(m, queues)
        self._deliver(m, queues, tags)
        return m

    def _ask(self, m: Module, queues: list[WeightQueue]) -> SyncFIFO:
        """Ask for the chunks of the queues with room, in turn; returns whose chunks are under way, in order."""
        m.submodules.tags = tags = SyncFIFO(width=max(1, (len(queues) - 1).bit_length()), depth=TAGS)
        read, low = self.controller.read, exact_log2(self.parts[0].chunk)
        chunks = [Signal(self.controller.bits - low, init=part.first, name=f"{part.name}_chunk") for part in self.parts]
        wanted, turn, chosen = Signal(len(queues)), Signal(range(len(queues))), Signal(range(len(queues)))
        with m.Switch(turn):
            for now in range(len(queues)):
                with m.Case(now):
                    for later in reversed(range(1, len(queues) + 1)):  # the nearest of them overrides the others
                        other = (now + later) % len(queues)
                        with m.If(wanted[other]):
                            m.d.comb += chosen.eq(other)
        ask = wanted.any() & tags.w_rdy & (~read.valid | read.ready)
        m.d.comb += [tags.w_en.eq(ask), tags.w_data.eq(chosen)]
        with m.If(read.ready):
            m.d.sync += read.valid.eq(0)
        with m.If(ask):
            m.d.sync += [turn.eq(chosen), read.valid.eq(1)]
        for index, (part, queue, chunk) in enumerate(zip(self.parts, queues, chunks, strict=True)):
            # In the check, each part is asked for once.
            once, last = Signal(name=f"{part.name}_once"), chunk == part.first + part.chunks - 1
            m.d.comb += wanted[index].eq(self.loader.done & queue.room & (self.ready | ~once))
            with m.If(ask & (chosen == index)):
                m.d.comb += queue.asked.eq(1)
                m.d.sync += [
                    chunk.eq(Mux(last, part.first, chunk + 1)),
                    once.eq(once | last),
                    read.payload.first.eq(Cat(Const(0, low), chunk)),
                    read.payload.last.eq(Cat(Const(-1, low), chunk)),
                ]
        return tags

    def _deliver(self, m: Module, queues: list[WeightQueue], tags: SyncFIFO) -> None:
        """Each word that was read goes to the queue that asked for it."""
        o, place = self.controller.o, Signal(range(self.parts[0].chunk))
        m.d.comb += [o.ready.eq(tags.r_rdy), tags.r_en.eq(o.valid & (place == self.parts[0].chunk - 1))]
        with m.If(o.valid & o.ready):
            m.d.sync += place.eq(place + 1)
        for index, queue in enumerate(queues):
            m.d.comb += [
                queue.i.payload.eq(o.payload),
                queue.i.valid.eq(o.valid & o.ready & (tags.r_data == index)),
            ]


class SdramWeights(wiring.Component):
    """A `WeightReader` in the domain `DOMAIN`, its weights and its state taken to `sync`.

    Once the weights have failed, words of no use are always there, so the network goes on and its frames end.

    Throughput: that of the reader, and one weight word per cycle of `sync`. Cost on top: `CROSSING` words for each
    layer.

    Members
    -------
    pins, flash, as of `WeightReader`, in the domain `DOMAIN`
    load_<layer>, ready, failed, image, loadable, as of `WeightReader`, in `sync`
    """

    def __init__(
        self, parts: tuple[Part, ...], identity: bytes, memory: Memory, flash_offset: int, rom_style: str = "block"
    ) -> None:
        self.reader = WeightReader(parts, identity, memory, flash_offset, rom_style)
        super().__init__(self.reader.signature)

    @property
    def cycles(self) -> int:
        """Cycles of the SDRAM's clock from reset to `ready` or `failed`, at most; a few of `sync` come on top."""
        return self.reader.cycles

    def elaborate(self, platform: object) -> Module:
        m = Module()
        reader = self.reader
        m.submodules.reader = DomainRenamer(DOMAIN)(reader)
        wiring.connect(m, reader.pins, wiring.flipped(self.pins))
        wiring.connect(m, reader.flash, wiring.flipped(self.flash))
        for name in ("ready", "failed", "loadable"):
            m.submodules[name] = FFSynchronizer(getattr(reader, name), getattr(self, name))
        m.submodules.image = image = AsyncFIFO(width=9, depth=CROSSING, r_domain=DOMAIN, w_domain="sync")
        m.d.comb += [
            image.w_en.eq(self.image.valid),
            image.w_data.eq(self.image.payload),
            self.image.ready.eq(image.w_rdy),
            reader.image.valid.eq(image.r_rdy),
            reader.image.payload.eq(image.r_data),
            image.r_en.eq(reader.image.ready),
        ]
        for part in reader.parts:
            name = f"load_{part.name}"
            source, sink = getattr(reader, name), getattr(self, name)
            m.submodules[name] = crossing = AsyncFIFO(
                width=part.width, depth=CROSSING, r_domain="sync", w_domain=DOMAIN
            )
            m.d.comb += [
                crossing.w_en.eq(source.valid),
                crossing.w_data.eq(source.payload),
                source.ready.eq(crossing.w_rdy),
                sink.valid.eq(crossing.r_rdy | self.failed),
                sink.payload.eq(crossing.r_data),
                crossing.r_en.eq(sink.ready),
            ]
        return m
