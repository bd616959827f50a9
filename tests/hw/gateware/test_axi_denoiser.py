"""The denoiser's core: recordings of any length come out as the reference's; bus rules; registers."""

from itertools import pairwise

import numpy as np
import pytest
from amaranth.hdl import Cat
from amaranth.lib.wiring import In
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.axi import MAGIC
from hw.gateware.axi_denoiser import AxiDenoiser
from model.reference.denoise import apply_mask, denoise
from tests.hw.gateware.test_axi import stream
from tests.hw.gateware.test_denoiser import made
from tests.support.audio_engine import random_samples
from tests.support.hw_bench import Bench, few
from tests.support.hw_layers import weights_sent
from tests.support.random_bundles import seeds

pytestmark = pytest.mark.simulator

ADDRESS = {register.name: address for address, register in enumerate(AxiDenoiser.registers)}
LAST = 1 << 16


def packet(samples):
    """Words of {tlast, tdata}."""
    return [int(sample) & 0xFFFF | (index == len(samples) - 1) * LAST for index, sample in enumerate(samples)]


def wanted(bundle, samples, bypass=False):
    """The packet that must come out."""
    out, mask = denoise(bundle, samples)
    return packet(apply_mask(bundle.front_end, samples, np.ones_like(mask)) if bypass else out)


def read_all(ctx, dut, found):
    """Read every register."""

    async def read():
        for name, address in ADDRESS.items():
            ctx.set(Cat(dut.wb_cyc_i, dut.wb_stb_i, dut.wb_we_i, dut.wb_adr_i), 0b011 | address << 3)
            (found[name],) = await ctx.tick().sample(dut.wb_dat_o).until(dut.wb_ack_o)
            ctx.set(dut.wb_stb_i, 0)
            await ctx.tick()

    return read()


def through(bundle, denoiser, recordings, rng, idle=0.0, stall=0.0, bypass=False):
    """Recordings through the core, compared with the reference; the registers in the middle and in the end."""
    dut = AxiDenoiser(denoiser)
    frames = sum(-(-len(one) // bundle.front_end.hop) + 3 for one in recordings)
    bench = Bench(dut, rng, limit=60_000 + frames * 8_000)
    expected = [word for one in recordings for word in wanted(bundle, one, bypass)]
    m_axis = stream(dut, "m_axis", "tlast")
    watched = bench.watch(m_axis.valid, m_axis.ready, m_axis.payload)
    bench.feed(stream(dut, "s_axis", "tlast"), [word for one in recordings for word in packet(one)], idle)
    for name in dut.loads:
        bench.feed(stream(dut, f"s_axis_{name}"), weights_sent(dut.network.layers[name], frames))
    got = bench.drain(m_axis, len(expected), stall)
    before, after = {}, {}

    async def registers(ctx):
        ctx.set(dut.bypass, bypass)
        await ctx.tick()
        await read_all(ctx, dut, before)
        while len(got) < len(expected):
            await ctx.tick()
        await ctx.tick().repeat(2_000)  # the rest of the last hop is dropped
        await read_all(ctx, dut, after)

    bench.script(registers)
    bench.run()
    assert [payload for _, payload in got] == expected
    for (valid, ready, payload), later in pairwise(watched):
        if valid and not ready:
            assert (later[0], later[2]) == (1, payload), "a sample that waits stays as it is"
    assert after["stalled"] == sum(valid and not ready for valid, ready, _ in watched)
    return before, after


@given(
    seed=seeds,
    lengths=st.lists(st.integers(1, 11), min_size=1, max_size=3),
    idle=st.sampled_from([0.0, 0.5, 0.99]),
    stall=st.sampled_from([0.0, 0.5, 0.995]),
    bypass=st.booleans(),
)
@few
def test_every_recording_is_the_reference_under_any_traffic(seed, lengths, idle, stall, bypass):
    """As many samples out as in, tlast with the last; lengths on both sides of a hop of four samples."""
    bundle, denoiser = made(16, 2, 5, 1)
    rng = np.random.default_rng(seed)
    recordings = [random_samples(rng, length) for length in lengths]
    _, after = through(bundle, denoiser, recordings, rng, idle, stall, bypass)
    total = sum(lengths)
    assert after["magic"] == MAGIC and after["version"] == 2
    assert (after["identity_low"] | after["identity_high"] << 32).to_bytes(8, "little") == bundle.identity
    assert (after["sample_rate"], after["hop"]) == (16_000, 4)
    assert (after["samples_in"], after["samples_out"], after["recordings"]) == (total, total, len(lengths))
    assert after["status"] == 0


@pytest.mark.parametrize("length", [4, 29])
def test_a_long_wait_at_the_output_loses_no_sample(length):
    """The engine fills up: its queue, the frames in flight and the hops that wait."""
    bundle, denoiser = made(16, 1, 5, 1)
    rng = np.random.default_rng(length)
    through(bundle, denoiser, [random_samples(rng, length)] * 2, rng, stall=0.998)


@pytest.mark.parametrize("weights", ["loaded", "streamed"])
def test_weights_that_come_from_outside_give_the_same(weights):
    bundle, denoiser = made(16, 1, 5, 1, weights=weights)
    rng = np.random.default_rng(4)
    before, after = through(bundle, denoiser, [random_samples(rng, 9)], rng)
    assert before["status"] >> 2 == (weights == "loaded") and after["status"] == 0


def test_a_stream_without_an_end_comes_out_all_but_the_overlap():
    """Without tlast, all come out but the overlap that still waits for sound: N - hop samples."""
    bundle, denoiser = made(16, 1, 5, 1)
    dut, rng = AxiDenoiser(denoiser), np.random.default_rng(5)
    samples = random_samples(rng, 64)
    bench = Bench(dut, rng, limit=200_000)
    bench.feed(stream(dut, "s_axis", "tlast"), [word & ~LAST for word in packet(samples)])
    count = len(samples) - 3 * 4
    got = bench.drain(stream(dut, "m_axis", "tlast"), count)
    bench.run()
    assert [payload for _, payload in got] == [word & ~LAST for word in wanted(bundle, samples)[:count]]


def test_no_output_follows_an_input_within_the_cycle():
    """AXI forbids it: every input is inverted in mid-cycle, in every state that random traffic reaches."""
    _, denoiser = made(16, 1, 5, 1)
    dut, rng = AxiDenoiser(denoiser), np.random.default_rng(6)
    bench = Bench(dut, rng, limit=30_000)
    inputs = [getattr(dut, name) for name, member in dut.signature.members.items() if member.flow is In]
    outputs = Cat(getattr(dut, name) for name, member in dut.signature.members.items() if member.flow is not In)
    given_out = []

    async def script(ctx):
        for _ in range(8_000):
            given = [int(value) for value in rng.integers(0, [1 << len(each) for each in inputs])]
            for each, value in zip(inputs, given, strict=True):
                ctx.set(each, value)
            await ctx.delay(1e-7)
            before = ctx.get(outputs)
            for each, value in zip(inputs, given, strict=True):
                ctx.set(each, value ^ (1 << len(each)) - 1)
                assert ctx.get(outputs) == before, f"{each.name} shows at once"
                ctx.set(each, value)
            *_, valid, ready = await ctx.tick().sample(dut.m_axis_tvalid, dut.m_axis_tready)
            given_out.append(valid and ready)

    bench.script(script)
    bench.run()
    assert any(given_out)


def test_the_outputs_right_after_reset_are_defined_and_a_recording_begins():
    bundle, denoiser = made(16, 1, 5, 1)
    dut, rng = AxiDenoiser(denoiser), np.random.default_rng(7)
    s_axis, m_axis = stream(dut, "s_axis", "tlast"), stream(dut, "m_axis", "tlast")
    bench = Bench(dut, rng, limit=100_000)
    bench.aborted_run(2_500, [s_axis], [m_axis])
    samples, seen = random_samples(rng, 6), []
    bench.feed(s_axis, packet(samples))
    got = bench.drain(m_axis, 6)

    async def look(ctx):
        await bench.begun(ctx)
        seen.append((ctx.get(dut.m_axis_tvalid), ctx.get(dut.m_axis_tlast)))

    bench.script(look)
    bench.run()
    assert seen == [(0, 0)]
    assert [payload for _, payload in got] == wanted(bundle, samples)
