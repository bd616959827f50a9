"""IntegerLayerSpec: the shape of a layer of integers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hw.shape.engine_spec import LOADED
from hw.shape.family import Family
from hw.shape.folding import Folding
from hw.shape.integer_engine_spec import IntegerEngineSpec, lanes_of, sum_bits
from hw.shape.layer_spec import LayerSpec, Memory, cyclic_memory
from hw.shape.number_format import NumberFormat
from hw.shape.repack import RepackShape
from hw.shape.requantiser import ROW_CYCLES, RequantiserShape
from hw.shape.row_constants import StoredBits, stored_bits
from hw.shape.words import ceil_log2
from model.bundle.formats import WEIGHT_FORMATS, Format, WeightFormat
from model.bundle.integer_layers import IntegerLayer
from model.errors import BadInput

__all__ = ["IntegerLayerSpec"]


@dataclass(frozen=True)
class IntegerLayerSpec(LayerSpec):
    """The shape of a gru layer, or of a dense layer with a format. It gives one element of a vector at a time.

    Raises `BadInput` also for W and U that no lane can multiply (`lanes_of`), for packed weights that are not ternary,
    and for more multipliers than `most_multipliers`.

    format : of its numbers
    stored : the bits of its requantiser's constants that are in memory
    """

    format: Format
    stored: StoredBits

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.folding.packed and self.lanes is not WEIGHT_FORMATS["ternary"]:
            raise BadInput(
                f"layer {self.name}: expected no packing, for its weights are {self.lanes.name}; got {self.folding}"
            )

    @classmethod
    def of_integers(cls, layer: IntegerLayer, folding: Folding, family: Family) -> "IntegerLayerSpec":
        """The shape of a bundle's layer."""
        own = layer.format
        binary = own.w.zero is False and (own.u is None or own.u.zero is False)
        return cls(layer.name, layer.kind, layer.inputs, layer.units, binary, folding, family, own, stored_bits(layer))

    @property
    def lanes(self) -> WeightFormat:
        """The format of its lanes."""
        return lanes_of(self.format.w, self.format.u, self.name)

    @property
    def most_multipliers(self) -> int:
        """Lanes that can take a multiplier of the device."""
        return self.engine.most_multipliers

    @property
    def input_bits(self) -> int:
        """Bits of an input."""
        return self.format.input_bits

    @property
    def output_bits(self) -> int:
        """Bits of an output."""
        return self.format.output_bits

    @property
    def own_bits(self) -> int:
        """Bits of an element inside the layer: two at least, for -1, 0 and +1."""
        return self.requantiser.own_bits

    @property
    def out_width(self) -> int:
        """Bits of a word that it gives: one element."""
        return self.output_bits

    @property
    def cleans(self) -> bool:
        """Never: `hw.gateware.integer_operands` does."""
        return False

    @property
    def result_bits(self) -> int:
        """Bits of a result, as the probe shows it."""
        return self.own_bits

    @property
    def element_bits(self) -> int:
        """Bits of an element of a vector, as the probe shows it."""
        return self.own_bits

    @property
    def results(self) -> int:
        """Results per vector."""
        return self.units

    @property
    def results_apart(self) -> int:
        """Cycles between results while nothing waits, at least."""
        return ROW_CYCLES

    @property
    def result_interval(self) -> int:
        """Least cycles between results."""
        return ROW_CYCLES

    @property
    def update_cycles(self) -> int:
        """Cycles of the update of a gru layer: one to take the entry, two to read its unit, one a bit, one to end."""
        return self.output_bits + 4

    @property
    def last_rows(self) -> int:
        """Rows of a matrix's last row group that are no padding."""
        return self.units - (self.groups - 1) * self.folding.pe

    @cached_property
    def engine(self) -> IntegerEngineSpec:
        """Its engine."""
        own, lanes = self.format, self.lanes
        operands, sums = [own.input_bits], [sum_bits(self.inputs, own.w, own.input_bits)]
        if own.u is not None:
            operands.append(own.output_bits)
            sums.append(sum_bits(self.units, own.u, own.output_bits))
        return IntegerEngineSpec(
            format=NumberFormat(lanes.name, lanes.zero, lanes.bits),
            folding=self.folding,
            columns=self.columns,
            dynamic=False,
            groups=self.matrices * self.groups,
            words=self.words,
            family=self.family,
            operand_bits=max(2, *operands),
            sum_bits=tuple(sums),
        )

    @cached_property
    def requantiser(self) -> RequantiserShape:
        """Its requantiser."""
        own = self.format
        sums = [sum_bits(self.inputs, own.w, own.input_bits)]
        if own.u is not None:
            sums.append(sum_bits(self.units, own.u, own.output_bits))
        return RequantiserShape(own, self.inputs, self.units, self.matrices, tuple(sums), self.stored, self.family)

    @cached_property
    def repack(self) -> RepackShape:
        """What turns a gru layer's elements into words of its state."""
        return RepackShape(self.units * self.own_bits, self.own_bits, self.folding.simd * self.own_bits)

    @cached_property
    def memories(self) -> Mapping[str, Memory]:
        """Its memories, by their path in the layer's hierarchy."""
        simd, engine, requantiser = self.folding.simd, self.engine, self.requantiser
        found = {}
        if engine.weights is not None:
            rom = engine.weights.rom
            found["engine.weights" if rom else f"engine.{LOADED}"] = cyclic_memory(engine.weights)
        result = engine.result_bits + 1
        found["engine.queue"] = Memory(result, engine.queue_words, result, synchronous=False)
        if requantiser.constants is not None:
            found["requantiser.constants"] = cyclic_memory(requantiser.constants)
        entry = requantiser.own_bits
        found["requantiser"] = Memory(entry, requantiser.entries, entry, rom=True, block=True)
        found["x"] = Memory(self.in_width, 2 << ceil_log2(self.x_words), self.in_width)
        if self.recurrent:
            word, unit = simd * self.own_bits, 2 * self.own_bits
            found["h_cells"] = Memory(word, 4 << ceil_log2(self.h_words), word, block=True)
            found["unit_cells"] = Memory(unit, 2 << ceil_log2(self.units), unit, block=True)
        return found

    @property
    def bits(self) -> dict[str, int]:
        """Bits stored: the weights, and everything else (constants, tables, operands, state)."""
        engine, requantiser = self.engine, self.requantiser
        weights = 0 if engine.weights is None else engine.weight_words * engine.weight_width
        constants = requantiser.rows * requantiser.stored.count
        table, operand = requantiser.entries * self.own_bits, 2 * self.x_words * self.in_width
        words, units = 4 * self.h_words * self.folding.simd, 3 * self.units
        state = (words + units) * self.own_bits if self.recurrent else 0
        return {"weights": weights, "other": constants + table + operand + state}
