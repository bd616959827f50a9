"""The calibration: its layers, its fit, and a few of its figures measured again."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from cosim.measure.calibrate import (
    INTEGER_PARTS,
    PARTS,
    Configuration,
    IntegerConfiguration,
    configurations,
    fit,
    integer_configurations,
    measure,
)
from hw.shape.estimate import CALIBRATION
from hw.shape.family import ECP5, FAMILIES
from hw.shape.folding import Folding
from hw.shape.integer_estimate import estimate_of
from hw.shape.network_spec import spec_of


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    ("choose", "sizes", "most_lanes"), [(configurations, PARTS, 128), (integer_configurations, INTEGER_PARTS, 60)]
)
def test_layers_are_always_the_same_and_can_be_folded_so(family, part, choose, sizes, most_lanes):
    found = list(choose(part, family))
    assert found == list(choose(part, family))
    assert len(found) == sizes[part] == len(set(found))
    for one in found:
        spec_of(one.layer(), one.folding, family)  # refuses a folding beyond the layer
        assert one.folding.pe * one.folding.simd <= most_lanes


@pytest.mark.parametrize("part", PARTS)
def test_bitwise_layers_are_of_every_kind(part):
    found = list(configurations(part, ECP5))
    assert all(one.layer().binary == one.binary for one in found)
    assert len({(one.kind, one.binary, one.folding.packed, one.folding.weights) for one in found}) >= 7


@pytest.mark.parametrize("part", INTEGER_PARTS)
def test_layers_of_integers_have_no_multiplier_or_all_or_half(part):
    shares = set()
    for one in integer_configurations(part, ECP5):
        if most := spec_of(one.layer(), one.folding, ECP5).most_multipliers:
            shares.add(round(one.folding.multipliers / most, 1))
    assert {0.0, 0.5, 1.0} <= shares


@pytest.mark.parametrize("choose", [configurations, integer_configurations])
def test_no_layer_is_in_both_sets(choose):
    calibration, validation = (set(choose(part, ECP5)) for part in PARTS)
    assert not calibration & validation


def test_the_fit_finds_what_each_part_takes():
    rng = np.random.default_rng(0)
    takes = {"lane": 2.5, "row": 7.0, "nothing": 0.0}
    parts = [{name: float(rng.integers(1, 99)) for name in takes} for _ in range(20)]
    found = fit(parts, [round(sum(takes[name] * count for name, count in part.items())) for part in parts])
    assert found == pytest.approx(takes, abs=0.1)


@pytest.mark.synthesis
@pytest.mark.parametrize("numbers", ["bits", "integers"])
@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_the_smallest_layers_measured_again_are_within_10_percent_too(family, numbers):
    found = json.loads(CALIBRATION.read_text())[family.name]
    layers = found["validation"] if numbers == "bits" else found["integers"]["validation"]
    make = Configuration if numbers == "bits" else IntegerConfiguration
    for layer in sorted(layers, key=lambda layer: layer["synthesised"]["lut4"])[:2]:
        shape = {name: layer[name] for name in layer if name not in ("estimate", "synthesised", "error")}
        one = make(**shape | {"folding": Folding(**layer["folding"]), "seed": tuple(layer["seed"])})
        measured = measure(one, family)
        estimate = estimate_of(one.layer(), family).resources(one.folding)
        assert estimate["lut4"] == pytest.approx(measured["lut4"], rel=0.1)
        assert {**estimate, "lut4": 0} == {**{kind: measured[kind] for kind in estimate}, "lut4": 0}


def test_an_unknown_family_is_refused():
    result = subprocess.run(
        [sys.executable, "-m", "bgru", "calibrate", "--family", "ecp6"],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert result.returncode == 2
    assert "expected one of ecp5, ice40, gowin, got 'ecp6'" in result.stderr
