"""Choosing foldings: the least area that meets a deadline, checked against trying everything."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.flow.folding_search import LANES, Design, Options, area, cheapest, front
from hw.shape.cycles import predict
from hw.shape.family import ECP5, FAMILIES, ICE40
from hw.shape.folding import Folding
from hw.shape.layer_spec import LayerSpec
from tests.support.hw_bench import few, some
from tests.support.random_bundles import densities, random_layer, seeds

PLENTY = {"lut4": 5280, "block_ram": 30, "spram": 4}


def options_of(rng, family, kinds, rho=0.8):
    layers = [random_layer(rng, kind, int(rng.integers(1, 9)), int(rng.integers(1, 6)), rho) for kind in kinds]
    return {f"layer{index}": Options(layer, family, "rom") for index, layer in enumerate(layers)}


@given(
    seed=seeds,
    family=st.sampled_from([ECP5, ICE40]),
    kinds=st.lists(st.sampled_from(["bgru", "dense"]), min_size=1, max_size=2),
    rho=densities,
)
@few
def test_no_design_that_is_quick_enough_and_fits_has_less_area(seed, family, kinds, rho):
    rng = np.random.default_rng(seed)
    layers = options_of(rng, family, kinds, rho)
    available = {"lut4": int(rng.integers(200, 1500)), "block_ram": int(rng.integers(1, 12)), "spram": 4}
    limit = float(np.exp(rng.uniform(np.log(5), np.log(300))))

    def quick(options):
        made = [(one, predict(LayerSpec.of(options.layer, one.folding, family)).cycles) for one in options.all]
        return [one for one, cycles in made if cycles <= limit]

    designs = []
    for choice in product(*(quick(options) for options in layers.values())):
        needs = {kind: sum(one.needs[kind] for one in choice) for kind in choice[0].needs}
        if all(count <= available[kind] for kind, count in needs.items()):
            designs.append(area(needs, available))
    found = cheapest(layers, available, limit)
    if found is None:
        assert designs == []
    else:
        assert area(found.needs, available) == pytest.approx(min(designs))
        assert all(layers[name].cycles(folding) <= limit for name, folding in found.foldings.items())
        assert not found.over(available)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 3)), max_size=40))
@some
def test_a_front_is_all_that_no_other_is_as_low_as(points):
    kept = [points[index] for index in front(points)]

    def below(one, other):
        return all(a <= b for a, b in zip(one, other, strict=True))

    assert len(set(kept)) == len(kept)
    assert not any(below(one, other) for one in kept for other in kept if one != other)
    assert all(any(below(one, point) for one in kept) for point in points)


def test_of_equal_points_the_lowest_in_what_is_free_is_kept():
    points = [(1, 1, 9), (1, 1, 3), (0, 2, 5)]
    assert {points[index] for index in front(points, free=1)} == {(1, 1, 3), (0, 2, 5)}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_weights_are_no_deeper_than_a_ram_block_unless_all_are(family):
    deepest = max(family.block_ram)
    layer = random_layer(np.random.default_rng(0), "dense", 300, 200)
    options = Options(layer, family, "rom").shallow
    assert options and max(option.ideal for option in options) <= deepest
    wide = random_layer(np.random.default_rng(0), "dense", 2100, 2050)
    deep = Options(wide, ICE40, "rom").all  # 4.3 million weights, at most 256 a cycle
    assert min(option.ideal for option in deep) > max(ICE40.block_ram)


def test_foldings_have_so_many_lanes_at_most_and_only_ternary_ones_are_packed():
    rng = np.random.default_rng(0)
    ternary, binary = (Options(random_layer(rng, "dense", 90, 40, rho), ECP5, "rom") for rho in (0.8, 1.0))
    foldings = [option.folding for option in ternary.all]
    assert max(folding.pe * folding.simd for folding in foldings) <= LANES
    assert {folding.packed for folding in foldings} == {False, True}
    assert {option.folding.packed for option in binary.all} == {False}


def test_weights_deeper_than_a_ram_block_are_taken_only_where_no_others_fit():
    layer = random_layer(np.random.default_rng(0), "dense", 96, 257)
    options, deepest = {"layer": Options(layer, ICE40, "rom")}, max(ICE40.block_ram)

    def found(block_ram):
        design = cheapest(options, PLENTY, limit=192_000, free={**PLENTY, "block_ram": block_ram})
        return None if design is None else (design.ideal > deepest, design.needs["block_ram"])

    least = min(one.needs["block_ram"] for one in options["layer"].shallow)
    deep, blocks = found(least - 1)
    assert found(least) == (False, least)
    assert deep and blocks < least
    assert found(min(one.needs["block_ram"] for one in options["layer"].all) - 1) is None


def test_a_folding_that_is_given_is_the_only_one_however_slow():
    layer = random_layer(np.random.default_rng(0), "dense", 90, 40)
    options = {"layer": Options(layer, ICE40, "rom", Folding(1, 1))}
    found = cheapest(options, PLENTY, limit=10)
    assert found is not None and found.foldings == {"layer": Folding(1, 1)}


def test_loaded_weights_take_the_fewest_single_port_rams():
    layer = random_layer(np.random.default_rng(0), "bgru", 1028, 96)
    found = cheapest({"layer": Options(layer, ICE40, "loaded")}, PLENTY, limit=192_000)
    assert found is not None
    assert found.foldings["layer"] == Folding(2, 10, "loaded", packed=True)
    assert found.needs["spram"] == 2


def test_what_is_over_is_said_by_how_much():
    assert Design(needs={"lut4": 5300, "block_ram": 30, "spram": 4}).over(PLENTY) == {"lut4": 20}
