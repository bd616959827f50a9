"""The update of a BGRU layer: stores r and z, and turns h~ into the new h."""

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from hw.gateware.bgru_state import State
from hw.gateware.memory import read
from hw.gateware.popcount import delayed
from hw.shape.layer_spec import LayerSpec

__all__ = ["Update", "add_update"]


class Update(NamedTuple):
    """What happens to a result, for the probe.

    taken : it is taken this cycle
    vector : 0 for r, 1 for z, 2 for h~
    new : with h~, the new h
    """

    taken: Value
    vector: Signal
    new: Signal


def add_update(m: Module, spec: LayerSpec, state: State, results: Any, repack: Any, out: Any) -> Update:
    """Take the engine's results: r and the new h go through `repack` to the state's words, the new h also to `out`.

    The sequence may already be in the next frame, so the start of an utterance is noted with this frame's r.
    Throughput: a result every `spec.result_interval` cycles.
    """
    pe = spec.folding.pe
    vector, chunk, begins = Signal(range(3)), Signal(range(spec.groups)), Signal()
    last_chunk = chunk == spec.groups - 1
    # Block RAM is far away: a chunk takes a cycle for its address, one in the memory and one out of it. It is written
    # a cycle late. The next result waits for that.
    chunk_data = delayed(m, read(m, state.chunk_cells, Cat(chunk, begins & (vector == 1))), 1)
    old_data, z_data = chunk_data[:pe], chunk_data[pe:]
    taken = results.valid & results.ready
    waits = Signal(range(spec.result_interval))
    with m.If(waits != 0):
        m.d.sync += waits.eq(waits - 1)
    with m.If(taken):
        m.d.sync += waits.eq(spec.result_interval - 1)
        m.d.sync += chunk.eq(Mux(last_chunk, 0, chunk + 1))
        with m.If(last_chunk):
            m.d.sync += vector.eq(Mux(vector == 2, 0, vector + 1))
        with m.If(vector == 0):
            m.d.sync += begins.eq(results.payload.start | state.fresh)
    valid = results.valid & (waits == 0)
    new = Signal(pe)
    chunk_write = state.chunk_cells.write_port()
    written = Mux(vector == 1, Cat(old_data, results.payload.data), new)
    m.d.sync += [chunk_write.addr.eq(chunk), chunk_write.data.eq(written), chunk_write.en.eq(taken & (vector != 0))]
    m.d.comb += [
        new.eq((z_data & old_data) | (~z_data & results.payload.data)),
        repack.payload.data.eq(Mux(vector == 0, ~results.payload.data, new)),
        out.payload.data.eq(new),
        out.payload.start.eq(results.payload.start),
    ]
    # `repack` and `out` must both take the new h, each exactly once, and `repack` is ready without being asked.
    m.d.comb += [
        repack.valid.eq(valid & ((vector == 0) | ((vector == 2) & out.ready))),
        out.valid.eq(valid & (vector == 2) & repack.ready),
        results.ready.eq((waits == 0) & ((vector == 1) | (repack.ready & ((vector == 0) | out.ready)))),
    ]
    return Update(taken, vector, new)
