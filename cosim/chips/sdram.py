"""A board's SDRAM with the gateware that streams weights from it, next to a network. Simulation only.

The ULX3S manual (github.com/emard/ulx3s, doc/MANUAL.md, "Board Versions") says which chips the boards carry:
MT48LC16M16A2TG and M12L2561616A-6T (2018, 2019), AS4C32M16SB-7TCN (Watterott's), IS42S16160G-7TL (since 2020).
"""

from math import ceil

from amaranth.hdl import DomainRenamer, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory as Rom
from amaranth.lib.wiring import Out

from boards.definitions.board import Board
from boards.gateware.flash import FlashLoader
from boards.gateware.sdram_layout import parts_of, stored
from boards.gateware.sdram_weights import DOMAIN, Memory, SdramWeights
from cosim.chips.sdram_chip import SdramChip
from cosim.chips.sdram_timing import Rule, Timing
from cosim.chips.sdram_verilog import SdramModel, VerilogChip
from hw.gateware.network import Network
from model.errors import BadInput

__all__ = ["StreamedWeights", "weights_of", "words_of"]


def words_of(network: Network) -> list[int]:
    """Contents of the SDRAM for a network from address 0 on, in words of 16 bits."""
    octets = stored(network, parts_of(network.spec))
    return [int.from_bytes(octets[at : at + 2], "little") for at in range(0, len(octets), 2)]


class Loader(wiring.Component):
    """Instead of a `FlashLoader`, which takes millions of cycles: it gives words that are never wrong, or none.

    Members: those of `FlashLoader`; its SPI is idle.
    """

    def __init__(self, loader: FlashLoader, words: list[int]) -> None:
        self.words, self.cycles = words, 16 * len(words)
        super().__init__(loader.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if not self.words:
            m.d.comb += self.done.eq(1)
            return m
        m.submodules.rom = rom = Rom(shape=16, depth=len(self.words), init=self.words)
        port = rom.read_port()
        place, there = Signal(range(len(self.words) + 1)), Signal()
        m.d.comb += [
            self.done.eq(place == len(self.words)),
            port.addr.eq(place),
            self.o.payload.eq(port.data),
            self.o.valid.eq(there & ~self.done),
        ]
        taken = self.o.valid & self.o.ready
        m.d.sync += there.eq(~taken)  # the next word is at the port a cycle later
        with m.If(taken):
            m.d.sync += place.eq(place + 1)
        return m


class StreamedWeights(wiring.Component):
    """The weights of a network's streamed layers, through `SdramWeights` from a chip at the pins of its controller.

    Our own chip holds the weights from the start. Another model (`model`) is written to first, word by word. Then all
    are read back and checked, as on the board.

    Parameters
    ----------
    network : with streamed layers
    memory : the SDRAM as the controller knows it, and the clock of the domain `sdram`
    clock_hz : the network's clock, of `sync`
    timing : what our chip requires, by default the slowest of the boards' chips
    model : a Verilog model in the place of our chip

    Members
    -------
    load_<layer> : Out(stream of weight words), of each streamed layer
    ready, failed : Out(1), as of `SdramWeights`
    broken : Out(Rule), the first rule of the data sheet that the controller broke; none for another model
    """

    def __init__(
        self,
        network: Network,
        memory: Memory,
        clock_hz: float,
        timing: Timing | None = None,
        model: SdramModel | None = None,
    ) -> None:
        self.memory, self.clock_hz, self.model = memory, clock_hz, model
        parts, words = parts_of(network.spec), words_of(network)
        self.words = len(words)
        self.weights = SdramWeights(parts, network.bundle.identity, memory, flash_offset=0)
        reader = self.weights.reader
        loader = Loader(reader.loader, words if model else [])
        reader.loader = loader
        self.chip: SdramChip | VerilogChip
        self.chip = SdramChip(memory.clock_hz / 1e6, words, timing) if model is None else VerilogChip()
        members = self.weights.signature.members
        kept = {name: members[name] for name in members if name in ("ready", "failed") or name.startswith("load_")}
        super().__init__({**kept, "broken": Out(Rule)})

    def cycles(self, count: float) -> int:
        """Cycles of the SDRAM's clock as cycles of the network's."""
        return ceil(count * self.clock_hz / self.memory.clock_hz)

    @property
    def start(self) -> int:
        """Cycles of the SDRAM's clock until weights come, at most."""
        return self.weights.cycles

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.weights = weights = self.weights
        m.submodules.chip = DomainRenamer(DOMAIN)(self.chip)
        wiring.connect(m, weights.pins, self.chip.pins)
        for part in weights.reader.parts:
            name = f"load_{part.name}"
            wiring.connect(m, getattr(weights, name), wiring.flipped(getattr(self, name)))
        m.d.comb += [self.ready.eq(weights.ready), self.failed.eq(weights.failed)]
        if isinstance(self.chip, SdramChip):
            m.d.comb += self.broken.eq(self.chip.broken)
        return m


def weights_of(network: Network, board: Board, model: SdramModel | None = None) -> StreamedWeights | None:
    """The weights of a network's streamed layers on a board at its clocks, or None if there are none."""
    if not parts_of(network.spec):
        if model is not None:
            raise BadInput(f"--sdram-model: expected a network with weights in SDRAM, got all of them on {board.name}")
        return None
    assert board.sdram is not None  # or nothing would be streamed
    return StreamedWeights(network, Memory(board.sdram, board.sdram_clock_hz), board.clock_hz, model=model)
