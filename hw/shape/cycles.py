"""Cycles per frame of each layer, predicted exactly from its shape. The co-simulation checks that it measures them."""

from dataclasses import dataclass
from functools import cache

from hw.shape.integer_layer_spec import IntegerLayerSpec
from hw.shape.layer_spec import LayerSpec
from hw.shape.network_spec import NetworkSpec
from hw.shape.requantiser import ROW_CYCLES

__all__ = ["LayerCycles", "interval", "predict", "unhindered"]


@dataclass(frozen=True)
class LayerCycles:
    """Cycles of one layer and frame.

    ideal : the sum over its matrices of ceil(rows / PE) x ceil(columns / SIMD)
    alone : from a complete input to the release of it, in a layer that was idle
    cycles : the same where the next frame is always there already: the initiation interval
    tail : from the release of the input, in a layer that was idle, to the last result
    steady : from the second frame on, each takes `cycles`; a requantiser that sets the pace may be later to do so
    """

    ideal: int
    alone: int
    cycles: int
    tail: int
    steady: bool = True


@cache
def predict(layer: LayerSpec) -> LayerCycles:
    """Cycles for which a layer is busy with a frame while neither end makes it wait."""
    if isinstance(layer, IntegerLayerSpec):
        return _settled(layer, _RowSchedule(layer))
    if not layer.recurrent:
        return LayerCycles(layer.ideal, layer.ideal, layer.ideal, 1 + layer.engine.latency)
    return _settled(layer, _Schedule(layer))


def _settled(layer: LayerSpec, schedule: "_Schedule | _RowSchedule") -> LayerCycles:
    alone = schedule.frame()
    tail = schedule.finished - schedule.released
    second = cycles = schedule.frame()
    before = None
    while cycles != before:
        cycles, before = schedule.frame(), cycles
    return LayerCycles(layer.ideal, alone, cycles, tail, cycles == second)


def interval(network: NetworkSpec) -> int:
    """Initiation interval: the slowest layer's cycles, since layers work at the same time."""
    return max(predict(layer).cycles for layer in network.layers)


def unhindered(network: NetworkSpec) -> set[str]:
    """Names of the layers that no neighbour makes wait: for these, measured cycles must equal the predicted ones.

    A layer waits if a layer behind it takes more cycles, or if its results come faster than they are cut for the next
    layer's words (at most one piece of gcd(PE, next width) bits a cycle). A layer behind a slower one never finds its
    next frame waiting; it is listed if that makes no difference to it. A layer whose requantiser sets the pace is not
    listed if it takes more than a frame to get there.
    """
    names: set[str] = set()
    into, outof = network.repacks[:-1], network.repacks[1:]
    slowest = 0
    for layer, repack in reversed([*zip(network.layers, outof, strict=True)]):
        cycles = predict(layer).cycles
        cut_in_time = repack.per_source <= layer.results_apart
        if slowest <= cycles and cut_in_time and predict(layer).steady:
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
        self.finished = 0

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
        self.finished = leaves
        before, self.released = self.released, self.entered - 1
        return self.released - before


class _RowSchedule:
    """Row groups and then single rows on their way through a layer of integers whose input never runs dry."""

    def __init__(self, layer: IntegerLayerSpec) -> None:
        self.layer = layer
        # Cycle 0 is that of the first read; a word enters the engine in the cycle after it is read, or later.
        self.entered, self.read = 0, -1
        self.left: list[int] = []
        self.requantiser_free = 0
        self.h_written = -2
        self.released = -1
        self.finished = 0

    def frame(self) -> int:
        """Go through one more frame; returns the cycles from one release to the next."""
        layer, depth = self.layer, self.layer.engine.queue_words
        v_written = 0
        for vector in ("r", "z", "candidate") if layer.recurrent else ("y",):
            for group in range(layer.groups):
                self.read = max(self.read + 1, self.entered)
                first = self.read + 1
                if len(self.left) >= depth:  # no room before the cycle after the oldest result has left
                    first = max(first, self.left[-depth] + 2)
                self.entered = first + layer.words - 1
                if layer.recurrent:
                    # A vector that is written in one cycle is read in the next and enters in the one after.
                    waited_for = v_written if vector == "candidate" else self.h_written
                    self.entered = max(first + layer.x_words, waited_for + 2) + layer.h_words - 1
                if layer.words > 1:
                    self.read = self.entered - 1
                loaded = max(self.entered + layer.engine.latency, self.requantiser_free)
                rows = layer.last_rows if group == layer.groups - 1 else layer.folding.pe
                loaded += (rows - 1) * ROW_CYCLES
                self.left = [*self.left[1 - depth :], loaded]
                self.requantiser_free = loaded + ROW_CYCLES
            # The entry leaves in the last of its cycles; a gru layer updates its state with it.
            self.finished = self.requantiser_free - 1 + (layer.update_cycles - 1 if layer.recurrent else 0)
            if vector == "r":
                v_written = self.finished + layer.repack.joins
        self.h_written = self.finished + layer.repack.joins
        before, self.released = self.released, self.read
        return self.released - before
