"""The AXI4-Stream wrapper: bit exact under any traffic, the rules of the bus, frames of a wrong length, registers."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.hdl import Cat
from amaranth.lib.wiring import In
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.axi import MAGIC, AxiNetwork, octets
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from hw.shape.words import words
from model.errors import BadInput
from tests.support.hw_bench import Bench, few, integer
from tests.support.hw_layers import golden_frames, weights_sent
from tests.support.random_bundles import bundles, random_bundle, random_features, random_foldings, seeds

pytestmark = pytest.mark.simulator

ADDRESS = {register.name: address for address, register in enumerate(AxiNetwork.registers)}
widths = st.sampled_from([8, 16, 24, 32])


def stream(dut, prefix, *parts):
    """One of the wrapper's streams as the bench knows them; the payload is its parts in a row."""
    payload = Cat(getattr(dut, f"{prefix}_{part}") for part in ("tdata", *parts))
    return SimpleNamespace(
        payload=payload, valid=getattr(dut, f"{prefix}_tvalid"), ready=getattr(dut, f"{prefix}_tready")
    )


def frame_words(rng, features, start, width, length=None):
    """A frame on s_axis: data, tlast, tuser; `length` words instead of what is right. What follows the first word's
    tuser is noise, as are the bits beyond the features and the words beyond the frame."""
    right = words(len(features), width)
    length = right if length is None else length
    bits = np.concatenate([features, rng.integers(0, 2, max(length, right) * width)])
    return [
        integer(bits[index * width :][:width])
        | (index == length - 1) << width
        | int(start if index == 0 else rng.integers(2)) << width + 1
        for index in range(length)
    ]


def cut_short(features, width, length):
    """What the network sees of a frame of `length` words."""
    return np.where(np.arange(len(features)) < length * width, features, 0)


def mask_words(mask, start, width):
    """What m_axis must carry: data, tkeep, tlast, tuser."""
    count, keep = words(len(mask), width), width // 8
    padded = np.pad(mask, (0, count * width - len(mask)))
    bytes_used = [min(keep, words(len(mask) - index * width, 8)) for index in range(count)]
    return [
        integer(padded[index * width :][:width])
        | (1 << bytes_used[index]) - 1 << width
        | (index == count - 1) << width + keep
        | start << width + keep + 1
        for index in range(count)
    ]


def begun(starts):
    """tuser of each frame's mask: the first frame after reset begins an utterance whether it says so or not."""
    return [1, *starts[1:]]


async def read(ctx, dut, name):
    ctx.set(Cat(dut.wb_cyc_i, dut.wb_stb_i, dut.wb_we_i, dut.wb_adr_i), 0b011 | ADDRESS[name] << 3)
    (value,) = await ctx.tick().sample(dut.wb_dat_o).until(dut.wb_ack_o)
    ctx.set(dut.wb_stb_i, 0)
    await ctx.tick()
    return value


async def clear(ctx, dut):
    ctx.set(Cat(dut.wb_cyc_i, dut.wb_stb_i, dut.wb_we_i, dut.wb_adr_i), 0b111 | ADDRESS["status"] << 3)
    await ctx.tick().until(dut.wb_ack_o)
    ctx.set(Cat(dut.wb_stb_i, dut.wb_we_i), 0)
    await ctx.tick()


class Run:
    """Frames through a wrapper: their words in and out and the registers before and after."""

    def __init__(self, bundle, foldings, features, starts, rng, widths=(8, 8), idle=0.0, stall=0.0, lengths=None):
        self.dut = dut = AxiNetwork(Network(bundle, foldings, ECP5, *widths))
        frames = len(features)
        right = words(features.shape[1], widths[0])
        self.lengths = lengths or [right] * frames
        self.bench = bench = Bench(dut, rng)
        self.m_axis, self.s_axis = (
            stream(dut, "m_axis", "tkeep", "tlast", "tuser"),
            stream(dut, "s_axis", "tlast", "tuser"),
        )
        self.watched = bench.watch(self.m_axis.valid, self.m_axis.ready, self.m_axis.payload)
        for name in dut.loads:
            sent = weights_sent(dut.network.layers[name], frames)
            width = dut.network.layers[name].engine.matrix.weight_width
            spare = [int(noise) << width for noise in rng.integers(0, 1 << octets(width) - width, len(sent))]
            bench.feed(
                stream(dut, f"s_axis_{name}"), [word | more for word, more in zip(sent, spare, strict=True)], idle
            )
        items = [
            item
            for frame, start, length in zip(features, starts, self.lengths, strict=True)
            for item in frame_words(rng, frame, start, widths[0], length)
        ]
        self.fed = bench.feed(self.s_axis, items, idle)
        seen = np.stack([cut_short(*both) for both in zip(features, [widths[0]] * frames, self.lengths, strict=True)])
        self.expected = [
            word
            for (_, mask, _), start in zip(golden_frames(bundle, seen, starts), begun(starts), strict=True)
            for word in mask_words(mask, start, widths[1])
        ]
        self.got = bench.drain(self.m_axis, len(self.expected), stall)
        self.before, self.after = {}, {}
        bench.script(self.registers)
        bench.run()
        self.assert_right()

    async def registers(self, ctx):
        for name in ADDRESS:
            self.before[name] = await read(ctx, self.dut, name)
        while len(self.got) < len(self.expected):
            await ctx.tick()
        await ctx.tick().repeat(4)
        for name in ADDRESS:
            self.after[name] = await read(ctx, self.dut, name)
        await clear(ctx, self.dut)
        self.cleared = await read(ctx, self.dut, "status")

    def assert_right(self):
        assert [payload for _, payload in self.got] == self.expected
        bundle, right = (
            self.dut.network.bundle,
            words(self.dut.network.bundle.layers[0].inputs, self.dut.network.in_width),
        )
        for (valid, ready, payload), after in zip(self.watched, self.watched[1:], strict=False):
            if valid and not ready:
                assert (after[0], after[2]) == (1, payload), "a word that waits stays as it is"
        wrong = sum(length != right for length in self.lengths)
        identity = self.after["identity_low"] | self.after["identity_high"] << 32
        assert identity.to_bytes(8, "little") == bundle.identity
        assert self.after["magic"] == MAGIC and self.after["version"] == 1
        assert (self.after["features"], self.after["bins"]) == (bundle.front_end.features, bundle.front_end.bins)
        assert self.after["frames"] == self.after["masks"] == len(self.lengths)
        assert self.after["errors"] == wrong
        assert self.after["stalled"] == sum(valid and not ready for valid, ready, _ in self.watched)
        assert self.after["status"] == (0b10 if wrong else 0) and self.cleared == 0


@given(
    bundle=bundles(),
    seed=seeds,
    width_in=widths,
    width_out=widths,
    weights=st.sampled_from(["rom", "loaded", "streamed"]),
)
@few
def test_every_mask_is_the_golden_models_under_any_traffic(bundle, seed, width_in, width_out, weights):
    rng = np.random.default_rng(seed)
    foldings = {name: replace(folding, weights=weights) for name, folding in random_foldings(rng, bundle).items()}
    features = random_features(rng, bundle, 5)
    Run(bundle, foldings, features, [1, 0, 0, 1, 0], rng, (width_in, width_out), 0.2, 0.4)


@given(seed=seeds, lengths=st.lists(st.integers(1, 7), min_size=6, max_size=6))
@few
def test_frames_of_any_length_give_a_mask_each_and_are_counted(seed, lengths):
    """Four words of features: 1 to 3 are too few, 5 to 7 too many."""
    rng = np.random.default_rng(seed)
    bundle = random_bundle(rng, hidden=[("bgru", 6)], bins=13, qad_bits=2)
    features = random_features(rng, bundle, 6)
    Run(bundle, random_foldings(rng, bundle), features, [0, 0, 1, 0, 1, 0], rng, (8, 8), 0.2, 0.4, lengths)


def small_network(rng):
    bundle = random_bundle(rng, hidden=[("bgru", 8)], bins=17, qad_bits=1)
    return bundle, {"gru0": Folding(2, 4), "mask": Folding(1, 8)}


def test_the_latency_is_a_frames_from_first_word_in_to_last_word_out():
    rng = np.random.default_rng(1)
    bundle, foldings = small_network(rng)
    run = Run(bundle, foldings, random_features(rng, bundle, 1), [1], rng)
    assert run.after["latency"] == run.got[-1][0] - run.fed[0]


def test_a_frame_is_timed_by_its_own_mask_while_others_are_under_way():
    rng = np.random.default_rng(2)
    bundle, foldings = small_network(rng)
    run = Run(bundle, foldings, random_features(rng, bundle, 8), [1] + [0] * 7, rng, stall=0.5)
    begun, ended = run.fed[::3], [cycle for cycle, _ in run.got[2::3]]  # three words of eight bits each way
    timed, last = 0, 0
    while timed < 8:
        last = timed
        timed = next((index for index, cycle in enumerate(begun) if cycle > ended[last]), 8)
    assert max(sum(begin < end for begin in begun) - index for index, end in enumerate(ended)) > 2, "several under way"
    assert 0 < last < 7, "some are not timed"
    assert run.after["latency"] == ended[last] - begun[last]


def test_the_status_is_busy_from_the_first_word_until_the_mask_is_out():
    rng = np.random.default_rng(3)
    bundle, foldings = small_network(rng)
    dut = AxiNetwork(Network(bundle, foldings, ECP5, 8, 8))
    bench = Bench(dut, rng)
    frame = frame_words(rng, random_features(rng, bundle, 1)[0], 1, 8)
    seen = []

    async def script(ctx):
        s_axis = stream(dut, "s_axis", "tlast", "tuser")
        seen.append(await read(ctx, dut, "status"))
        for index, word in enumerate(frame):
            ctx.set(s_axis.payload, word)
            ctx.set(s_axis.valid, 1)
            await ctx.tick().until(s_axis.ready)
            ctx.set(s_axis.valid, 0)
            if index == 0:
                seen.append(await read(ctx, dut, "status"))
        await ctx.tick().until(dut.m_axis_tvalid)
        seen.append(await read(ctx, dut, "status"))
        ctx.set(dut.m_axis_tready, 1)
        await ctx.tick().until(dut.m_axis_tvalid & dut.m_axis_tlast)
        await ctx.tick()
        seen.append(await read(ctx, dut, "status"))

    bench.script(script)
    bench.run()
    assert seen == [0, 1, 1, 0]


def test_the_status_says_that_weights_are_not_loaded_yet():
    rng = np.random.default_rng(4)
    bundle, foldings = small_network(rng)
    foldings["gru0"] = replace(foldings["gru0"], weights="loaded")
    run = Run(bundle, foldings, random_features(rng, bundle, 2), [1, 0], rng, idle=0.5)
    assert run.before["status"] & 0b100


@pytest.mark.parametrize("weights, width", [("rom", 32), ("loaded", 8), ("streamed", 8)])
def test_no_output_follows_an_input_within_the_cycle(weights, width):
    """AXI forbids it: every input is inverted in mid-cycle, in every state that random traffic reaches."""
    rng = np.random.default_rng(5)
    bundle, foldings = small_network(rng)
    foldings = {name: replace(folding, weights=weights, simd=8) for name, folding in foldings.items()}
    dut = AxiNetwork(Network(bundle, foldings, ECP5, width, width))
    bench = Bench(dut, rng)
    inputs = [getattr(dut, name) for name, member in dut.signature.members.items() if member.flow is In]
    outputs = Cat(getattr(dut, name) for name, member in dut.signature.members.items() if member.flow is not In)
    masks = []

    async def script(ctx):
        for _ in range(250):
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
            masks.append(valid and ready)

    bench.script(script)
    bench.run()
    assert any(masks)


def test_the_outputs_right_after_reset_are_defined():
    """Nothing is given, tuser and tlast are 0, and frames are taken; also after a reset in the middle of traffic."""
    rng = np.random.default_rng(10)
    bundle, foldings = small_network(rng)
    dut = AxiNetwork(Network(bundle, foldings, ECP5, 8, 8))
    outputs = dut.m_axis_tvalid, dut.m_axis_tuser, dut.m_axis_tlast, dut.s_axis_tready
    seen = []
    for cycles in (0, 40, 61, 83):
        bench = Bench(dut, rng)
        bench.aborted_run(cycles, [stream(dut, "s_axis", "tlast", "tuser")], [stream(dut, "m_axis")])

        async def look(ctx, bench=bench):
            await bench.begun(ctx)
            seen.append(tuple(ctx.get(each) for each in outputs))

        bench.script(look)
        bench.run()
    assert seen == [(0, 0, 0, 1)] * 4


def test_reset_in_mid_frame_begins_again():
    rng = np.random.default_rng(6)
    bundle, foldings = small_network(rng)
    dut = AxiNetwork(Network(bundle, foldings, ECP5, 8, 8))
    bench = Bench(dut, rng)
    s_axis, m_axis = stream(dut, "s_axis", "tlast", "tuser"), stream(dut, "m_axis", "tkeep", "tlast", "tuser")
    bench.aborted_run(61, [s_axis], [m_axis])
    features = random_features(rng, bundle, 2)
    bench.feed(s_axis, [word for frame in features for word in frame_words(rng, frame, 0, 8)])
    masks = golden_frames(bundle, features, [0, 0])
    expected = [word for place, (_, mask, _) in enumerate(masks) for word in mask_words(mask, place == 0, 8)]
    got = bench.drain(m_axis, len(expected))
    bench.run()
    assert [payload for _, payload in got] == expected


@pytest.mark.parametrize("widths, named", [((12, 8), "in_width"), ((8, 12), "out_width")])
def test_a_width_that_is_no_whole_bytes_is_refused(widths, named):
    bundle, foldings = small_network(np.random.default_rng(7))
    with pytest.raises(BadInput, match=f"^{named}: expected a multiple of 8 bits for AXI4-Stream, got 12$"):
        AxiNetwork(Network(bundle, foldings, ECP5, *widths))


def test_frames_before_the_weights_wait_and_none_is_lost():
    rng = np.random.default_rng(8)
    bundle, foldings = small_network(rng)
    foldings["gru0"] = replace(foldings["gru0"], weights="loaded")
    dut = AxiNetwork(Network(bundle, foldings, ECP5, 8, 8))
    bench, features, starts = Bench(dut, rng), random_features(rng, bundle, 6), [0, 0, 1, 0, 0, 0]
    s_axis, m_axis = stream(dut, "s_axis", "tlast", "tuser"), stream(dut, "m_axis", "tkeep", "tlast", "tuser")
    fed = bench.feed(
        s_axis, [word for row, start in zip(features, starts, strict=True) for word in frame_words(rng, row, start, 8)]
    )
    expected = [
        word
        for (_, mask, _), start in zip(golden_frames(bundle, features, starts), begun(starts), strict=True)
        for word in mask_words(mask, start, 8)
    ]
    got, before = bench.drain(m_axis, len(expected)), []

    async def load(ctx):
        await ctx.tick().repeat(400)
        before.extend([len(fed), len(got), ctx.get(dut.s_axis_tready)])
        for word in weights_sent(dut.network.layers["gru0"], 6):
            ctx.set(dut.s_axis_gru0_tdata, word)
            ctx.set(dut.s_axis_gru0_tvalid, 1)
            await ctx.tick().until(dut.s_axis_gru0_tready)
        ctx.set(dut.s_axis_gru0_tvalid, 0)

    bench.script(load)
    bench.run()
    taken, given, ready = before
    assert 0 < taken < 18 and (given, ready) == (0, 0)
    assert [payload for _, payload in got] == expected


def test_a_frame_that_is_too_long_counts_before_its_tlast():
    rng = np.random.default_rng(9)
    bundle, foldings = small_network(rng)
    dut = AxiNetwork(Network(bundle, foldings, ECP5, 8, 8))
    bench, counts = Bench(dut, rng), []
    s_axis = stream(dut, "s_axis", "tlast", "tuser")

    async def script(ctx):
        ctx.set(dut.m_axis_tready, 1)
        for index, word in enumerate(frame_words(rng, random_features(rng, bundle, 1)[0], 1, 8, length=5)):
            ctx.set(s_axis.payload, word)
            ctx.set(s_axis.valid, 1)
            await ctx.tick().until(s_axis.ready)
            ctx.set(s_axis.valid, 0)
            counts.append((await read(ctx, dut, "frames"), await read(ctx, dut, "errors"), index))

    bench.script(script)
    bench.run()
    assert counts == [(0, 0, 0), (0, 0, 1), (1, 1, 2), (1, 1, 3), (1, 1, 4)]
