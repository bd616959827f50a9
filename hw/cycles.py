"""How many cycles a layer holds a frame: predicted exactly, from its shape and folding alone.

Neither simulation nor synthesis is asked; the co-simulation asserts that it measures the same number.
"""

from dataclasses import dataclass
from math import gcd

from hw.bgru import BGRULayer
from hw.dense import DenseLayer
from hw.engine import Engine
from hw.network import Network
from hw.streams import words

__all__ = ["LayerCycles", "predict", "unhindered"]


@dataclass(frozen=True)
class LayerCycles:
    """Cycles of one layer and frame: `ideal` is the sum of ceil(rows / PE) x ceil(columns / SIMD)."""

    ideal: int
    cycles: int


def predict(layer: BGRULayer | DenseLayer) -> LayerCycles:
    """Cycles for which a layer is busy with a frame while neither end makes it wait."""
    if isinstance(layer, DenseLayer):
        return LayerCycles(layer.ideal, layer.ideal)
    return LayerCycles(layer.ideal, _bgru(layer))


def unhindered(network: Network) -> set[str]:
    """The layers that nothing behind them makes wait: what is measured of them must be what is predicted.

    A layer waits where one behind it takes more cycles than itself, or where its results come faster than they
    are cut for the next layer's words (at most one piece of gcd(PE, next width) bits a cycle).
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
    return names


UNKNOWN = 1 << 62


def _bgru(layer: BGRULayer) -> int:
    gates = _Pass(layer.engine, layer.x_words + layer.h_words)
    repack = _Repacking(layer)
    for _ in range(layer.groups):  # r
        repack.accept(gates)
    for _ in range(layer.groups):  # z
        gates.result(gates.ready)
    # The last z is seen a cycle after it is taken; so is the last word of r. Then reading begins.
    first_read = max(gates.left + 1, repack.written + 1) + 1

    candidate = _Pass(layer.engine, layer.x_words + layer.h_words)
    repack = _Repacking(layer)
    for _ in range(layer.groups):
        repack.accept(candidate)
    return first_read + repack.written + 1


class _Pass:
    """Row groups on their way through the engine; cycle 0 is the pass's first read."""

    def __init__(self, engine: Engine, n: int) -> None:
        self.engine, self.n = engine, n
        self.entered = 1 - n  # so that the first group's first word enters in cycle 1
        self.leaving: list[int] = []

    @property
    def left(self) -> int:
        return self.leaving[-1]

    @property
    def ready(self) -> int:
        """When the next group's result is at the engine's output, if nothing before it waits."""
        self.entered += self.n
        if len(self.leaving) >= self.engine.depth:
            self.entered = max(self.entered, self.leaving[-self.engine.depth] + 1)
        return self.entered + self.n - 1 + self.engine.latency

    def result(self, cycle: int) -> None:
        """The result leaves at `cycle`, at the earliest after the one before it."""
        self.leaving.append(max(cycle, self.left + 1) if self.leaving else cycle)


class _Repacking:
    """The PE-bit chunks of a vector on their way into SIMD-bit words."""

    def __init__(self, layer: BGRULayer) -> None:
        repack = layer.repack
        self.per_chunk = repack.source // repack.piece
        self.cuts, self.joins = repack.piece != repack.source, repack.piece != repack.sink
        self.total = words(repack.length, repack.piece)
        self.pieces = 0
        self.free = 0
        self.written = 0

    def accept(self, gates: _Pass) -> None:
        gates.result(max(gates.ready, self.free))
        count = min(self.per_chunk, self.total - self.pieces)
        self.pieces += count
        self.free = gates.left + count
        self.written = gates.left + (count if self.cuts else 0) + self.joins
