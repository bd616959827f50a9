"""The SDRAM as a home for weights: bandwidth, and the pace it allows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.definitions.registry import find
from boards.flow.sdram_bus import SdramBus, network_interval, network_latency
from hw.shape import cycles, latency
from hw.shape.cycles import predict
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from hw.shape.network_spec import NetworkSpec
from tests.support.random_bundles import random_bundle

BOARD = find("ulx3s_85f")
MADE = random_bundle(np.random.default_rng(0), [("bgru", 40)], bins=30, qad_bits=2)


ON_CHIP = Folding(1, 8)


def network(gru, mask=ON_CHIP):
    return NetworkSpec.of(MADE, {"gru0": gru, "mask": mask}, ECP5, 8, 8)


def test_a_board_without_sdram_has_no_bus():
    assert SdramBus.of(find("icebreaker"), 62.5, 1) is None


def test_the_bandwidth_is_the_clocks_less_refreshes():
    # 100 MHz, two bytes a word; a refresh stops the data for 14 of 780 cycles (docs/sdram.md).
    assert SdramBus.of(BOARD, 62.5, 1).bandwidth == int(200e3 * (1 - 14 / 780))


def test_several_readers_have_less_of_it():
    # Before each chunk of 256 words, a row of the same bank may be closed and another opened: 7 cycles.
    one, two, three = (SdramBus.of(BOARD, 62.5, readers).words_per_second for readers in (1, 2, 3))
    assert one * 256 / 263 == pytest.approx(two) and two == three


def test_weights_on_the_chip_take_no_bandwidth():
    bus = SdramBus.of(BOARD, 62.5, 1)
    assert [bus.taken(layer) for layer in network(Folding(1, 8)).layers] == [0, 0]


@given(st.integers(1, 4), st.integers(1, 40), st.booleans())
def test_a_streamed_layer_reads_all_its_weights_in_every_frame(pe, simd, packed):
    layer = network(Folding(pe, simd, "streamed", packed)).layers[0]
    bus = SdramBus.of(BOARD, 62.5, 1)
    assert 16 * bus.words(layer) >= layer.ideal * layer.engine.weight_width
    assert bus.taken(layer) >= bus.words(layer) * 2 * 62.5 / 1000


@pytest.mark.parametrize(("simd", "limited"), [(1, False), (32, True)])
def test_lanes_or_memory_set_the_pace_of_a_streamed_layer(simd, limited):
    """At 50 MHz two words of 16 bits come a cycle; a word of 1 x 1 has two bits, one of 1 x 32 has 64."""
    board = replace(BOARD, clock_hz=50_000_000)
    spec = network(Folding(1, simd, "streamed"))
    layer, bus = spec.layers[0], SdramBus.of(board, 62.5, 1)
    assert bus.limits(layer) == limited
    expected = bus.cycles(bus.words(layer)) if limited else predict(layer).cycles
    assert network_interval(spec, board) == max(expected, predict(spec.layers[1]).cycles)
    more = expected - predict(layer).alone if limited else 0
    assert network_latency(spec, board) == latency.latency(spec) + more


def test_a_network_on_the_chip_is_as_fast_as_its_layers():
    spec = network(Folding(1, 8))
    assert network_interval(spec, BOARD) == cycles.interval(spec)
    assert network_latency(spec, BOARD) == latency.latency(spec)


def test_layers_share_the_bus():
    spec = network(Folding(4, 32, "streamed"), Folding(4, 32, "streamed"))
    bus = SdramBus.of(BOARD, 62.5, 2)
    assert network_interval(spec, BOARD) == bus.cycles(sum(map(bus.words, spec.layers)))
