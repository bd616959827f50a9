"""Weights from flash: what is written is what is loaded, and nothing else is taken for it."""

import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import example, given
from hypothesis import strategies as st

from boards.gateware.flash import FlashLoader, image
from cosim.bench.build import verilated
from cosim.chips.spi_flash import CAPACITY, Fault, Flash
from hw.flow.rtl import to_rtlil, to_verilog
from hw.flow.synth import synthesise
from hw.gateware.network import Network
from hw.shape.family import ICE40
from hw.shape.folding import Folding
from hw.shape.words import words as pieces
from model.bundle.read import read_bundle
from model.reference.golden_model import GoldenModel
from tests.support.hw_bench import Bench, few, from_words, to_words
from tests.support.random_bundles import random_bundle, random_features, random_foldings, seeds

pytestmark = pytest.mark.simulator

MHZ = 1_000_000
IDENTITY = bytes.fromhex("00f1d2c3b4a59687")


def laid_out(identity, words, width):
    """An image, from its description."""
    body = identity + b"".join(word.to_bytes(-(-width // 8), "little") for word in words)
    return body + zlib.crc32(body).to_bytes(4, "little")


class Wired(wiring.Component):
    """A loader and its flash, which `restart` does not reset."""

    def __init__(self, contents, words, width, offset=0, clock_hz=MHZ, asleep=True, identity=IDENTITY):
        self.loader = FlashLoader(words, width, identity, offset, clock_hz)
        self.flash = Flash(contents, clock_hz, offset, asleep)
        members = {"done": Out(1), "failed": Out(1), "fault": Out(Fault), "restart": In(1)}
        super().__init__({**members, "o": Out(stream.Signature(width))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.flash = self.flash
        m.submodules.loader = ResetInserter(self.restart)(self.loader)
        wiring.connect(m, self.loader.spi, self.flash.spi)
        wiring.connect(m, self.loader.o, wiring.flipped(self.o))
        m.d.comb += [
            self.done.eq(self.loader.done),
            self.failed.eq(self.loader.failed),
            self.fault.eq(self.flash.fault),
        ]
        return m


class Load:
    """One simulation of a loader: the words that came, and how it ended."""

    def __init__(self, dut, rng=None, stall=0.0, limit=100_000):
        self.words, self.cycles = [], 0
        bench = Bench(dut, rng, limit)

        async def reader(ctx):
            while not (ctx.get(dut.done) or ctx.get(dut.failed)):
                ctx.set(dut.o.ready, not (stall and bench.rng.random() < stall))
                *_, valid, ready, word = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
                if valid and ready:
                    self.words.append(word)
                self.cycles += 1
            await ctx.tick().repeat(50)  # it stays so
            self.done, self.failed = bool(ctx.get(dut.done)), bool(ctx.get(dut.failed))
            self.fault, self.selected = Fault(ctx.get(dut.fault)), bool(ctx.get(dut.loader.spi.cs))

        bench.script(reader)
        bench.run()

    @property
    def as_it_should(self):
        return self.fault == Fault.NONE and not self.selected and self.done != self.failed


@st.composite
def weights(draw):
    """Words of some width."""
    width = draw(st.integers(1, 75))
    rng = np.random.default_rng(draw(seeds))
    count = draw(st.integers(1, 9))
    return width, [int.from_bytes(rng.bytes(-(-width // 8)), "little") % (1 << width) for _ in range(count)]


@given(
    weights=weights(),
    after=st.integers(0, CAPACITY - 200),
    asleep=st.booleans(),
    clock_mhz=st.sampled_from([1, 6, 12, 24, 25, 40, 41, 50]),
)
@example(weights=(8, [0xA5]), after=0, asleep=True, clock_mhz=1)
@example(weights=(8, [0xA5]), after=CAPACITY - 13, asleep=False, clock_mhz=41)  # the SPI clock is a fourth of it
@example(weights=(9, [0x1A5, 0x05A]), after=0x100000, asleep=True, clock_mhz=24)
@few
def test_every_word_is_loaded_in_the_cycles_that_are_promised(weights, after, asleep, clock_mhz):
    width, words = weights
    dut = Wired(laid_out(IDENTITY, words, width), len(words), width, after, clock_mhz * MHZ, asleep)
    load = Load(dut)
    assert load.words == words
    assert load.done and load.as_it_should
    assert load.cycles == dut.loader.cycles


@given(weights=weights(), seed=seeds, stall=st.floats(0.5, 0.99))
@few
def test_a_reader_that_waits_loses_nothing(weights, seed, stall):
    width, words = weights
    load = Load(Wired(laid_out(IDENTITY, words, width), len(words), width), np.random.default_rng(seed), stall)
    assert load.words == words
    assert load.done and load.as_it_should


def test_any_flipped_bit_is_found_and_a_restart_begins_again():
    words = [0x123, 0x0AA]
    contents = laid_out(IDENTITY, words, 9)
    dut = Wired(contents, len(words), 9)
    bench = Bench(dut, limit=200_000)

    async def flip_each(ctx):
        ctx.set(dut.o.ready, 1)
        for bit in [None, *range(8 * len(contents)), None]:
            ctx.set(dut.restart, 1)
            await ctx.tick()
            ctx.set(dut.restart, 0)
            for index, octet in enumerate(contents):
                broken = bit is not None and bit // 8 == index
                ctx.set(dut.flash.memory.data[index], octet ^ (1 << bit % 8 if broken else 0))
            done = failed = 0
            for _ in range(dut.loader.cycles):
                *_, done, failed = await ctx.tick().sample(dut.done, dut.failed)
                assert not (done or failed)
            *_, done, failed = await ctx.tick().sample(dut.done, dut.failed)
            assert (done, failed) == ((1, 0) if bit is None else (0, 1)), bit
        assert ctx.get(dut.fault) == Fault.NONE

    bench.script(flip_each)
    bench.run()


@pytest.mark.parametrize("bit", [0, 13, 63])
def test_the_image_of_another_bundle_fails_though_its_crc_is_right(bit):
    stranger = (int.from_bytes(IDENTITY, "little") ^ (1 << bit)).to_bytes(8, "little")
    load = Load(Wired(laid_out(stranger, [1, 2, 3], 20), 3, 20))
    assert load.failed and load.as_it_should


@pytest.mark.parametrize("kept", [0, 8, 15, 20])
def test_a_truncated_or_erased_flash_fails(kept):
    contents = laid_out(IDENTITY, [1, 2, 3], 20)
    load = Load(Wired(contents[:kept].ljust(len(contents), b"\xff"), 3, 20))
    assert load.failed and load.as_it_should


@pytest.mark.parametrize("level", [0, 1])
def test_a_flash_that_is_not_there_fails(level):
    dut = FlashLoader(3, 20, bytes([255 * level]) * 8, 0, MHZ)
    bench = Bench(dut)

    async def script(ctx):
        ctx.set(dut.spi.cipo, level)
        ctx.set(dut.o.ready, 1)
        await ctx.tick().repeat(dut.cycles)
        assert (ctx.get(dut.done), ctx.get(dut.failed)) == (0, 1)

    bench.script(script)
    bench.run()


@given(weights=weights(), part=st.floats(0, 0.999))
@few
def test_a_restart_at_any_time_begins_again(weights, part):
    width, words = weights
    dut = Wired(laid_out(IDENTITY, words, width), len(words), width)
    bench = Bench(dut, limit=100_000)
    got = []

    async def script(ctx):
        ctx.set(dut.o.ready, 1)
        await ctx.tick().repeat(1 + int(part * dut.loader.cycles))
        ctx.set(dut.restart, 1)
        await ctx.tick()
        ctx.set(dut.restart, 0)
        while not ctx.get(dut.done):
            *_, valid, word = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                got.append(word)
        assert ctx.get(dut.fault) == Fault.NONE

    bench.script(script)
    bench.run()
    assert got == words


class Twice(Wired):
    """A loader that takes images from elsewhere after its flash has failed."""

    def __init__(self, contents, words, width):
        super().__init__(contents, words, width)
        self.loader = FlashLoader(words, width, IDENTITY, 0, MHZ, twice=True)


@given(weights=weights(), seed=seeds, wrong=st.integers(0, 2), stall=st.sampled_from([0, 0.9]))
@few
def test_images_from_elsewhere_are_taken_until_one_is_right(weights, seed, wrong, stall):
    """Some wrong ones first, with bytes after each that belong to none; a right one is the last."""
    width, words = weights
    rng = np.random.default_rng(seed)
    good = laid_out(IDENTITY, words, width)
    dut = Twice(b"\xff" * len(good), len(words), width)
    bench = Bench(dut, rng, limit=60_000)
    ends, given_, got = [], [], []

    async def send(ctx, contents):
        image = dut.loader.image
        for place, byte in enumerate(contents):
            ctx.set(image.payload, {"data": byte, "first": place == 0})
            ctx.set(image.valid, 1)
            taken = False
            while not taken:
                *_, taken = await ctx.tick().sample(image.ready)
            ctx.set(image.valid, 0)

    async def host(ctx):
        while not ctx.get(dut.failed):
            await ctx.tick()
        for turn in range(wrong + 1):
            contents = bytearray(good)
            if turn < wrong:
                bit = int(rng.integers(8 * len(good)))
                contents[bit // 8] ^= 1 << bit % 8
            assert ctx.get(dut.loader.loadable)
            given_.append(len(got))
            await send(ctx, contents + rng.bytes(5))
            await ctx.tick().repeat(20)
            ends.append((ctx.get(dut.done), ctx.get(dut.failed), ctx.get(dut.loader.loadable)))
        await send(ctx, good)
        assert ctx.get(dut.done)

    async def reader(ctx):
        while True:
            ctx.set(dut.o.ready, not (stall and rng.random() < stall))
            *_, valid, ready, word = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
            if valid and ready:
                got.append(word)

    bench.simulator.add_testbench(reader, background=True)
    bench.script(host)
    bench.run()
    assert ends == [(0, 1, 1)] * wrong + [(1, 0, 0)]
    assert got[given_[-1] :] == words


def wired_for(network, clock_hz):
    """A loader with a flash that has the network's image."""
    (name,) = [name for name in network.layers if hasattr(network, f"load_{name}")]
    matrix = network.layers[name].engine.matrix
    size, identity = len(matrix.weight_words), network.bundle.identity
    return Wired(image(network), size, matrix.weight_width, 0x100000, clock_hz, identity=identity)


class Loaded(wiring.Component):
    """A network that has the weights of `gru0` from flash."""

    def __init__(self, network):
        self.network, self.wired = network, wired_for(network, MHZ)
        super().__init__({"i": network.signature.members["i"], "o": network.signature.members["o"]})

    def elaborate(self, platform):
        m = Module()
        m.submodules.network, m.submodules.wired = self.network, self.wired
        wiring.connect(m, self.wired.o, self.network.load_gru0)
        wiring.connect(m, wiring.flipped(self.i), self.network.i)
        wiring.connect(m, self.network.o, wiring.flipped(self.o))
        return m


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rho", [0.8, 1.0], ids=["ternary", "binary"])
def test_a_network_with_weights_from_flash_gives_the_golden_models_masks(seed, rho):
    rng = np.random.default_rng(seed)
    made = random_bundle(rng, hidden=[("bgru", 7)], bins=6, qad_bits=2, rho=rho)
    foldings = random_foldings(rng, made)
    gru = foldings["gru0"]
    foldings["gru0"] = Folding(gru.pe, gru.simd, "loaded", packed=bool(seed % 2 and rho < 1))
    network = Network(made, foldings, ICE40, 8, 8)
    features = random_features(rng, made, 4)
    dut = Loaded(network)
    bench = Bench(dut, rng, limit=100_000)

    async def all_read(ctx):
        await ctx.tick().until(dut.wired.done)
        assert (ctx.get(dut.wired.failed), ctx.get(dut.wired.fault)) == (0, Fault.NONE)

    bench.script(all_read)
    bench.feed(dut.i, to_words(rng, features, [1, 0, 0, 0], 8))
    got = bench.drain(dut.o, 4 * pieces(6, 8))
    bench.run()
    masks, _ = from_words(got, 6, 8)
    assert np.array_equal(masks, GoldenModel(made).masks(features))


def loader_for_tiny(identity=IDENTITY):
    """For its larger layer at 2x10, the weights not packed."""
    return FlashLoader(16272, 40, identity, 0x100000, 24 * MHZ)


@pytest.mark.synthesis
def test_a_loader_takes_fewer_than_200_lut4_and_keeps_an_identity_of_equal_bytes_in_its_block_ram():
    cost = synthesise(to_rtlil(loader_for_tiny(), "loader"), "loader", ICE40)
    assert cost["lut4"] < 200 and cost["block_ram"] == 1
    assert synthesise(to_rtlil(loader_for_tiny(bytes(8)), "loader"), "loader", ICE40) == cost


MAIN = """
#include <cstdio>
#include "Vwired.h"
int main() {
    Vwired top;
    top.o___05Fready = 1;
    for (long cycle = -2; cycle < 2000000; cycle++) {
        top.rst = cycle < 0;
        top.clk = 0;
        top.eval();
        if (cycle >= 0 && top.o___05Fvalid) std::printf("%llx\\n", (unsigned long long)top.o___05Fpayload);
        if (cycle >= 0 && (top.done || top.failed)) {
            std::printf("%ld %d %d %d\\n", cycle, top.done, top.failed, top.fault);
            return 0;
        }
        top.clk = 1;
        top.eval();
    }
}
"""


@pytest.mark.simulator
def test_tiny_is_loaded_at_24_mhz_in_54_ms_or_packed_in_43(tmp_path):
    assert loader_for_tiny().cycles == 1_303_476
    folding = {"gru0": Folding(2, 10, "loaded", packed=True), "mask": Folding(1, 12)}
    network = Network(read_bundle(Path("bundles/tiny")), folding, ICE40, 8, 8)
    dut = wired_for(network, 24 * MHZ)
    (tmp_path / "main.cpp").write_text(MAIN)
    program = verilated(to_verilog(dut, "wired", tmp_path), tmp_path / "main.cpp", "wired", quick=True)
    told = subprocess.run([program], cwd=tmp_path, check=True, capture_output=True, text=True)
    *words, end = told.stdout.splitlines()
    assert [int(word, 16) for word in words] == network.layers["gru0"].engine.matrix.weight_words
    assert end == f"{dut.loader.cycles} 1 0 {Fault.NONE:d}"
    assert dut.loader.cycles == 1_043_124
