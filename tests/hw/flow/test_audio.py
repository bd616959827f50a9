"""What an audio engine takes of a device, against its prediction and the clock that a board has."""

import numpy as np
import pytest

from hw.flow.audio import clock, cost
from hw.shape.audio import MULTIPLIERS, AudioSpec
from hw.shape.family import ECP5, GOWIN, ICE40
from tests.support.audio_engine import random_front_end

pytestmark = pytest.mark.synthesis


@pytest.mark.parametrize("family", [ICE40, ECP5, GOWIN], ids=lambda family: family.name)
@pytest.mark.parametrize("shape", [(128, 1, 2, 64), (512, 3, 2, 64)])
def test_the_cost_is_that_predicted(family, shape):
    it = random_front_end(np.random.default_rng(0), *shape)
    found, spec = cost(it, family), AudioSpec.of(it, family)
    assert {kind: found[kind] for kind in spec.blocks} == spec.blocks
    assert found["multiplier"] == MULTIPLIERS
    assert spec.resources["lut4"] == pytest.approx(found["lut4"], rel=0.1)


@pytest.mark.parametrize("family, mhz", [(ICE40, 24), (ECP5, 60)], ids=["ice40", "ecp5"])
def test_the_clock_is_reached(family, mhz):
    """By two placements, and so by the median of any three with them."""
    it = random_front_end(np.random.default_rng(0), 512, 1, 2, 64)
    assert all(clock(it, family, [seed]) >= mhz for seed in (1, 2))
