"""The engine: an MVU fed from its own weights, whose results wait for whoever reads them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.engine import Engine, FoldedMatrix
from hw.shape.biases import biases
from hw.shape.engine_spec import EngineSpec
from hw.shape.family import ECP5, ICE40
from hw.shape.folding import Folding
from hw.shape.number_format import BINARY, TERNARY
from tests.support.hw_bench import Bench, bits_of, few, integer
from tests.support.random_bundles import random_thresholds, random_weights, seeds

Made = tuple[EngineSpec, np.ndarray, np.ndarray]
"""An engine's shape, its weights (rows, columns) and their thresholds (rows,)."""


def made_of(rng, ternary, groups, pe, count, simd, dynamic=False, packed=False, family=ECP5, source="rom") -> Made:
    spec = EngineSpec(
        TERNARY if ternary else BINARY, Folding(pe, simd, source, packed), count * simd, dynamic, groups, count, family
    )
    weights = random_weights(rng, (groups * pe, count * simd), 0.6 if ternary else 1.0)
    return spec, weights, random_thresholds(rng, weights)


def engine_of(spec: EngineSpec, weights: np.ndarray, theta: np.ndarray) -> Engine:
    return Engine(spec, FoldedMatrix(spec, weights, biases(weights, theta, spec.dynamic)))


def word_items(spec: EngineSpec, xs: np.ndarray, actives: np.ndarray) -> tuple[list[dict[str, Any]], list[list[int]]]:
    """Each vector's words, once per row group, and their operands; an inactive lane's are +1 and -1."""
    items, x_words = [], []
    simd = spec.folding.simd
    for frame, (x, active) in enumerate(zip(xs, actives, strict=True)):
        for _ in range(spec.groups):
            for word in range(spec.words):
                lanes = slice(word * simd, (word + 1) * simd)
                first, last = word == 0, word == spec.words - 1
                operands = [integer(x[lanes] | ~active[lanes] & 1), integer(x[lanes] & active[lanes])]
                items.append({"first": first, "last": last, "start": frame == 0})
                x_words.append(operands if spec.dynamic else [integer(x[lanes])])
    return items, x_words


def run(made: Made, frames, rng, idle=0.0, stall=0.0, abort=0):
    """Random vectors through an engine and compared; returns it, the cycles in and the log of the results."""
    spec, weights, theta = made
    dut, source = engine_of(*made), spec.folding.weights
    bench = Bench(dut, rng)
    if abort:
        bench.aborted_run(abort, [dut.i, *([dut.load] if source != "rom" else [])], [dut.o])
    xs, actives = rng.integers(0, 2, (2, frames, spec.columns))
    items, x_words = word_items(spec, xs, actives)

    async def bring_operands(ctx):
        await bench.begun(ctx)
        coming, left = None, iter(x_words)
        while coming is not None or len(fed) < len(items):
            *_, valid, ready = await ctx.tick().sample(dut.i.valid, dut.i.ready)
            if coming is not None:
                ctx.set(dut.x, coming)
            coming = next(left) if valid and ready else None

    fed = bench.feed(dut.i, items, idle)
    bench.script(bring_operands)
    got = bench.drain(dut.o, frames * spec.groups, stall)
    if source != "rom":
        bench.feed(dut.load, dut.matrix.weight_words * (frames if source == "streamed" else 1), idle)
    bench.run()
    operands = (2 * xs - 1) * (actives if spec.dynamic else 1)
    bits = np.concatenate([bits_of(int(payload.data), spec.folding.pe) for _, payload in got])
    assert np.array_equal(bits.reshape(frames, -1), operands @ weights.astype(int).T >= theta)
    assert [int(payload.start) for _, payload in got] == [1] * spec.groups + [0] * spec.groups * (frames - 1)
    return dut, fed, got


def test_weights_are_stored_in_the_order_of_use():
    weights = np.array([[1, 1, 1, -1], [-1, 1, 1, 1], [1, -1, -1, -1], [1, 1, -1, 1]], dtype=np.int8)
    spec = EngineSpec(BINARY, Folding(2, 2), columns=4, dynamic=False, groups=2, words=2, family=ECP5)
    matrix = FoldedMatrix(spec, weights, np.array([0, -1, 2, 3]))
    # A word holds row 0's lanes and then row 1's, lowest bit first.
    assert matrix.weight_words == [0b10_11, 0b11_01, 0b11_01, 0b10_00]
    # Biases are four bits wide and signed, a row group's lowest row lowest.
    assert spec.accumulator_bits == 4
    assert matrix.bias_words == [0b1111_0000, 0b0011_0010]
    assert matrix.weight_width == spec.weight_width == 4


@given(
    seed=seeds,
    stored=st.sampled_from(["binary", "ternary", "packed"]),
    dynamic=st.booleans(),
    source=st.sampled_from(["rom", "loaded", "streamed"]),
    pe=st.integers(1, 3),
    simd=st.integers(1, 5),
    groups=st.integers(1, 3),
    count=st.integers(1, 3),
)
@few
def test_products_under_idles_and_back_pressure(seed, stored, dynamic, source, pe, simd, groups, count):
    rng = np.random.default_rng(seed)
    made = made_of(rng, stored != "binary", groups, pe, count, simd, dynamic, stored == "packed", source=source)
    run(made, frames=3, rng=rng, idle=0.3, stall=0.6)


@pytest.mark.parametrize("family", [ECP5, ICE40], ids=lambda it: it.name)
@pytest.mark.parametrize("count", [1, 3])
def test_one_word_per_cycle_and_latency(family, count):
    rng = np.random.default_rng(1)
    dut, fed, got = run(made_of(rng, True, 3, 2, count, 4, family=family), 4, rng)
    assert fed == list(range(len(fed)))
    assert [cycle for cycle, _ in got] == [cycle + dut.spec.latency for cycle in fed[count - 1 :: count]]


def test_no_more_results_are_begun_than_there_is_room_for():
    rng = np.random.default_rng(2)
    made = made_of(rng, True, 2, 2, 1, 4)
    spec, dut = made[0], engine_of(*made)
    bench = Bench(dut)
    items, _ = word_items(spec, *rng.integers(0, 2, (2, 20, spec.columns)))
    taken = []

    async def offer(ctx):
        ctx.set(dut.i.valid, 1)
        for _ in range(60):
            ctx.set(dut.i.payload, items[len(taken) % len(items)])
            *_, ready = await ctx.tick().sample(dut.i.ready)
            if ready:
                taken.append(1)

    bench.script(offer)
    bench.run()  # nobody reads the results
    assert len(taken) == spec.queue_words == spec.latency + 3


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("source", ["rom", "loaded", "streamed"])
@pytest.mark.parametrize("abort", [4, 9, 23])
def test_reset_in_mid_vector_and_then_right_ones(source, packed, abort):
    rng = np.random.default_rng(abort)
    made = made_of(rng, True, 3, 2, 2, 3, packed=packed, source=source)
    run(made, frames=3, rng=rng, idle=0.2, stall=0.4, abort=abort)


def test_a_loaded_engine_waits_for_its_weights():
    rng = np.random.default_rng(3)
    dut, fed, _ = run(made_of(rng, True, 2, 2, 2, 3, source="loaded"), 2, rng)
    assert fed[0] == len(dut.matrix.weight_words)
