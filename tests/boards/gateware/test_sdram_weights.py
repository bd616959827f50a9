"""Weights from flash through SDRAM to the network: every word, every pass, and every fault."""

import subprocess
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, DomainRenamer, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given
from hypothesis import strategies as st

from boards.definitions.sdram import ULX3S_SDRAM
from boards.gateware.sdram import data_share
from boards.gateware.sdram_layout import CHUNK, Part, parts_of
from boards.gateware.sdram_pads import PADS
from boards.gateware.sdram_weights import DOMAIN, FLASH_READ_HZ, Memory, SdramWeights, WeightReader
from cosim.bench.build import verilated
from cosim.chips import spi_flash
from cosim.chips.sdram_chip import SdramChip
from cosim.chips.sdram_timing import Rule, Timing
from cosim.chips.spi_flash import Fault, Flash
from hw.flow.rtl import to_rtlil, to_verilog
from hw.flow.synth import synthesise
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from hw.shape.network_spec import NetworkSpec
from model.bundle.read import read_bundle
from tests.support.hw_bench import Bench, few
from tests.support.random_bundles import seeds

pytestmark = pytest.mark.simulator

IDENTITY = bytes.fromhex("00f1d2c3b4a59687")
OFFSET = 0x200000
SMALL = {"columns": 16, "refi": 2000, "power_up": 900}
"""Rows so short, and refreshes so frequent, that a few hundred cycles meet all of it."""


def parts_for(shapes, chunk):
    found = []
    for index, (width, words) in enumerate(shapes):
        first = found[-1].first + found[-1].chunks if found else 0
        found.append(Part(f"layer{index}", width, words, first, chunk))
    return tuple(found)


def random_words(rng, parts):
    return {
        part.name: [
            int.from_bytes(rng.bytes(-(-part.width // 8)), "little") % (1 << part.width) for _ in range(part.words)
        ]
        for part in parts
    }


def image(parts, words, identity=IDENTITY):
    body = identity + b"".join(part.contents(words[part.name]) for part in parts)
    return body + zlib.crc32(body).to_bytes(4, "little")


def unchanged(name, value, pins):
    return value


class Board(wiring.Component):
    """A reader with its two chips.

    change : what a pin of the SDRAM is on its way, from its name, its value and all pins, while `spoil` is 1
    crossed : reader and chips have a clock of their own, and the weights cross to `sync`
    """

    def __init__(self, parts, contents, change=unchanged, crossed=False, clock_mhz=50, **sizes):
        sizes = sizes or SMALL
        memory = Memory(replace(ULX3S_SDRAM, **sizes), clock_mhz * 1e6)
        self.parts, self.crossed, self.change = parts, crossed, change
        self.weights = (SdramWeights if crossed else WeightReader)(parts, IDENTITY, memory, OFFSET)
        self.reader = self.weights.reader if crossed else self.weights
        timing = spi_flash.Timing(read_hz=FLASH_READ_HZ)
        self.flash = Flash(contents, clock_mhz * 1_000_000, OFFSET, timing=timing)
        self.chip = SdramChip(clock_mhz, timing=Timing(**sizes), depth=self.reader.words)
        loads = {f"load_{part.name}": Out(stream.Signature(part.width)) for part in parts}
        flags = {"ready": Out(1), "failed": Out(1), "broken": Out(Rule), "fault": Out(Fault), "busy": Out(1)}
        super().__init__({**loads, **flags, "spoil": In(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        weights, chip, flash = self.weights, self.chip, self.flash
        m.submodules.weights = weights
        if self.crossed:
            m.domains.sdram = ClockDomain()
        renamed = DomainRenamer(DOMAIN) if self.crossed else lambda it: it
        m.submodules.chip, m.submodules.flash = renamed(chip), renamed(flash)
        wiring.connect(m, weights.flash, flash.spi)
        for name, member in weights.pins.signature.members.items():
            source, sink = (weights, chip) if member.flow == Out else (chip, weights)
            value, to = getattr(source.pins, name), getattr(sink.pins, name)
            m.d.comb += to.eq(value)
            with m.If(self.spoil):
                m.d.comb += to.eq(self.change(name, value, weights.pins))
        for part in self.parts:
            name = f"load_{part.name}"
            wiring.connect(m, getattr(weights, name), wiring.flipped(getattr(self, name)))
        words = self.reader.controller.o
        m.d.comb += [
            self.ready.eq(weights.ready),
            self.failed.eq(weights.failed),
            self.broken.eq(chip.broken),
            self.fault.eq(flash.fault),
            self.busy.eq(words.valid & words.ready),
        ]
        return m


shapes = st.lists(st.tuples(st.sampled_from([1, 8, 16, 32, 48, 5, 24, 40]), st.integers(1, 40)), min_size=1, max_size=3)


@given(seed=seeds, shapes=shapes, chunk=st.sampled_from([8, 16, 32]), stall=st.sampled_from([0, 0.5, 0.9]))
@few
def test_every_pass_of_every_layer_brings_its_words_in_order(seed, shapes, chunk, stall):
    rng = np.random.default_rng(seed)
    parts = parts_for(shapes, chunk)
    words = random_words(rng, parts)
    dut = Board(parts, image(parts, words))
    bench = Bench(dut, rng, limit=100_000)
    flags = bench.watch(dut.ready, dut.failed, dut.broken, dut.fault)
    got = {part.name: bench.drain(getattr(dut, f"load_{part.name}"), 3 * part.words + 1, stall) for part in parts}
    bench.run()
    for part in parts:
        assert [word for _, word in got[part.name]] == (4 * words[part.name])[: 3 * part.words + 1]
    assert flags[-1] == (1, 0, Rule.NONE, Fault.NONE)
    ready = next(cycle for cycle, flag in enumerate(flags) if flag[0])
    assert ready < min(log[0][0] for log in got.values())
    assert ready <= dut.reader.cycles


@pytest.mark.parametrize("period", [0.41e-6, 0.5e-6, 1.3e-6], ids=["faster", "twice as fast", "slower"])
def test_the_words_cross_to_a_clock_of_any_frequency(period):
    rng = np.random.default_rng(5)
    parts = parts_for([(32, 21), (8, 30)], 16)
    words = random_words(rng, parts)
    dut = Board(parts, image(parts, words), crossed=True)
    bench = Bench(dut, rng, limit=40_000)
    bench.simulator.add_clock(period, phase=0.37 * period, domain=DOMAIN)
    flags = bench.watch(dut.failed, dut.broken, dut.fault)
    got = [bench.drain(getattr(dut, f"load_{part.name}"), 3 * part.words, 0.1) for part in parts]
    bench.run()
    for log, part in zip(got, parts, strict=True):
        assert [word for _, word in log] == 3 * words[part.name]
    assert flags[-1] == (0, Rule.NONE, Fault.NONE)


PARTS = parts_for([(32, 17), (16, 20)], 16)
WORDS = random_words(np.random.default_rng(6), PARTS)
IMAGE = image(PARTS, WORDS)


def verdict(contents=IMAGE, change=unchanged):
    """`ready` and `failed` some time after one of them was set."""
    dut = Board(PARTS, contents, change)
    bench = Bench(dut, limit=30_000)
    flags = bench.watch(dut.ready, dut.failed)

    async def until_settled(ctx):
        while not (ctx.get(dut.ready) or ctx.get(dut.failed)):
            await ctx.tick()
        await ctx.tick().repeat(300)

    bench.script(until_settled)
    bench.run()
    assert all(ready + failed <= 1 for ready, failed in flags)
    return flags[-1]


def flipped(bit):
    changed = bytearray(IMAGE)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_a_good_image_is_ready():
    assert verdict() == (1, 0)


@pytest.mark.parametrize(
    "contents",
    [
        flipped(3),
        flipped(8 * 8),
        flipped(8 * 50 + 7),
        flipped(8 * len(IMAGE) - 1),
        IMAGE[:40].ljust(len(IMAGE), b"\xff"),
        b"\xff" * len(IMAGE),
        image(PARTS, WORDS, bytes(8)),
    ],
    ids=["identity", "first weight", "a weight", "CRC", "cut short", "erased", "another bundle's"],
)
def test_a_wrong_image_fails(contents):
    assert verdict(contents) == (0, 1)


def no_refresh(name, value, pins):
    refresh = ~pins.ras_n & ~pins.cas_n & pins.we_n
    return value | refresh if name in ("ras_n", "cas_n") else value


@pytest.mark.parametrize(
    "change",
    [
        lambda name, value, pins: value & ~2 if name == "a" else value,
        lambda name, value, pins: value | 1 if name == "ba" else value,
        lambda name, value, pins: value & ~(1 << 9) if name == "dq_i" else value,
        lambda name, value, pins: value | 16 if name == "dq_o" else value,
        lambda name, value, pins: 0xFFFF if name == "dq_i" else value,
        lambda name, value, pins: 0 if name == "dq_i" else value,
        lambda name, value, pins: 1 if name == "we_n" else value,
        no_refresh,
    ],
    ids=["address", "bank", "data read", "data written", "no chip", "shorted data", "no write", "no refresh"],
)
def test_a_memory_that_does_not_hold_the_words_fails(change):
    assert verdict(change=change) == (0, 1)


def spoilt(spoil, change=unchanged, crossed=False):
    """The cycles from what `spoil` does, while weights are used, to the error; it stays, and words go on."""
    dut = Board(PARTS, IMAGE, change, crossed)
    bench = Bench(dut, limit=30_000)
    if crossed:
        bench.simulator.add_clock(0.5e-6, domain=DOMAIN)
    took: list[int] = []

    async def script(ctx):
        ctx.set(dut.spoil, 0)
        loads = [getattr(dut, f"load_{part.name}") for part in PARTS]
        for load in loads:
            ctx.set(load.ready, 1)
        while not ctx.get(dut.ready):
            await ctx.tick()
        await ctx.tick().repeat(333)
        assert not ctx.get(dut.failed)
        spoil(ctx, dut)
        cycles = 0
        while not ctx.get(dut.failed):
            await ctx.tick()
            cycles += 1
        took.append(cycles)
        if crossed:
            for _ in range(300):
                await ctx.tick()
                assert ctx.get(dut.failed) and all(ctx.get(load.valid) for load in loads)

    bench.script(script)
    bench.run()
    return took[0]


PASS = sum(part.size for part in PARTS)
"""Cycles of a pass of all parts, and a few more for refreshes and chunks that are on their way."""


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize("word", [0, 33, PASS - 1])
def test_a_bit_that_flips_later_is_found_in_the_next_pass(word, crossed):
    def flip(ctx, dut):
        ctx.set(dut.chip.cells.data[word], ctx.get(dut.chip.cells.data[word]) ^ 0x100)

    assert spoilt(flip, crossed=crossed) < 3 * PASS


def test_refreshes_that_stop_are_found():
    took = spoilt(lambda ctx, dut: ctx.set(dut.spoil, 1), no_refresh)
    assert took < 4 * round(SMALL["refi"] / 20) + 3 * PASS


MAIN = """
#include <cstdio>
#include "Vboard.h"
int main() {
    Vboard top;
    TAKE
    long busy = 0, begun = -1;
    for (long cycle = -2; cycle < 2000000; cycle++) {
        top.rst = cycle < 0;
        top.spoil = 0;
        top.clk = 0;
        top.eval();
        if (top.failed || top.broken) return 1;
        if (begun < 0 && top.ready) begun = cycle + 3000;
        if (begun >= 0 && cycle >= begun) busy += top.busy;
        if (begun >= 0 && cycle == begun + 780 * 30) {
            std::printf("%ld\\n", busy);
            return 0;
        }
        top.clk = 1;
        top.eval();
    }
}
"""


def bus_share(shapes, chunk, folder):
    """The share of cycles with a word on the bus in 30 refresh intervals at 100 MHz, while readers always take."""
    parts = parts_for(shapes, chunk)
    words = random_words(np.random.default_rng(7), parts)
    dut = Board(parts, image(parts, words), clock_mhz=100, columns=512)
    take = "".join(f"top.load_{part.name}___05Fready = 1;" for part in parts)
    (folder / "main.cpp").write_text(MAIN.replace("TAKE", take))
    program = verilated(to_verilog(dut, "board", folder), folder / "main.cpp", "board", quick=True)
    told = subprocess.run([program], cwd=folder, check=True, capture_output=True, text=True)
    return int(told.stdout) / (780 * 30)


@pytest.mark.parametrize(
    ("chunk", "layers", "measured"),
    [(64, 2, 0.957), (128, 2, 0.969), (CHUNK, 1, 0.982), (CHUNK, 2, 0.977), (CHUNK, 3, 0.976)],
)
def test_the_bus_is_busy_with_data_at_least_95_percent_of_the_time(chunk, layers, measured, tmp_path):
    """Layers of several pages, in different banks and in the same ones."""
    shapes = [(32, 1900), (16, 1100), (32, 700)][:layers]
    share = bus_share(shapes, chunk, tmp_path)
    assert 0.95 < share <= data_share(ULX3S_SDRAM.cycles(100e6)) + 1e-3
    assert share == pytest.approx(measured, abs=1e-3)


def paper(layers):
    """The parts of `paper`, each layer with the lanes that it has next to the audio path."""
    made = read_bundle(Path("bundles/paper"))
    foldings = {name: Folding(1, 20, "streamed", packed=True) for name in layers}
    foldings |= {layer.name: Folding(1, 20) for layer in made.layers if layer.name not in foldings}
    return parts_of(NetworkSpec.of(made, foldings, ECP5, 4, 3))


def test_paper_is_loaded_in_three_quarters_of_a_second_and_checked_in_11_ms():
    reader = WeightReader(paper(["gru0", "mask"]), IDENTITY, Memory(ULX3S_SDRAM, 100e6), OFFSET)
    assert reader.words == 1_112_832
    assert reader.loader.cycles / 100e6 == pytest.approx(0.712, abs=5e-4)
    assert reader.words / data_share(ULX3S_SDRAM.cycles(100e6)) / 100e6 == pytest.approx(0.0113, abs=5e-5)


@pytest.mark.synthesis
@pytest.mark.parametrize(
    ("layers", "cost"),
    [
        (["gru0"], {"lut4": 1256, "ff": 696, "block_ram": 2}),
        (["gru0", "mask"], {"lut4": 1812, "ff": 986, "block_ram": 3}),
    ],
)
def test_what_it_takes_next_to_paper(layers, cost):
    dut = SdramWeights(paper(layers), IDENTITY, Memory(ULX3S_SDRAM, 100e6, PADS), OFFSET)
    found = synthesise(to_rtlil(dut, "weights"), "weights", ECP5)
    assert found["block_ram"] == cost["block_ram"]
    assert found == pytest.approx(cost, rel=0.02)
