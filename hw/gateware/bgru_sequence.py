"""The sequence of a recurrent layer: the order in which the engine gets words, by pass, row group and word."""

from amaranth.hdl import Cat, Module, Mux, Signal

from hw.gateware.bgru_state import Offer, RecurrentState
from hw.gateware.engine import Engine
from hw.gateware.input_buffer import InputBuffer
from hw.gateware.memory import read
from hw.gateware.popcount import delayed
from hw.shape.layer_spec import LayerSpec

__all__ = ["add_sequence"]


def add_sequence(m: Module, spec: LayerSpec, x: InputBuffer, state: RecurrentState, engine: Engine) -> None:
    """Read x and the state in the order of use and offer their words to the engine.

    A word of x needs a whole input vector, a word of h all of h before the frame, and a word of r * h all of r.
    Throughput: one word per cycle.
    """
    n = spec.words
    word, group, candidate_pass = Signal(range(n)), Signal(range(2 * spec.groups)), Signal()
    last_word = word == n - 1
    last_group = group == Mux(candidate_pass, spec.groups - 1, 2 * spec.groups - 1)
    recurrent = word >= spec.x_words
    h_word = Signal(range(spec.h_words))
    offered, offered_recurrent = Signal(), Signal()
    step = ~offered | engine.i.ready
    ready = x.full & (~recurrent | Mux(candidate_pass, state.r_complete, state.h_complete))
    reading = ready & step
    # The memories are read at the word that is offered, again and again until it is taken; the operand comes two cycles
    # later, out of block RAM's own registers. (The buffer is released while the last word, one of h, is about to be
    # offered: the words of x are through by then.)
    x_address, h_address = Signal(range(spec.x_words)), Signal(range(state.h_cells.depth))
    h_data = read(m, state.h_cells, h_address)
    dynamic = recurrent & candidate_pass
    last_x = delayed(m, x_address == spec.x_words - 1, 2)
    offer = Offer(step, h_word, dynamic, delayed(m, offered_recurrent, 2), last_x)
    m.d.comb += [
        x.address.eq(x_address),
        x.enable.eq(1),
        engine.i.valid.eq(offered),
        engine.x.eq(state.operands(m, offer, delayed(m, x.data, 1), delayed(m, h_data, 1))),
    ]
    with m.If(step):
        m.d.sync += [
            offered.eq(ready),
            offered_recurrent.eq(recurrent),
            x_address.eq(word),
            h_address.eq(Cat(h_word, state.bank_read(x.start | state.fresh, dynamic))),
            engine.i.payload.first.eq(word == 0),
            engine.i.payload.last.eq(last_word),
            engine.i.payload.start.eq(x.start),
        ]
        if "turn" in engine.i.payload.shape().members:
            m.d.sync += engine.i.payload.turn.eq(word == spec.x_words)
    with m.If(reading):
        m.d.sync += word.eq(Mux(last_word, 0, word + 1))
        with m.If(recurrent):
            m.d.sync += h_word.eq(Mux(last_word, 0, h_word + 1))
        with m.If(last_word):
            m.d.sync += group.eq(Mux(last_group, 0, group + 1))
            with m.If(last_group):
                m.d.sync += candidate_pass.eq(~candidate_pass)
    read_all = reading & last_word & last_group & candidate_pass
    m.d.comb += x.release.eq(read_all)
    state.release(m, read_all)
