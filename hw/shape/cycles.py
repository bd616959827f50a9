"""Cycles per frame of each layer, predicted exactly from its shape. The co-simulation checks that it measures them."""

from dataclasses import dataclass
from functools import cache

from hw.shape.layer_spec import LayerSpec
from hw.shape.network_spec import NetworkSpec

__all__ = ["LayerCycles", "interval", "predict", "unhindered"]


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


@cache
def predict(layer: LayerSpec) -> LayerCycles:
    """Cycles for which a layer is busy with a frame while neither end makes it wait."""
    if not layer.recurrent:
        return LayerCycles(layer.ideal, layer.ideal, layer.ideal)
    schedule = _Schedule(layer)
    alone = schedule.frame()
    cycles, before = schedule.frame(), alone
    while cycles != before:
        cycles, before = schedule.frame(), cycles
    return LayerCycles(layer.ideal, alone, cycles)


def interval(network: NetworkSpec) -> int:
    """Initiation interval: the slowest layer's cycles, since layers work at the same time."""
    return max(predict(layer).cycles for layer in network.layers)


def unhindered(network: NetworkSpec) -> set[str]:
    """Names of the layers that no neighbour makes wait: for these, measured cycles must equal the predicted ones.

    A layer waits if a layer behind it takes more cycles, or if its results come faster than they are cut for the next
    layer's words (at most one piece of gcd(PE, next width) bits a cycle). A layer behind a slower one never finds its
    next frame waiting; it is listed if that makes no difference to it.
    """
    names: set[str] = set()
    into, outof = network.repacks[:-1], network.repacks[1:]
    slowest = 0
    for layer, repack in reversed([*zip(network.layers, outof, strict=True)]):
        cycles = predict(layer).cycles
        cut_in_time = repack.per_source <= layer.words
        if slowest <= cycles and cut_in_time:
            names.add(layer.name)
        # A layer that waits takes longer by an unknown time, and so do all before it.
        slowest = max(slowest, cycles) if cut_in_time else UNKNOWN
    slowest = 0
    for layer, repack in zip(network.layers, into, strict=True):
        predicted = predict(layer)
        arriving = max(slowest, repack.pieces)
        if arriving > predicted.alone and predicted.alone != predicted.cycles:
            names.discard(layer.name)
        slowest = max(arriving, predicted.cycles)
    return names


UNKNOWN = 1 << 62


class _Schedule:
    """Row groups on their way through a BGRU layer whose input never runs dry, frame after frame."""

    def __init__(self, layer: LayerSpec) -> None:
        self.layer, self.repack = layer, layer.repack
        self.depth, self.latency = layer.engine.queue_words, layer.engine.latency
        # Cycle 0 is that of the first read; a word enters the engine in the cycle after it is read.
        self.entered = 0
        self.left: list[int] = []
        self.repack_free = 0
        self.h_written = -2
        self.released = -1

    def frame(self) -> int:
        """Go through one more frame; returns the cycles from one release to the next."""
        layer, repack = self.layer, self.repack
        r_written = 0
        for vector in ("r", "z", "candidate"):
            pieces = 0
            for _ in range(layer.groups):
                first = self.entered + 1
                if len(self.left) >= self.depth:  # no room before the cycle after the oldest result has left
                    first = max(first, self.left[-self.depth] + 2)
                # A vector that is written in one cycle is read in the next and enters in the one after.
                waited_for = r_written if vector == "candidate" else self.h_written
                recurrent = max(first + layer.x_words, waited_for + 2)
                self.entered = recurrent + layer.h_words - 1
                leaves = self.entered + self.latency
                if self.left:
                    leaves = max(leaves, self.left[-1] + layer.result_interval)
                if vector != "z":
                    leaves = max(leaves, self.repack_free)
                    count = min(repack.per_source, repack.pieces - pieces)
                    pieces += count
                    self.repack_free = leaves + count
                    written = leaves + (count if repack.cuts else 0) + repack.joins
                    if vector == "r":
                        r_written = written
                self.left.append(leaves)
                del self.left[: -self.depth]
        self.h_written = written
        before, self.released = self.released, self.entered - 1
        return self.released - before
