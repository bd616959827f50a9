"""Folding search: the least area that meets a deadline, or the Pareto front."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Protocol

import numpy as np

from hw.shape.cycles import predict
from hw.shape.family import Family
from hw.shape.folding import Folding, Source
from hw.shape.integer_engine_spec import lanes_of
from hw.shape.integer_estimate import estimate_of
from hw.shape.layer_spec import LayerSpec
from model.bundle.formats import WEIGHT_FORMATS
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import Layer

__all__ = ["LANES", "Design", "Needs", "Option", "Options", "area", "cheapest", "front"]

LANES = 256
"""Most lanes (PE x SIMD) of a folding in the search."""

INTEGER_LANES = 64
"""The same of a layer of integers, whose lanes cost ten times as much."""

Needs = Mapping[str, int]
"""Resource (lut4, block_ram, spram, multiplier; sdram in kB/s) to how many are used, or available."""


@dataclass(frozen=True)
class Option:
    """A folding of a layer, its lower bound on cycles per frame (`ideal`), and its resources.

    Where weights are streamed, `ideal` is also a lower bound on the cycles in which they come.
    """

    folding: Folding
    ideal: int
    needs: Needs


@dataclass(frozen=True)
class Design:
    """A folding for each layer, the sum of their ideal cycles, and of their resources."""

    foldings: Mapping[str, Folding] = field(default_factory=dict)
    ideal: int = 0
    needs: Needs = field(default_factory=dict)

    def joined(self, name: str, option: Option) -> "Design":
        """The design with one more layer."""
        kinds = dict.fromkeys((*self.needs, *option.needs))
        needs = {kind: self.needs.get(kind, 0) + option.needs.get(kind, 0) for kind in kinds}
        return Design({**self.foldings, name: option.folding}, self.ideal + option.ideal, needs)

    def over(self, available: Needs) -> dict[str, int]:
        """The resources that run short, and by how many."""
        return {kind: count - available[kind] for kind, count in self.needs.items() if count > available[kind]}


class Bus(Protocol):
    """What the search asks of a memory that streams weights (`boards.flow.sdram_bus.SdramBus`).

    word_bits : of the memory's words
    words : that a layer reads per frame, if it streams; taken : their bandwidth in kB/s
    cycles : of the network's clock in which so many words come
    """

    @property
    def word_bits(self) -> int: ...

    def words(self, layer: LayerSpec) -> int: ...

    def taken(self, layer: LayerSpec) -> int: ...

    def cycles(self, count: int) -> int: ...


class Options:
    """A layer's foldings to choose from: up to `LANES` lanes, packed or not; or `folding` alone, if given.

    shallow : the foldings whose weights are no deeper than a RAM block; all where there are none
    all : deeper ones too, with multiplexers between blocks. These cost clock, so a deep folding is taken only where no
        design of shallow ones fits: it can fill its blocks better.

    Up to `multipliers` lanes of each take a multiplier, where the layer's lanes can. With a `bus`, bandwidth is
    one of the resources, and words of streamed weights are whole words of the memory.
    """

    def __init__(
        self,
        layer: Layer | IntegerLayer,
        family: Family,
        source: Source,
        folding: Folding | None = None,
        bus: Bus | None = None,
        multipliers: int = 0,
    ) -> None:
        self.layer, self.family, self.source, self.folding, self.bus = layer, family, source, folding, bus
        self.multipliers = multipliers
        self.estimate = estimate_of(layer, family)
        specs = [self.spec(one) for one in ([folding] if folding else _foldings(layer, source))]
        large = family.single_port_ram if source == "loaded" else None
        deepest = large[0] if large else max(family.block_ram)
        if folding is None:
            taken = [min(multipliers, spec.most_multipliers) for spec in specs]
            specs = [
                self.spec(replace(spec.folding, multipliers=count)) for spec, count in zip(specs, taken, strict=True)
            ]
        if source == "streamed":
            whole = [one for one in specs if bus is None or one.engine.weight_width % bus.word_bits == 0]
            self.all = self.shallow = [self._option(one) for one in whole or specs]
        else:
            self.all = [self._option(one) for one in specs]
            self.shallow = [one for one in self.all if one.ideal <= deepest] or self.all

    def _option(self, spec: LayerSpec) -> Option:
        ideal, needs = spec.ideal, self.estimate.resources(spec.folding)
        if self.bus is not None:
            ideal, needs = max(ideal, self.bus.cycles(self.bus.words(spec))), needs | {"sdram": self.bus.taken(spec)}
        return Option(spec.folding, ideal, needs)

    @property
    def given(self) -> bool:
        """Whether its folding was given."""
        return self.folding is not None

    def next_to(self, bus: Bus, streamed: bool) -> "Options":
        """The same layer in a network that uses the SDRAM, its own weights streamed from there or not."""
        if not streamed:
            return Options(self.layer, self.family, self.source, self.folding, bus, self.multipliers)
        folding = self.folding and replace(self.folding, weights="streamed")
        return Options(self.layer, self.family, "streamed", folding, bus, self.multipliers)

    def spec(self, folding: Folding) -> LayerSpec:
        """The layer's shape at a folding; raises `BadInput` for one larger than the layer."""
        return self.estimate.spec(folding)

    def cycles(self, folding: Folding) -> int:
        """Cycles per frame, exactly; where weights are streamed, no less than they take to come."""
        spec = self.spec(folding)
        return max(predict(spec).cycles, self.bus.cycles(self.bus.words(spec)) if self.bus else 0)


def _foldings(layer: Layer | IntegerLayer, source: Source) -> Iterable[Folding]:
    lanes, packed = LANES, isinstance(layer, Layer) and not layer.binary
    if isinstance(layer, IntegerLayer):
        lanes = INTEGER_LANES
        packed = lanes_of(layer.format.w, layer.format.u, layer.name) is WEIGHT_FORMATS["ternary"]
    for pe in range(1, min(lanes, layer.units) + 1):
        for simd in range(1, min(lanes // pe, layer.columns) + 1):
            yield Folding(pe, simd, source)
            if packed:
                yield Folding(pe, simd, source, packed=True)


def area(needs: Needs, available: Needs) -> float:
    """Sum of the used shares of a device's LUT4 and memories: the scarcer a resource, the more it weighs.

    Multipliers do not count, since nothing else takes them.
    """
    return sum(count / available[kind] for kind, count in needs.items() if kind != "multiplier")


def cheapest(
    layers: Mapping[str, Options], available: Needs, limit: float, *, free: Needs | None = None, fitting: bool = True
) -> Design | None:
    """The smallest design whose layers take at most `limit` cycles each and fit into what is `free`, or None.

    Ties go to the fewest cycles. A layer whose folding is given may take longer. Without `fitting`, the design may need
    more than is available.
    """
    room = (free or available) if fitting else None
    shallow = _cheapest(layers, {name: options.shallow for name, options in layers.items()}, available, limit, room)
    if shallow is not None:
        return shallow
    return _cheapest(layers, {name: options.all for name, options in layers.items()}, available, limit, room)


def _cheapest(
    layers: Mapping[str, Options],
    choices: Mapping[str, Sequence[Option]],
    available: Needs,
    limit: float,
    room: Needs | None,
) -> Design | None:
    slow: set[tuple[str, Folding]] = set()
    while True:
        designs = [Design()]
        for name, options in layers.items():
            quick = [
                one
                for one in choices[name]
                if options.given or (one.ideal <= limit and (name, one.folding) not in slow)
            ]
            quick = [quick[index] for index in front([(*one.needs.values(), one.ideal) for one in quick], free=1)]
            designs = [design.joined(name, one) for design, one in product(designs, quick)]
            designs = [designs[index] for index in front([(*one.needs.values(), one.ideal) for one in designs], free=1)]
        if room is not None:
            designs = [design for design in designs if not design.over(room)]
        if not designs:
            return None
        design = min(designs, key=lambda one: (area(one.needs, available), one.ideal))
        # The exact cycles may exceed the ideal by a few: remove foldings that are too slow, and search again.
        found = {
            (name, one)
            for name, one in design.foldings.items()
            if not layers[name].given and layers[name].cycles(one) > limit
        }
        if not found:
            return design
        slow |= found


def front(points: Sequence[tuple[float, ...]], free: int = 0) -> list[int]:
    """Indices of the Pareto-optimal points (lower is better), sorted by coordinates; of equal points the first.

    The last `free` coordinates only break ties.
    """
    if not points:
        return []
    table = np.array(points, dtype=float)
    judged = table[:, : table.shape[1] - free]
    kept: list[int] = []
    for index in np.lexsort(table.T[::-1]):
        if not kept or not (judged[kept] <= judged[index]).all(axis=1).any():
            kept.append(int(index))
    return kept
