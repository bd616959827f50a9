"""Room impulse responses: recorded ones, and simulated ones by the image-source method (Allen and Berkley 1979).

A response begins at the direct sound and has unit energy. Training convolves speech with it, and the reverberant
speech is the target: gains on a spectrum can't undo a room, and a network trained to treat late reverberation as noise
also attenuates the ends of words in dry speech.
"""

from pathlib import Path

import numpy as np
import pyroomacoustics
from numpy.typing import NDArray

from model.corpora import corpus
from model.errors import BadInput
from model.reference import audio
from model.reference.audio import Signal

LONGEST = 1.0
"""Length of the part of a response that is used, seconds."""

REVERBERATION = (0.15, 0.8)
"""Range of the simulated reverberation times (RT60), seconds."""

SIDES = ((2.5, 10.0), (2.5, 8.0), (2.3, 4.0))
"""Ranges of length, width and height of simulated rooms, metres."""

FROM_WALLS = 0.5
"""Least distance of speaker and microphone from a wall, metres."""


def recorded(folder: Path, sample_rate: int) -> dict[str, Signal]:
    """The responses in a folder of recordings, by name. Raises `BadInput` if there is none."""
    return {name: response(audio.read(path, sample_rate), sample_rate) for name, path in corpus.noises(folder).items()}


def simulated(count: int, sample_rate: int, seed: int) -> list[Signal]:
    """Responses of `count` random shoebox rooms: `shoebox` 0 to `count` - 1."""
    return [shoebox(index, sample_rate, seed) for index in range(count)]


def shoebox(index: int, sample_rate: int, seed: int) -> Signal:
    """Response of a random shoebox room, which depends on the seed and `index` alone."""
    rng = np.random.default_rng([seed, index])
    size = np.array([rng.uniform(*side) for side in SIDES])
    while True:
        try:  # large rooms can't be dry enough
            absorption, order = pyroomacoustics.inverse_sabine(rng.uniform(*REVERBERATION), size)
            break
        except ValueError:
            continue
    room = pyroomacoustics.ShoeBox(
        size, fs=sample_rate, materials=pyroomacoustics.Material(absorption), max_order=min(order, 20)
    )
    room.add_source(rng.uniform(FROM_WALLS, size - FROM_WALLS))
    room.add_microphone(rng.uniform(FROM_WALLS, size - FROM_WALLS))
    room.compute_rir()
    return response(np.asarray(room.rir[0][0], np.float32), sample_rate)


def response(recording: NDArray[np.float32], sample_rate: int) -> Signal:
    """A recording of an impulse, from its direct sound on, with unit energy.

    Raises `BadInput` for digital silence.
    """
    if not np.any(recording):
        raise BadInput("room: expected an impulse response, got digital silence")
    begin = max(0, int(np.argmax(np.abs(recording))) - round(0.001 * sample_rate))
    cut = recording[begin : begin + round(LONGEST * sample_rate)].astype(np.float64)
    return (cut / np.sqrt(np.sum(np.square(cut)))).astype(np.float32)
