"""Impulse responses of rooms."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pyroomacoustics")

from model.corpora import rooms
from model.errors import BadInput

RATE = 16000


@given(st.integers(0, 2**32))
def test_a_simulated_response_begins_at_the_direct_sound_has_unit_energy_and_decays(seed: int) -> None:
    (room,) = rooms.simulated(1, RATE, seed)
    assert np.sum(np.square(room)) == pytest.approx(1.0, rel=1e-4)
    assert np.argmax(np.abs(room)) <= 0.001 * RATE
    assert len(room) <= rooms.LONGEST * RATE
    third = len(room) // 3
    assert np.sum(np.square(room[:third])) > 10 * np.sum(np.square(room[2 * third :]))


def test_a_room_depends_on_the_seed_and_its_number_only() -> None:
    few, many, other = rooms.simulated(2, RATE, 1), rooms.simulated(3, RATE, 1), rooms.simulated(2, RATE, 2)
    for index, room in enumerate(few):
        np.testing.assert_array_equal(room, many[index])
        assert not np.array_equal(room, other[index])


def test_silence_before_the_direct_sound_of_a_recording_is_cut_off(tmp_path: Path) -> None:
    impulse = np.zeros(4000)
    impulse[1000:1400] = 0.5 * np.exp(-np.arange(400) / 80)
    soundfile.write(tmp_path / "hall.wav", impulse, RATE)
    room = rooms.recorded(tmp_path, RATE)["hall"]
    assert len(room) == 3016 and np.argmax(room) == 16
    assert np.sum(np.square(room)) == pytest.approx(1.0, rel=1e-4)


def test_a_silent_response_is_refused() -> None:
    with pytest.raises(BadInput, match="room: expected an impulse response, got digital silence"):
        rooms.response(np.zeros(100, np.float32), RATE)
