"""Boards: what fits, and a whole board behind its UART pins."""

from pathlib import Path

import numpy as np
import pytest
from amaranth.sim import Simulator

from boards.board import BOARDS, find
from boards.core import BoardCore
from boards.fit import lay_out, parse_folding
from hw.layers import Folding
from model import bundle
from model.bits import pack
from model.bundle import Bundle, Layer, Matrix
from model.errors import BadInput
from model.golden import GoldenModel
from tests.random_bundles import random_bundle, random_features, random_front_end

BIT = 4  # clock cycles per bit of the UART in these tests


def test_an_unknown_board_is_refused_with_the_nearest_names():
    with pytest.raises(BadInput, match=r"expected one of .* got 'icebraker'; nearest: icebreaker"):
        find("icebraker")


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_a_platform_knows_the_pins_and_the_clock_of_its_board(board):
    platform = board.platform()
    assert int(platform.default_clk_frequency) == board.clock_hz
    assert platform.request("uart", dir="-")


def test_the_shipped_presets_fit_their_boards():
    for name, preset in (("ulx3s_85f", "small"), ("ulx3s_85f", "tiny"), ("icebreaker", "tiny")):
        network = lay_out(bundle.read(Path("bundles") / preset), find(name), {})
        assert network.family is find(name).family


def test_a_network_of_the_papers_size_is_refused_with_the_bits():
    units, bins = 1024, 513
    front_end = random_front_end(np.random.default_rng(0), bins, qad_bits=4)

    def zeros(*shape: int) -> Matrix:
        return Matrix.from_values(np.zeros(shape, dtype=np.int8))

    limits = np.zeros((3, units), dtype=np.int32)
    inputs = front_end.features
    gru = Layer("gru0", "bgru", inputs, units, zeros(3, units, inputs), limits, zeros(3, units, units), pack(limits[0]))
    paper = Bundle("paper", front_end, (gru, Layer("mask", "dense", units, bins, zeros(bins, units), limits[0, :bins])))
    with pytest.raises(BadInput, match=r"needs 2\d,\d{3},\d{3} bits of block RAM, the LFE5U-85F has 3,833,856"):
        lay_out(paper, find("ulx3s_85f"), {})


def test_a_folding_is_read_from_text():
    assert parse_folding(["gru0=2x64", "mask=1x8"]) == {"gru0": Folding(2, 64), "mask": Folding(1, 8)}
    with pytest.raises(BadInput, match=r"expected LAYER=PExSIMD such as gru0=1x64 or gru0=1x64-packed, got 'gru0=2'"):
        parse_folding(["gru0=2"])


async def send_byte(ctx, pins, byte):
    for level in (0, *((byte >> bit) & 1 for bit in range(8)), 1):
        ctx.set(pins.rx, level)
        await ctx.tick().repeat(BIT)


async def glitch(ctx, pins):
    ctx.set(pins.rx, 0)
    await ctx.tick()
    ctx.set(pins.rx, 1)
    await ctx.tick().repeat(BIT)


async def receive_byte(ctx, pins):
    await ctx.tick().until(~pins.tx)
    await ctx.tick().repeat(BIT // 2)
    byte = 0
    for bit in range(8):
        await ctx.tick().repeat(BIT)
        byte |= ctx.get(pins.tx) << bit
    await ctx.tick().repeat(BIT)
    assert ctx.get(pins.tx) == 1, "stop bit"
    return byte


@pytest.mark.parametrize("board", ["ulx3s_85f", "icebreaker"])
def test_a_host_gets_the_golden_models_masks_over_the_uart(board):
    rng = np.random.default_rng(7)
    made = random_bundle(rng, [("bgru", 6)], bins=11, qad_bits=2)
    network = lay_out(made, find(board), {"gru0": Folding(2, 5), "mask": Folding(2, 4)}, 8, 8)
    utterances = [random_features(rng, made, 3), random_features(rng, made, 2)]
    model = GoldenModel(made)
    expected = np.concatenate([model.masks(features) for features in utterances])
    pins = BoardCore(network, clock_hz=BIT * 1_000_000)
    received = []

    async def host(ctx):
        for byte in b"\x00?":  # noise on the line is no command
            await send_byte(ctx, pins, byte)
        await glitch(ctx, pins)
        for layer in 2 * list(network.layers.values()):  # a second time, as a host that was started anew would
            matrix = layer.engine.matrix
            if layer.folding.weights == "loaded":
                await send_byte(ctx, pins, ord("W"))
                for word in matrix.weight_words:
                    for byte in word.to_bytes(-(-matrix.weight_width // 8), "little"):
                        await send_byte(ctx, pins, byte)
        for features in utterances:
            for index, frame in enumerate(np.packbits(features, axis=1, bitorder="little")):
                for byte in (ord("F") if index else ord("S"), *frame):
                    await send_byte(ctx, pins, int(byte))

    async def listen(ctx):
        for _ in expected:
            octets = [await receive_byte(ctx, pins) for _ in range(2)]
            received.append(np.unpackbits(np.array(octets, dtype=np.uint8), bitorder="little")[:11])

    simulator = Simulator(pins)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.add_testbench(listen)
    simulator.run()
    assert np.array_equal(received, expected)
