"""The MVU of integers: `pe` rows and `simd` columns per cycle, exact sums."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.lanes import MULTIPLIER, Multiplier, lanes
from hw.gateware.popcount import delayed
from hw.shape.integer_engine_spec import IntegerEngineSpec, integer_mvu_latency

__all__ = ["IntegerMVU", "Sums"]


class Sums(data.StructLayout):
    """The sums of a row group: `data` has for each row its sum `w` and, in a gru layer, `u`; `start` as in a `Word`."""

    def __init__(self, spec: IntegerEngineSpec) -> None:
        row = data.StructLayout({name: signed(bits) for name, bits in zip("wu", spec.sum_bits, strict=False)})
        super().__init__({"data": data.ArrayLayout(row, spec.folding.pe), "start": 1})


class IntegerMVU(wiring.Component):
    """Multiply and add over the words of a row group; output each row's sum.

    A row group's words come one per cycle, the first with `first`, the last with `last`. With two sums, over W and over
    U, the first word of U comes with `turn`: the sum over W waits in a register.

    Latency: `latency` cycles from the last word to the result: a register behind the products, one behind each level of
    adders, one to accumulate. Throughput: one word per cycle, without back-pressure.
    Cost per row: a lane (`hw.gateware.lanes`) and an adder per column, the accumulator, the sum that waits;
    `folding.multipliers` lanes of all rows take a multiplier each.

    Members
    -------
    i : In(stream of {weights, x, first, turn, last, start}, always ready); `turn` only with two sums
    o : Out(stream of Sums, always ready)
    """

    def __init__(self, spec: IntegerEngineSpec) -> None:
        self.spec = spec
        pe, simd = spec.folding.pe, spec.folding.simd
        self.latency = integer_mvu_latency(simd)
        self.marks = ("first", "turn", "last", "start") if len(spec.sum_bits) > 1 else ("first", "last", "start")
        word = {
            "weights": data.ArrayLayout(spec.format.bits * simd, pe),
            "x": data.ArrayLayout(signed(spec.operand_bits), simd),
            **dict.fromkeys(self.marks, 1),
        }
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout(word), always_ready=True)),
                "o": Out(stream.Signature(Sums(spec), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, word = self.spec, self.i.payload
        marks = {mark: delayed(m, word[mark], self.latency - 1) for mark in self.marks}
        valid = delayed(m, self.i.valid, self.latency - 1, reset=True)
        done = Signal()
        m.d.sync += [done.eq(valid & marks["last"]), self.o.payload.start.eq(marks["start"])]
        m.d.comb += self.o.valid.eq(done)
        begins = marks["first"] | marks.get("turn", 0)
        x = [word.x[lane] for lane in range(spec.folding.simd)]
        for row in range(spec.folding.pe):
            products = self._products(m, row, word.weights[row], x)
            sums = self.o.payload.data[row]
            total = Signal(signed(spec.accumulator_bits), reset_less=True, name=f"total_{row}")
            added = _tree(m, [_register(m, product, spec.product_bits) for product in products])
            with m.If(valid):
                m.d.sync += total.eq(Mux(begins, 0, total) + added)
            if "turn" in marks:
                waiting = Signal(signed(spec.sum_bits[0]), reset_less=True, name=f"waiting_{row}")
                with m.If(valid & marks["turn"]):
                    m.d.sync += waiting.eq(total)
                m.d.comb += [sums.w.eq(waiting), sums.u.eq(total)]
            else:
                m.d.comb += sums.w.eq(total)
        return m

    def _products(self, m: Module, row: int, weights: Value, x: list[Value]) -> list[Value]:
        """The products of a row: the lanes with a multiplier come first, row by row."""
        spec, format = self.spec, self.spec.weights_format
        products = lanes(format).products(weights, x)
        for lane in range(min(spec.folding.multipliers - row * spec.folding.simd, spec.folding.simd)):
            multiplier = Multiplier(format.bits, spec.operand_bits)
            m.submodules[f"{MULTIPLIER}_{row}_{lane}"] = multiplier
            m.d.comb += [multiplier.weight.eq(weights.word_select(lane, format.bits)), multiplier.x.eq(x[lane])]
            products[lane] = multiplier.product
        return products


def _register(m: Module, value: Value, bits: int) -> Signal:
    register = Signal(signed(bits), reset_less=True, name="product")
    m.d.sync += register.eq(value)
    return register


def _tree(m: Module, values: list[Signal]) -> Signal:
    """The sum of values, a register behind each level of adders."""
    while len(values) > 1:
        level = []
        for index in range(0, len(values), 2):
            bits = len(values[index]) + 1 if index + 1 < len(values) else len(values[index])
            total = Signal(signed(bits), reset_less=True, name="tree")
            m.d.sync += total.eq(values[index] + values[index + 1] if index + 1 < len(values) else values[index])
            level.append(total)
        values = level
    return values[0]
