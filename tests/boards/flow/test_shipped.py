"""The presets that are measured: their networks, and their figures under the reports' keys."""

from dataclasses import replace

import pytest

from boards.flow.shipped import SHIPPED, figures


@pytest.mark.parametrize("name", SHIPPED)
def test_a_preset_fits_its_board(name):
    network = SHIPPED[name].network()
    found = figures(network, {layer: {"lut4": 3, "block_ram": 1} for layer in network.layers})
    assert list(found) == ["gru0", "mask"]
    for layer in found.values():
        assert list(layer) == ["ideal", "cycles", "lut4", "block_ram"]
        assert layer["ideal"] <= layer["cycles"] <= 1.02 * layer["ideal"]


def test_the_folding_of_a_preset_is_used():
    network = replace(SHIPPED["small"], fold=("gru0=3x21",)).network()
    assert str(network.layers["gru0"].folding) == "3x21"
