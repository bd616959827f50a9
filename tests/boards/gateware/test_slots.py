"""A memory of slots: bytes come back from where they were written, whatever they are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from boards.gateware.slots import Slots
from tests.support.hw_bench import Bench, few
from tests.support.random_bundles import seeds


@given(seed=seeds, slot_bits=st.integers(1, 3), place_bits=st.integers(1, 5))
@few
def test_every_byte_comes_back_from_its_slot_and_place(seed, slot_bits, place_bits):
    rng = np.random.default_rng(seed)
    dut = Slots(1 << slot_bits, place_bits)
    kept = rng.integers(256, size=(1 << slot_bits, 1 << place_bits))
    bench, got = Bench(dut), np.zeros_like(kept)

    async def script(ctx):
        ctx.set(dut.write_enable, 1)
        for slot, place in rng.permutation(list(np.ndindex(kept.shape))):
            ctx.set(dut.write_slot, int(slot))
            ctx.set(dut.write_place, int(place))
            ctx.set(dut.write_data, int(kept[slot, place]))
            await ctx.tick()
        ctx.set(dut.write_enable, 0)
        ctx.set(dut.write_data, 0)
        await ctx.tick()
        for slot, place in np.ndindex(kept.shape):
            ctx.set(dut.read_slot, slot)
            ctx.set(dut.read_place, place)
            await ctx.tick()
            got[slot, place] = ctx.get(dut.read_data)

    bench.script(script)
    bench.run()
    assert (got == kept).all()
