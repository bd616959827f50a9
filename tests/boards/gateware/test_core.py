"""The core between a board's pins: which it has, and which clocks its UART can work from."""

from dataclasses import replace

import numpy as np
import pytest

from boards.gateware.core import BoardCore
from boards.gateware.link_format import LinkFormat
from hw.flow.rtl import to_rtlil
from hw.flow.synth import synthesise
from hw.gateware.network import Network
from hw.shape.family import ECP5, ICE40
from hw.shape.folding import Folding, Source
from hw.shape.integer_estimate import ram_blocks
from model.errors import BadInput
from tests.support.random_bundles import random_bundle


def network(weights: Source) -> Network:
    made = random_bundle(np.random.default_rng(0), [("bgru", 6)], bins=5)
    return Network(made, {"gru0": replace(Folding(1, 4), weights=weights), "mask": Folding(1, 4)}, ICE40, 8, 8)


def test_only_a_network_with_loaded_weights_has_a_flash():
    assert "flash" in BoardCore(network("loaded"), 24_000_000, flash_offset=1 << 20).signature.members
    assert "flash" not in BoardCore(network("rom"), 24_000_000).signature.members


@pytest.mark.parametrize("clock_hz", [4_000_000, 12_000_000, 20_400_000, 120_000_000])
def test_a_clock_that_the_bit_rate_divides_nearly(clock_hz):
    assert BoardCore(network("rom"), clock_hz).divisor == clock_hz // 1_000_000


@pytest.mark.parametrize("clock_hz", [3_000_000, 4_500_000, 12_400_000])
def test_a_clock_that_it_does_not_divide_is_refused(clock_hz):
    with pytest.raises(BadInput, match=r"^UART: expected a clock of 4 x 1,000,000 Hz or more, a multiple to 2.5 %"):
        BoardCore(network("rom"), clock_hz)


@pytest.mark.synthesis
@pytest.mark.parametrize(("family", "bins"), [(ECP5, 257), (ICE40, 11)])
def test_the_block_rams_next_to_the_network_are_known_before_synthesis(family, bins):
    made = random_bundle(np.random.default_rng(0), [("bgru", 8)], bins=bins, qad_bits=1)
    network = Network(made, {"gru0": Folding(2, 4), "mask": Folding(2, 4)}, family, 8, 8)
    cost = synthesise(to_rtlil(BoardCore(network, 24_000_000), "core"), "core", family)
    layers = sum(ram_blocks(layer.layer, layer.spec)["block_ram"] for layer in network.layers.values())
    assert cost["block_ram"] == layers + LinkFormat.of(made, family).block_rams(family)


def two_layers(gru: Source, mask: Source) -> Network:
    made = random_bundle(np.random.default_rng(0), [("bgru", 6)], bins=5)
    return Network(made, {"gru0": Folding(1, 4, gru), "mask": Folding(1, 4, mask)}, ICE40, 8, 8)


@pytest.mark.parametrize(
    ("gru", "mask", "offset", "message"),
    [
        ("loaded", "loaded", 0, "board: expected the weights of one layer at most in its flash, got gru0, mask"),
        ("rom", "streamed", 0, "board: expected an SDRAM for the weights of mask, it has none"),
        ("loaded", "streamed", 0, "board: expected loaded weights or streamed ones, got gru0 loaded and mask streamed"),
        ("rom", "loaded", None, "board: expected a flash for the weights of layer mask, it has none"),
    ],
)
def test_weights_that_a_board_cannot_load_are_refused(gru, mask, offset, message):
    with pytest.raises(BadInput, match=f"^{message}$"):
        BoardCore(two_layers(gru, mask), 24_000_000, flash_offset=offset)
