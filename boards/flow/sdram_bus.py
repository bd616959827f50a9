"""A board's SDRAM as a home for weights: what it delivers, what a network takes, and the pace it allows."""

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

from boards.definitions.board import Board
from boards.definitions.sdram import Chip
from boards.gateware.sdram import data_share, refresh_gap
from boards.gateware.sdram_layout import CHUNK, SDRAM_BITS, Part
from hw.shape import cycles, latency
from hw.shape.cycles import predict
from hw.shape.layer_spec import LayerSpec
from hw.shape.network_spec import NetworkSpec

__all__ = ["SdramBus", "network_interval", "network_latency", "streamed"]


def streamed(network: NetworkSpec) -> list[LayerSpec]:
    """The layers whose weights are a stream."""
    return [layer for layer in network.layers if layer.folding.weights == "streamed"]


@dataclass(frozen=True)
class SdramBus:
    """The read bandwidth of an SDRAM, next to a network's clock and frame rate.

    chip, hz : the chip and its clock
    clock_hz : the network's clock
    frame_rate : frames per second
    readers : layers that stream
    """

    word_bits: ClassVar[int] = SDRAM_BITS
    """Of a word."""

    chip: Chip
    hz: float
    clock_hz: float
    frame_rate: float
    readers: int

    @classmethod
    def of(cls, board: Board, frame_rate: float, readers: int) -> "SdramBus | None":
        """The bus of a board, or None if it has no SDRAM."""
        if board.sdram is None:
            return None
        return cls(board.sdram, board.sdram_clock_hz, board.clock_hz, frame_rate, readers)

    @property
    def words_per_second(self) -> float:
        """Words of 16 bits while all readers always take them, refreshes deducted.

        With several readers it is a lower bound: each chunk may wait for a row of the bank that the last one used.
        """
        timing = self.chip.cycles(self.hz)
        wait = refresh_gap(timing) - timing.rfc if self.readers > 1 else 0
        return self.hz * data_share(timing) * CHUNK / (CHUNK + wait)

    @property
    def bandwidth(self) -> int:
        """What is there, in kB/s."""
        return int(self.words_per_second * SDRAM_BITS / 8000)

    @property
    def bits(self) -> int:
        """Capacity of the chip."""
        return self.chip.words * SDRAM_BITS

    @staticmethod
    def words(layer: LayerSpec) -> int:
        """Words that a streamed layer reads per frame, padding and CRC included; none if its weights are elsewhere."""
        if layer.folding.weights != "streamed":
            return 0
        return Part(layer.name, layer.engine.weight_width, layer.engine.weight_words, first=0).size

    def taken(self, layer: LayerSpec) -> int:
        """Bandwidth that a layer takes, in kB/s."""
        return ceil(self.words(layer) * self.frame_rate * SDRAM_BITS / 8000)

    def cycles(self, count: int) -> int:
        """Cycles of the network's clock in which so many words come."""
        return ceil(count * self.clock_hz / self.words_per_second)

    def limits(self, layer: LayerSpec) -> bool:
        """Whether a layer waits for weights: its lanes take fewer cycles than its words."""
        return self.cycles(self.words(layer)) > predict(layer).cycles


def _bus(network: NetworkSpec, board: Board) -> SdramBus | None:
    """The bus of a network that streams; its frame rate makes no difference to cycles."""
    layers = streamed(network)
    return SdramBus.of(board, 1, len(layers)) if layers else None


def network_interval(network: NetworkSpec, board: Board) -> int:
    """Initiation interval in cycles: the slowest layer's, or that of all streamed words on the bus."""
    found = cycles.interval(network)
    bus = _bus(network, board)
    return found if bus is None else max(found, bus.cycles(sum(map(bus.words, network.layers))))


def network_latency(network: NetworkSpec, board: Board) -> int:
    """Latency in cycles, as `hw.shape.latency.latency`; a streamed layer takes no less than its words on the bus.

    Words are prefetched while a layer is idle, so this may be too long by what the queues hold.
    """
    found = latency.latency(network)
    bus = _bus(network, board)
    if bus is None:
        return found
    return found + sum(max(0, bus.cycles(bus.words(layer)) - predict(layer).alone) for layer in streamed(network))
