"""What a board has for a network of integers: never less than the plan of the trained one takes."""

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from boards.definitions.registry import find
from boards.flow.budget import BoardBudget
from boards.flow.layout import design, options_of
from boards.flow.sound import sound_design, sound_frame_rate
from model.bundle.bundle import Bundle
from model.bundle.formats import WEIGHT_FORMATS, Format
from model.bundle.random_bundle import random_integer_layer, sized_front_end
from model.errors import BadInput
from tests.support.random_bundles import seeds

BOARDS = ("ulx3s_25f", "icebreaker", "tang_nano_20k")
names = st.sampled_from(sorted(WEIGHT_FORMATS))


def network(seed: int, units: int, bins: int, first: str, last: str) -> Bundle:
    rng = np.random.default_rng(seed)
    w, mask = WEIGHT_FORMATS[first], WEIGHT_FORMATS[last]
    keys = rng.integers(20_000, 30_000, (bins, 1), dtype=np.int32)
    front_end = dataclasses.replace(sized_front_end(keys), code="level", feature_bits=8, gain_bits=8)
    layers = (
        random_integer_layer(rng, "gru", bins, units, Format(8, 8, w, w), "gru0"),
        random_integer_layer(rng, "dense", units, bins, Format(8, 8, mask), "mask"),
    )
    return Bundle("any", front_end, layers)


@given(
    seed=seeds,
    units=st.integers(2, 20),
    first=names,
    last=names,
    board=st.sampled_from(BOARDS),
    audio=st.booleans(),
)
@settings(max_examples=15)
def test_the_plan_of_a_network_that_fits_takes_no_more_ram(
    seed: int, units: int, first: str, last: str, board: str, audio: bool
) -> None:
    made, chip = network(seed, units, 33, first, last), find(board)
    try:
        budget = BoardBudget(chip, audio)(made)
    except BadInput:
        assume(False)
    if audio:
        chip = chip.at_sound_clock(None)
        planned = sound_design(options_of(made, chip, {}), made, chip, sound_frame_rate(made, chip))
    else:
        planned = design(options_of(made, chip, {}), made, chip, made.front_end.frame_rate)
    assert set(planned.needs) == set(budget)
    assert all(count <= there for count, there in budget.values())
    assert all(planned.needs[kind] <= budget[kind][0] for kind in planned.needs if kind != "lut4")


def test_ram_rises_with_the_bits_of_the_weights() -> None:
    budget = BoardBudget(find("ulx3s_25f"), audio=True)
    taken = [budget(network(0, 64, 129, name, name))["block_ram"][0] for name in ("ternary", "int4", "int8")]
    assert taken == sorted(taken)
    assert taken[0] < taken[2]


def test_a_network_that_does_not_fit_says_what_is_missing() -> None:
    with pytest.raises(BadInput, match=r"does not fit icebreaker.*block.(RAM|ram)"):
        BoardBudget(find("icebreaker"), audio=True)(network(0, 96, 257, "int4", "int4"))


def test_the_boards_sdram_is_no_room() -> None:
    """A format is chosen so that the weights need no other memory than the chip's."""
    with pytest.raises(BadInput, match=r"does not fit ulx3s_25f.*block.(RAM|ram)"):
        BoardBudget(find("ulx3s_25f"))(network(0, 256, 257, "int8", "int8"))
