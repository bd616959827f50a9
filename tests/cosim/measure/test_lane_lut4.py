"""What a lane takes: the recorded figures, a few of them measured again."""

import json

import pytest

from cosim.measure.lane_lut4 import OPERAND_BITS, lane_lut4
from hw.shape.estimate import CALIBRATION
from hw.shape.estimate import lane_lut4 as recorded
from hw.shape.family import FAMILIES
from model.bundle.formats import WEIGHT_FORMATS


@pytest.mark.parametrize("family", FAMILIES)
def test_every_format_and_operand_has_a_figure(family):
    found = recorded(family)
    assert set(found) == {format.name for format in WEIGHT_FORMATS.values()}
    assert all(list(lane) == [str(bits) for bits in OPERAND_BITS] for lane in found.values())


@pytest.mark.synthesis
@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
@pytest.mark.parametrize(("format", "bits"), [("binary", 8), ("ternary", 2), ("int3", 4), ("seo3", 6)])
def test_a_lane_measured_again_takes_what_is_recorded(family, format, bits):
    figures = json.loads(CALIBRATION.read_text())[family.name]["integers"]["lanes"]
    assert lane_lut4(format, bits, family) == figures[format][str(bits)]
