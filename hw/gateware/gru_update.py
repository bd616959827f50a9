"""The update of a gru layer: turns r into v, stores z, and turns h~ into the new h."""

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed

from hw.gateware.gru_state import GruState
from hw.gateware.integer_operands import outgoing
from hw.gateware.memory import read
from hw.shape.integer_layer_spec import IntegerLayerSpec

__all__ = ["GruUpdated", "add_gru_update"]


class GruUpdated(NamedTuple):
    """What happens to an entry, for the probe.

    taken : it is done with this cycle
    vector : 0 for r, 1 for z, 2 for h~
    entry : r, z or h~
    new : with r, v; with h~, the new h
    """

    taken: Value
    vector: Signal
    entry: Signal
    new: Signal


def add_gru_update(
    m: Module, spec: IntegerLayerSpec, state: GruState, entries: Any, repack: Any, out: Any
) -> GruUpdated:
    """Take the requantiser's entries: v and the new h go through `repack` to the state's words, the new h to `out` too.

    Rule 14.6 of docs/exact-meaning.md with a product of one bit of the gate each cycle:
    `v = (r h + half) >> (n - 1)` and `h = h~ + ((z (h - h~) + half) >> (n - 1))`. It takes `spec.update_cycles` from an
    entry to its result, less than the requantiser's row, so it is ready for every entry.

    The sequence may already be in the next frame, so the start of an utterance is noted with this frame's r.
    """
    own, n, end = spec.own_bits, spec.output_bits, spec.update_cycles - 1
    vector, unit, begins = Signal(range(3)), Signal(range(spec.units)), Signal()
    last_unit = unit == spec.units - 1
    cells = read(m, state.unit_cells, Cat(unit, begins & (vector != 2)))
    old, z = cells[:own].as_signed(), cells[own:]

    step, start = Signal(range(spec.update_cycles)), Signal()
    entry, gate = Signal(own, reset_less=True), Signal(n, reset_less=True)
    factor, total = Signal(signed(own + 1), reset_less=True), Signal(signed(own + 2), reset_less=True)
    new, done, taken = Signal(own), Signal(), Signal()
    # To round, a one is added with the last bit that is shifted out.
    added = total + Mux(gate[0], factor, 0) + ((step == end - 2) if n > 1 else 0)
    with m.If(step == 0):
        with m.If(entries.valid):
            m.d.sync += [step.eq(1), entry.eq(entries.payload.data), start.eq(entries.payload.start)]
            with m.If(vector == 0):
                m.d.sync += begins.eq(entries.payload.start | state.fresh)
    with m.Elif(~done):
        m.d.sync += [step.eq(step + 1), gate.eq(gate >> 1), total.eq(Mux(step == end - 1, added, added >> 1))]
    with m.If(step == 2):
        m.d.sync += [
            gate.eq(Mux(vector == 0, entry, z)),
            factor.eq(Mux(vector == 0, old, old - entry.as_signed())),
            total.eq(0),
        ]
    write = state.unit_cells.write_port()
    m.d.comb += [
        entries.ready.eq(step == 0),
        done.eq(step == end),
        new.eq(Mux(vector == 2, entry.as_signed() + total, total)),
        taken.eq(done & ((vector != 2) | out.ready)),
        write.addr.eq(unit),
        write.data.eq(Mux(vector == 1, Cat(old, entry), Cat(new, z))),
        write.en.eq(taken & (vector != 0)),
        # `repack` is always ready, because the state is.
        repack.payload.data.eq(new),
        repack.valid.eq(taken & (vector != 1)),
        out.payload.data.eq(outgoing(new, n)),
        out.payload.start.eq(start),
        out.valid.eq(done & (vector == 2)),
    ]
    with m.If(taken):
        m.d.sync += [step.eq(0), unit.eq(Mux(last_unit, 0, unit + 1))]
        with m.If(last_unit):
            m.d.sync += vector.eq(Mux(vector == 2, 0, vector + 1))
    return GruUpdated(taken, vector, entry, new)
