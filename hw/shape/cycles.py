"""How many cycles a layer holds a frame: predicted exactly, from its shape and folding alone.

Neither simulation nor synthesis is asked; the co-simulation asserts that it measures the same number.
"""

from dataclasses import dataclass
from math import gcd

from hw.gateware.bgru import BGRULayer
from hw.gateware.dense import DenseLayer
from hw.gateware.network import Network
from hw.gateware.streams import words

__all__ = ["LayerCycles", "predict", "unhindered"]


@dataclass(frozen=True)
class LayerCycles:
    """Cycles of one layer and frame.

    ideal : the sum over its matrices of ceil(rows / PE) x ceil(columns / SIMD)
    alone : from a complete input to the release of it, in a layer that was idle
    cycles : the same where the next frame is always there already: the initiation interval
    """

    ideal: int
    alone: int
    cycles: int


def predict(layer: BGRULayer | DenseLayer) -> LayerCycles:
    """Cycles for which a layer is busy with a frame while neither end makes it wait."""
    if isinstance(layer, DenseLayer):
        return LayerCycles(layer.ideal, layer.ideal, layer.ideal)
    schedule = _Schedule(layer)
    alone = schedule.frame()
    cycles, before = schedule.frame(), alone
    while cycles != before:
        cycles, before = schedule.frame(), cycles
    return LayerCycles(layer.ideal, alone, cycles)


def unhindered(network: Network) -> set[str]:
    """The layers that nothing before or behind them makes wait: what is measured of them must be what is predicted.

    A layer waits where one behind it takes more cycles than itself, or where its results come faster than they
    are cut for the next layer's words (at most one piece of gcd(PE, next width) bits a cycle). One that is fed by
    a slower layer has no next frame to go ahead with; it is listed if that makes no difference to it.
    """
    names: set[str] = set()
    slowest, sink = 0, network.out_width
    for name, layer in reversed(network.layers.items()):
        pe, simd = layer.folding.pe, layer.folding.simd
        cycles = predict(layer).cycles
        cut_in_time = pe // gcd(pe, sink) <= layer.engine.matrix.words
        if slowest <= cycles and cut_in_time:
            names.add(name)
        # What is made to wait takes an unknown time longer, and so does all before it.
        slowest, sink = (max(slowest, cycles) if cut_in_time else UNKNOWN), simd
    width = network.in_width
    slowest = 0
    for name, layer in network.layers.items():
        predicted = predict(layer)
        simd = layer.folding.simd
        arriving = max(slowest, words(layer.layer.inputs, gcd(width, simd)))
        if arriving > predicted.alone and predicted.alone != predicted.cycles:
            names.discard(name)
        slowest, width = max(arriving, predicted.cycles), layer.folding.pe
    return names


UNKNOWN = 1 << 62


class _Schedule:
    """Row groups on their way through a BGRU layer whose input never runs dry, frame after frame."""

    def __init__(self, layer: BGRULayer) -> None:
        self.layer, self.engine = layer, layer.engine
        repack = layer.repack
        self.per_chunk = repack.source // repack.piece
        self.cuts, self.joins = repack.piece != repack.source, repack.piece != repack.sink
        self.total = words(repack.length, repack.piece)
        # Cycle 0 is that of the first read; a word enters the engine in the cycle after it is read.
        self.entered = 0
        self.left: list[int] = []
        self.repack_free = 0
        self.h_written = -2
        self.released = -1

    def frame(self) -> int:
        """Go through one more frame; returns the cycles from one release to the next."""
        layer = self.layer
        r_written = 0
        for vector in ("r", "z", "candidate"):
            pieces = 0
            for _ in range(layer.groups):
                first = self.entered + 1
                if len(self.left) >= self.engine.depth:  # no room before the cycle after the oldest result has left
                    first = max(first, self.left[-self.engine.depth] + 2)
                # A vector that is written in one cycle is read in the next and enters in the one after.
                waited_for = r_written if vector == "candidate" else self.h_written
                recurrent = max(first + layer.x_words, waited_for + 2)
                self.entered = recurrent + layer.h_words - 1
                leaves = self.entered + self.engine.latency
                if self.left:
                    leaves = max(leaves, self.left[-1] + layer.result_interval)
                if vector != "z":
                    leaves = max(leaves, self.repack_free)
                    count = min(self.per_chunk, self.total - pieces)
                    pieces += count
                    self.repack_free = leaves + count
                    written = leaves + (count if self.cuts else 0) + self.joins
                    if vector == "r":
                        r_written = written
                self.left.append(leaves)
                del self.left[: -self.engine.depth]
        self.h_written = written
        before, self.released = self.released, self.entered - 1
        return self.released - before
