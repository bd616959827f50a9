"""Families of devices: how a memory is cut so that no multiplexer stands between block RAMs."""

import pytest

from hw.shape.family import ECP5, FAMILIES, ICE40


@pytest.mark.parametrize(
    ("family", "depth", "width"),
    [
        (ECP5, 1, 36),
        (ECP5, 512, 36),
        (ECP5, 513, 18),
        (ECP5, 2048, 9),
        (ECP5, 2049, 4),
        (ECP5, 16384, 1),
        (ICE40, 256, 16),
        (ICE40, 257, 8),
        (ICE40, 2048, 2),
    ],
)
def test_slice_is_as_wide_as_a_block_ram_of_that_depth(family, depth, width):
    assert family.slice_width(depth, 1000) == width


@pytest.mark.parametrize(("family", "depth"), [(ECP5, 16385), (ICE40, 2049)])
def test_memory_deeper_than_any_block_ram_stays_whole(family, depth):
    assert family.slice_width(depth, 77) == 77


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_no_shape_of_a_block_ram_holds_more_than_the_block_ram(family):
    assert all(depth * width <= family.block_ram_bits for depth, width in family.block_ram.items())


def test_families_are_found_by_their_name():
    assert {name: family.name for name, family in FAMILIES.items()} == {
        "ecp5": "ecp5",
        "ice40": "ice40",
        "gowin": "gowin",
    }
