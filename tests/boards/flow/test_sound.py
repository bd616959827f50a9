"""The audio path on a device: what it takes, and the network that is left room for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from boards.definitions.registry import Board, find
from boards.flow.elaboration import top_rtlil
from boards.flow.layout import options_of
from boards.flow.sound import audio_parts, lay_out_sound, sound_design, sound_frame_rate, sound_room
from hw.flow.synth import synthesise
from hw.shape.estimate import AreaEstimate
from hw.shape.folding import Folding
from model.bundle.bundle import Bundle
from model.bundle.random_bundle import random_layer
from model.bundle.read import read_bundle
from model.errors import BadInput
from tests.support.audio_engine import random_front_end


def made(units: int = 12) -> Bundle:
    """A bundle whose front end an audio engine has."""
    rng = np.random.default_rng(1)
    front_end = random_front_end(rng, 32)
    gru = random_layer(rng, "bgru", front_end.features, units, name="gru0")
    return Bundle("random", front_end, (gru, random_layer(rng, "dense", units, 17, name="mask")))


def having(board: Board, **available: int) -> Board:
    """The same board with another device on it."""
    return replace(board, part=replace(board.part, available={**board.available, **available}))


def planned(bundle: Bundle, board: Board) -> dict[str, int]:
    """What the denoiser is estimated to take."""
    layers = lay_out_sound(bundle, board, {}).layers.values()
    parts = [AreaEstimate(one.layer, board.family).resources(one.folding) for one in layers]
    parts += audio_parts(bundle, board).values()
    return {kind: sum(part.get(kind, 0) for part in parts) for kind in board.available if kind != "ff"}


@pytest.mark.synthesis
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_25f"])
def test_the_plan_of_a_denoiser_is_what_its_top_takes(name):
    bundle = read_bundle(Path("bundles/tiny"))
    board = find(name).at_sound_clock(None)
    rtlil, _ = top_rtlil(lay_out_sound(bundle, board, {}), board, "codec")
    found, plan = synthesise(rtlil, "top", board.family.with_multipliers()), planned(bundle, board)
    assert plan.pop("lut4") == pytest.approx(found["lut4"], rel=0.1)
    assert plan == {kind: found[kind] for kind in plan}


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_85f", "tang_primer_20k"])
def test_the_folding_leaves_the_audio_path_its_room(name):
    bundle = made()
    board = find(name).at_sound_clock(None)
    needs = planned(bundle, board)
    tight = having(board, block_ram=needs["block_ram"])
    assert planned(bundle, tight) == needs
    short = having(board, block_ram=needs["block_ram"] - 1)
    options = options_of(bundle, short, {name: Folding(12, 12) for name in ("gru0", "mask")})
    with pytest.raises(BadInput, match="does not fit"):
        sound_design(options, bundle, short, sound_frame_rate(bundle, short))


def test_a_device_too_small_for_the_audio_path_leaves_nothing_and_says_what_to_leave_out():
    bundle, board = made(), having(find("ulx3s_85f").at(25), lut4=1200)
    assert sound_room(bundle, board)["lut4"] < 300
    with pytest.raises(BadInput) as refusal:
        lay_out_sound(bundle, board, {})
    assert "next to the audio path" in str(refusal.value)
    assert "leave out the audio path: the network fits without --sound, or take ulx3s_85f" in str(refusal.value)


def test_frames_that_come_faster_than_the_engine_works_are_refused_with_the_clock_that_would_do():
    bundle, board = made(), find("ulx3s_85f").at(25)
    with pytest.raises(
        BadInput, match=r"its audio engine takes [\d,]+ cycles a frame, 25 MHz leave 25; from [\d,.]+ MHz"
    ):
        sound_design(options_of(bundle, board, {}), bundle, board, 1e6)


def test_frames_come_at_the_rate_that_the_clock_makes():
    bundle, board = made(), find("icebreaker").at(24)
    assert sound_frame_rate(bundle, board) == 15_625 / bundle.front_end.hop
