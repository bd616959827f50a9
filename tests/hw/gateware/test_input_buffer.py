"""The operand buffer: one vector is read while the next one is filled in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.input_buffer import InputBuffer
from hw.shape.words import words
from tests.support.hw_bench import Bench, bits_of, few, to_words
from tests.support.random_bundles import seeds


class User:
    """Reads every word of each vector in turn, as often as told, and lets go of it."""

    def __init__(self, dut: InputBuffer, bench: Bench, frames: int, times: int = 1, pause: int = 0) -> None:
        self.vectors: list[np.ndarray] = []
        self.starts: list[int] = []

        async def script(ctx):
            await bench.begun(ctx)
            for _ in range(frames):
                while not ctx.get(dut.full):
                    await ctx.tick()
                ctx.set(dut.enable, 1)
                for time in range(times):
                    read = []
                    for word in range(dut.words):
                        ctx.set(dut.address, word)
                        ctx.set(dut.release, time == times - 1 and word == dut.words - 1)
                        start = ctx.get(dut.start)
                        await ctx.tick()
                        read.append(ctx.get(dut.data))
                    self.vectors.append(np.concatenate([bits_of(word, dut.simd) for word in read]))
                    self.starts.append(start)
                ctx.set(dut.enable, 0)
                ctx.set(dut.release, 0)
                for _ in range(pause):
                    await ctx.tick()

        bench.script(script)


@given(seed=seeds, length=st.integers(1, 20), simd=st.integers(1, 8), times=st.integers(1, 2), clean=st.booleans())
@few
def test_vectors_are_read_as_they_came(seed, length, simd, times, clean):
    rng = np.random.default_rng(seed)
    vectors, starts = rng.integers(0, 2, (4, length)), rng.integers(0, 2, 4).tolist()
    dut = InputBuffer(length, simd, clean)
    bench = Bench(dut, rng)
    user = User(dut, bench, 4, times)
    bench.feed(dut.i, to_words(rng, vectors, starts, simd), idle=0.3)
    bench.run()
    got = np.stack(user.vectors)
    assert np.array_equal(got[:, :length], vectors.repeat(times, axis=0))
    assert user.starts == np.repeat(starts, times).tolist()
    if clean:
        assert not got[:, length:].any()


def test_full_a_cycle_after_the_last_word_and_room_for_one_vector_more():
    dut = InputBuffer(6, 2, clean=False)
    bench = Bench(dut)
    fed = bench.feed(dut.i, [{"data": 1, "start": 0}] * 6)
    seen = bench.watch(dut.full, dut.i.ready)

    async def wait(ctx):
        await ctx.tick().repeat(10)

    bench.script(wait)
    bench.run()
    assert fed == list(range(6)), "two vectors without a gap"
    assert [full for full, _ in seen[:10]] == [0] * 3 + [1] * 7
    assert [ready for _, ready in seen[:10]] == [1] * 6 + [0] * 4


def test_release_frees_the_room_a_cycle_later():
    dut = InputBuffer(2, 2, clean=False)
    bench = Bench(dut)
    fed = bench.feed(dut.i, [{"data": index, "start": 0} for index in range(3)])

    async def script(ctx):
        await ctx.tick().repeat(5)
        ctx.set(dut.release, 1)  # in cycle 5
        await ctx.tick()
        ctx.set(dut.release, 0)

    bench.script(script)
    bench.run()
    assert fed == [0, 1, 6]


def test_data_comes_a_cycle_after_its_address_and_is_held():
    dut = InputBuffer(6, 2, clean=False)
    bench, seen = Bench(dut), []
    bench.feed(dut.i, [{"data": value, "start": 0} for value in (1, 2, 3)])

    async def script(ctx):
        await ctx.tick().until(dut.full)
        for address, enable in ((2, 1), (0, 1), (1, 0), (1, 1)):
            ctx.set(dut.address, address)
            ctx.set(dut.enable, enable)
            await ctx.tick()
            seen.append(ctx.get(dut.data))

    bench.script(script)
    bench.run()
    assert seen == [3, 1, 1, 2]


@pytest.mark.parametrize("abort", [2, 5, 8])
def test_reset_in_mid_vector_and_then_a_right_one(abort):
    rng = np.random.default_rng(abort)
    vectors = rng.integers(0, 2, (3, 9))
    dut = InputBuffer(9, 4, clean=True)
    bench = Bench(dut, rng)
    bench.aborted_run(abort, [dut.i], [])
    user = User(dut, bench, 3)
    bench.feed(dut.i, to_words(rng, vectors, [1, 0, 0], 4))
    bench.run()
    assert np.array_equal(np.stack(user.vectors)[:, :9], vectors)
    assert user.starts == [1, 0, 0] and dut.words == words(9, 4)
