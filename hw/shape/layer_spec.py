"""LayerSpec: the shape of a layer, which decides its cycles, its memories and nearly all of its logic."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hw.shape.cyclic_memory import CyclicShape
from hw.shape.engine_spec import LOADED, EngineSpec
from hw.shape.family import Family
from hw.shape.folding import Folding
from hw.shape.number_format import BINARY, TERNARY
from hw.shape.repack import RepackShape
from hw.shape.words import ceil_log2, words
from model.bundle.integer_layers import IntegerKind
from model.bundle.layers import Kind, Layer
from model.errors import BadInput

__all__ = ["LayerSpec", "Memory", "computed_of", "cyclic_memory", "vectors_of"]

VECTORS = {"bgru": ("r", "z", "candidate", "h"), "gru": ("r", "z", "v", "candidate", "h"), "dense": ("y",)}

AT_ONCE = {"bgru": {"candidate": "h"}, "gru": {"r": "v", "candidate": "h"}, "dense": {}}
"""Vectors that appear together with another, by that one."""


def vectors_of(kind: str) -> tuple[str, ...]:
    """The names of the vectors that a layer of this kind computes in a frame."""
    return VECTORS[kind]


def computed_of(kind: str) -> Mapping[str, str | None]:
    """The vectors that have a turn of their own, in order, and the one that appears with each, if any."""
    together = AT_ONCE[kind]
    return {name: together.get(name) for name in VECTORS[kind] if name not in together.values()}


@dataclass(frozen=True)
class Memory:
    """One memory of a layer, as the gateware declares it.

    width, depth : bits of a word, and words
    slice_width : most bits of a slice; each slice is a memory of its own
    rom : it is never written
    block : it asks for block RAM
    synchronous : what is read goes into a register, and nowhere else
    one_port : one address serves reads and writes, and it has no contents at first
    cleared : what is read goes into a register that is sometimes cleared instead
    """

    width: int
    depth: int
    slice_width: int
    rom: bool = False
    block: bool = False
    synchronous: bool = True
    one_port: bool = False
    cleared: bool = False


@dataclass(frozen=True)
class LayerSpec:
    """The shape of a layer: plain facts, from which the hardware is built and its cost is predicted.

    binary : whether no weight is 0 (rho = 1)

    Raises `BadInput` for PE beyond the units, SIMD beyond the columns of the widest matrix, packed binary weights, and
    multipliers.
    """

    name: str
    kind: Kind | IntegerKind
    inputs: int
    units: int
    binary: bool
    folding: Folding
    family: Family

    def __post_init__(self) -> None:
        columns = max(self.inputs, self.units) if self.recurrent else self.inputs
        for what, value, limit, unit in (
            ("PE", self.folding.pe, self.units, "units"),
            ("SIMD", self.folding.simd, columns, "columns"),
        ):
            if not 1 <= value <= limit:
                raise BadInput(f"layer {self.name}: expected {what} from 1 to {limit} (its {unit}), got {value}")
        if self.folding.packed and self.binary:
            raise BadInput(
                f"layer {self.name}: expected no packing, for it has no weight that is 0; got {self.folding}"
            )
        if self.folding.multipliers > self.most_multipliers:
            raise BadInput(
                f"layer {self.name}: expected at most {self.most_multipliers} multipliers on {self.family.name}, "
                f"got {self.folding}"
            )

    @classmethod
    def of(cls, layer: Layer, folding: Folding, family: Family) -> "LayerSpec":
        """The shape of a bundle's layer."""
        return cls(layer.name, layer.kind, layer.inputs, layer.units, layer.binary, folding, family)

    @property
    def recurrent(self) -> bool:
        """Whether it has a state: a BGRU or gru layer."""
        return self.kind != "dense"

    @property
    def most_multipliers(self) -> int:
        """Lanes that can take a multiplier of the device: none of bits."""
        return 0

    @property
    def input_bits(self) -> int:
        """Bits of an input."""
        return 1

    @property
    def output_bits(self) -> int:
        """Bits of an output."""
        return 1

    @property
    def in_width(self) -> int:
        """Bits of a word that it takes: `simd` inputs."""
        return self.folding.simd * self.input_bits

    @property
    def out_width(self) -> int:
        """Bits of a word that it gives: `pe` outputs."""
        return self.folding.pe

    @property
    def cleans(self) -> bool:
        """Whether bits beyond the input vector are stored as zero: binary weights do not remove them."""
        return not self.engine.format.has_zero

    @property
    def result_bits(self) -> int:
        """Bits of a result, as the probe shows it."""
        return self.folding.pe

    @property
    def element_bits(self) -> int:
        """Bits of an element of a vector, as the probe shows it."""
        return 1

    @property
    def results(self) -> int:
        """Results per vector."""
        return self.groups

    @property
    def matrices(self) -> int:
        """Matrices that stand above one another: r, z and h~ of a BGRU layer."""
        return 3 if self.recurrent else 1

    @property
    def columns(self) -> int:
        """Columns of a row: the inputs, and the state of a BGRU layer."""
        return self.inputs + (self.units if self.recurrent else 0)

    @property
    def weights(self) -> int:
        """Number of weights, zeros included."""
        return self.matrices * self.units * self.columns

    @cached_property
    def groups(self) -> int:
        """Row groups of a matrix."""
        return words(self.units, self.folding.pe)

    @cached_property
    def x_words(self) -> int:
        """Words of the input."""
        return words(self.inputs, self.folding.simd)

    @cached_property
    def h_words(self) -> int:
        """Words of the state; none in a dense layer."""
        return words(self.units, self.folding.simd) if self.recurrent else 0

    @property
    def words(self) -> int:
        """Words of a row group."""
        return self.x_words + self.h_words

    @property
    def ideal(self) -> int:
        """Lower bound on cycles per frame: the sum over the matrices of ceil(rows / PE) x ceil(columns / SIMD)."""
        return self.matrices * self.groups * self.words

    @property
    def results_apart(self) -> int:
        """Cycles between results while nothing waits."""
        return self.words

    @property
    def result_interval(self) -> int:
        """Least cycles between results.

        In a BGRU layer three pass until the next result's chunk of state is there, and one more where that is the
        chunk just written.
        """
        if not self.recurrent:
            return 1
        return 3 if self.groups > 1 else 4

    @cached_property
    def engine(self) -> EngineSpec:
        """Its engine."""
        return EngineSpec(
            format=BINARY if self.binary else TERNARY,
            folding=self.folding,
            columns=self.columns,
            dynamic=self.recurrent,
            groups=self.matrices * self.groups,
            words=self.words,
            family=self.family,
        )

    @cached_property
    def repack(self) -> RepackShape:
        """What turns a BGRU layer's results into words of its state."""
        return RepackShape(self.units, self.folding.pe, self.folding.simd)

    @cached_property
    def memories(self) -> Mapping[str, Memory]:
        """Its memories, by their path in the layer's hierarchy."""
        pe, simd, engine = self.folding.pe, self.folding.simd, self.engine
        found = {}
        if engine.weights is not None:
            rom = engine.weights.rom
            found["engine.weights" if rom else f"engine.{LOADED}"] = cyclic_memory(engine.weights)
        assert engine.biases is not None
        found["engine.biases"] = cyclic_memory(engine.biases)
        found["engine.queue"] = Memory(pe + 1, engine.queue_words, pe + 1, synchronous=False)
        found["x"] = Memory(simd, 2 << ceil_log2(self.x_words), simd)
        if self.recurrent:
            found["h_cells"] = Memory(simd, 3 << ceil_log2(self.h_words), simd, block=True)
            found["off_cells"] = Memory(simd, self.h_words, simd, cleared=True)
            found["chunk_cells"] = Memory(2 * pe, 2 << ceil_log2(self.groups), 2 * pe, block=True)
        return found

    @property
    def bits(self) -> dict[str, int]:
        """Bits stored: the weights, and everything else (biases, operands, state)."""
        engine, pe, simd = self.engine, self.folding.pe, self.folding.simd
        weights = 0 if engine.weights is None else engine.weight_words * engine.weight_width
        biases = engine.groups * pe * engine.accumulator_bits
        operand = 2 * self.x_words * simd
        state = 4 * self.h_words * simd + 3 * self.groups * pe if self.recurrent else 0
        return {"weights": weights, "other": biases + operand + state}


def cyclic_memory(shape: CyclicShape) -> Memory:
    """A memory that is read in a fixed order: a ROM in block RAM, or a RAM behind one port."""
    depth = shape.depth + shape.spare_words
    return Memory(shape.width, depth, shape.slice_width, rom=shape.rom, block=shape.rom, one_port=not shape.rom)
