"""A network that takes its weights as a core does: the golden model's masks, and frames that end whatever happens."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, DomainRenamer, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from boards.definitions.sdram import ULX3S_SDRAM
from boards.gateware.flash import image
from boards.gateware.sdram_layout import parts_of
from boards.gateware.sdram_weights import DOMAIN, FLASH_READ_HZ, Memory
from boards.gateware.weights import add_weights, pins_of, source_of
from cosim.chips import spi_flash
from cosim.chips.sdram_chip import SdramChip
from cosim.chips.sdram_timing import Rule, Timing
from cosim.chips.spi_flash import Flash
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from model.reference.golden_model import GoldenModel
from tests.support.hw_bench import Bench, from_words, to_words
from tests.support.random_bundles import random_bundle, random_features

pytestmark = pytest.mark.simulator

MHZ = 50
SIZES = {"columns": 16, "refi": 2000, "power_up": 900}
OFFSET = 0x200000
FRAMES, BINS = 4, 6


class Core(wiring.Component):
    """The part of a board's core that deals with weights, its pins, and the chips on them."""

    def __init__(self, network, contents):
        self.network = network
        memory = Memory(replace(ULX3S_SDRAM, **SIZES), MHZ * 1e6)
        self.source = source_of(network, MHZ * 1_000_000, OFFSET, memory)
        self.chip = SdramChip(MHZ, timing=Timing(**SIZES), depth=self.source.reader.words)
        self.chips = Flash(contents, MHZ * 1_000_000, OFFSET, timing=spi_flash.Timing(read_hz=FLASH_READ_HZ))
        members = {"loading": Out(1), "failed": Out(1), "broken": Out(Rule)}
        ends = {name: network.signature.members[name] for name in ("i", "o")}
        super().__init__({**ends, **members, **pins_of(self.source)})

    def elaborate(self, platform):
        m = Module()
        m.domains.sdram = ClockDomain("sdram")
        renamed = DomainRenamer(DOMAIN)
        m.submodules.network, m.submodules.chip, m.submodules.chips = (
            self.network,
            renamed(self.chip),
            renamed(self.chips),
        )
        loading, failed = add_weights(m, self, self.source, self.network)
        wiring.connect(m, self.source.flash, self.chips.spi)
        wiring.connect(m, self.source.pins, self.chip.pins)
        wiring.connect(m, wiring.flipped(self.i), self.network.i)
        wiring.connect(m, self.network.o, wiring.flipped(self.o))
        m.d.comb += [self.loading.eq(loading), self.failed.eq(failed), self.broken.eq(self.chip.broken)]
        return m


def streamed(rng, foldings):
    made = random_bundle(rng, hidden=[("bgru", 7)], bins=BINS, qad_bits=2, rho=0.6)
    return Network(made, foldings, ECP5, 8, 8)


@pytest.mark.parametrize(
    "foldings",
    [
        {"gru0": Folding(1, 8, "streamed"), "mask": Folding(2, 4, "streamed")},
        {"gru0": Folding(1, 5, "streamed", packed=True), "mask": Folding(1, 6)},
        {"gru0": Folding(2, 3), "mask": Folding(1, 3, "streamed")},
    ],
    ids=["both", "gru packed", "mask"],
)
def test_a_network_with_weights_from_sdram_gives_the_golden_models_masks(foldings):
    rng = np.random.default_rng(1)
    network = streamed(rng, foldings)
    features = random_features(rng, network.bundle, FRAMES)
    dut = Core(network, image(network))
    bench = Bench(dut, rng, limit=60_000)
    bench.simulator.add_clock(0.5e-6, domain=DOMAIN)
    flags = bench.watch(dut.failed, dut.broken)
    bench.feed(dut.i, to_words(rng, features, [1, 0, 0, 0], 8))
    got = bench.drain(dut.o, FRAMES)
    bench.run()
    masks, _ = from_words(got, BINS, 8)
    assert np.array_equal(masks, GoldenModel(network.bundle).masks(features))
    assert flags[-1] == (0, Rule.NONE)


@pytest.mark.parametrize("late", [False, True], ids=["in flash", "in SDRAM, later"])
def test_frames_end_after_the_weights_have_failed(late):
    rng = np.random.default_rng(1)
    network = streamed(rng, {"gru0": Folding(1, 8, "streamed"), "mask": Folding(1, 4, "streamed")})
    contents = bytearray(image(network))
    contents[20] ^= 0 if late else 1
    dut = Core(network, bytes(contents))
    bench = Bench(dut, rng, limit=60_000)
    bench.simulator.add_clock(0.5e-6, domain=DOMAIN)
    states = []

    async def script(ctx):
        ctx.set(dut.o.ready, 1)
        while ctx.get(dut.loading):
            await ctx.tick()
        states.append(ctx.get(dut.failed))
        features = to_words(rng, random_features(rng, network.bundle, 12), [1] + [0] * 11, 8)
        if late:
            word = parts_of(network.spec)[1].first * 256
            ctx.set(dut.chip.cells.data[word], ctx.get(dut.chip.cells.data[word]) ^ 1)
        came = 0
        for item in features:
            ctx.set(dut.i.payload, item)
            ctx.set(dut.i.valid, 1)
            taken = False
            while not taken:
                *_, taken, out = await ctx.tick().sample(dut.i.ready, dut.o.valid)
                came += out
        ctx.set(dut.i.valid, 0)
        while came < 12:
            *_, out = await ctx.tick().sample(dut.o.valid)
            came += out
        states.append(ctx.get(dut.failed))

    bench.script(script)
    bench.run()
    assert states == [not late, True]
