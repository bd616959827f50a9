"""Corpora: any folder of `speaker/utterance` recordings, any folder of noises, and how they are split.

Speech is split by speaker, so that a network is never scored on a voice that it has heard. Each noise file is
split in time, so that it is never scored on a stretch of noise that it has heard.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from model.errors import BadInput
from model.reference import audio
from model.reference.audio import Signal

log = logging.getLogger(__name__)

SUFFIXES = frozenset(f".{name.lower()}" for name in soundfile.available_formats() if name != "RAW")
"""What counts as a recording: the usual suffix of every format that libsndfile reads and that has a header."""

SHORTEST = 0.05
"""Seconds that a recording has at least, and each part of a noise: what is shorter is no sound to learn from."""

NOISE_PARTS = {
    **{"training": (0.0, 0.6), "validation": (0.6, 0.7), "test": (0.7, 1.0)},
    **{"all but test": (0.0, 0.7), "whole": (0.0, 1.0)},
}
"""Stretches of every noise file, as fractions of its length: each part's own, and those that parts may share."""


@dataclass(frozen=True)
class Split:
    """Speaker names of the three parts; `split_speakers` puts none in two of them."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """Recordings of speakers and noises, and who is in which part.

    A part named in `stretches` has that one of `NOISE_PARTS` instead of its own.
    """

    utterances: Mapping[str, tuple[Path, ...]]
    noises: Mapping[str, Path]
    split: Split
    stretches: Mapping[str, str] = field(default_factory=dict)

    def stretch(self, part: str) -> str:
        """The name of the stretch of every noise that a part has."""
        return self.stretches.get(part, part)

    def signals(self, part: str, sample_rate: int) -> tuple[list[Signal], dict[str, Signal]]:
        """Utterances of a part, and its stretch of every noise by name, read at `sample_rate`."""
        names = getattr(self.split, part)
        speech = [read_speech(path, sample_rate) for name in names for path in self.utterances[name]]
        return speech, {name: read_noise(path, self.stretch(part), sample_rate) for name, path in self.noises.items()}


def find(
    speech: Sequence[Path],
    noise: Path,
    test: Sequence[str] = (),
    validation: Sequence[str] = (),
    fraction: float = 0.1,
    seed: int = 0,
    skip_broken: bool = False,
) -> Corpus:
    """List the folders and split the speakers, see `split_speakers`.

    A recording that can't be used (broken, silent, too short) is `BadInput` when it is read; with `skip_broken` all are
    tried here, and such a one is named and left out, a noise also where one of its parts is like that.
    Raises `BadInput` for a folder without recordings, and for a speaker in two folders.
    """
    utterances: dict[str, tuple[Path, ...]] = {}
    for folder in speech:
        found = speakers(folder)
        if both := sorted(set(found) & set(utterances)):
            raise BadInput(f"{folder}: expected speakers that no other folder has, got {both[0]} again")
        utterances |= found
    noises_found = noises(noise)
    if skip_broken:
        usable = {
            name: tuple(path for path in paths if _usable(path, read_speech)) for name, paths in utterances.items()
        }
        utterances = {name: paths for name, paths in usable.items() if paths}
        noises_found = {name: path for name, path in noises_found.items() if _usable(path, _read_parts)}
        if not (utterances and noises_found):
            raise BadInput(f"{noise if utterances else speech[0]}: expected recordings, got none that can be read")
    return Corpus(utterances, noises_found, split_speakers(list(utterances), test, validation, fraction, seed))


def _usable(path: Path, read: Callable[[Path, int], object]) -> bool:
    try:
        read(path, soundfile.info(path).samplerate)
    except (BadInput, soundfile.LibsndfileError) as error:
        log.warning("left out: %s", error)
        return False
    return True


def _recordings(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in SUFFIXES)


def speakers(folder: Path) -> dict[str, tuple[Path, ...]]:
    """List `folder/speaker/**/utterance.(wav|flac|...)`: speaker to recordings, both sorted by name.

    Raises `BadInput` where the folder is missing or holds no recording.
    """
    found = {}
    for speaker in sorted(folder.iterdir()) if folder.is_dir() else ():
        if speaker.is_dir() and (paths := _recordings(speaker)):
            found[speaker.name] = tuple(paths)
    if not found:
        got = "none" if folder.is_dir() else "no such folder"
        raise BadInput(f"{folder}: expected speech as speaker/utterance recordings (WAV, FLAC, ...), got {got}")
    return found


def noises(folder: Path) -> dict[str, Path]:
    """List the recordings of a folder of noises: name (path below the folder, without suffix) to file.

    Raises `BadInput` where the folder is missing or holds no recording, or two whose names differ in the suffix alone.
    """
    found: dict[str, Path] = {}
    for path in _recordings(folder):
        other = found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
        if other is not path:
            raise BadInput(f"{path}: expected a name that no other noise has, got that of {other.name}")
    if not found:
        got = "none" if folder.is_dir() else "no such folder"
        raise BadInput(f"{folder}: expected recordings of noise (WAV, FLAC, ...), got {got}")
    return found


def split_speakers(
    names: Sequence[str], test: Sequence[str] = (), validation: Sequence[str] = (), fraction: float = 0.1, seed: int = 0
) -> Split:
    """Split speakers into training, validation and test.

    A part whose speakers are not named gets `fraction` of all speakers (at least one), drawn from `seed`.
    Raises `BadInput` for a name that is unknown or in both parts, and where nobody is left for training.
    """
    for part, chosen in (("test", test), ("validation", validation)):
        for name in chosen:
            if name not in names:
                raise BadInput(f"{part} speaker {name}: expected one of the corpus' {len(names)} speakers, got another")
    if both := sorted(set(test) & set(validation)):
        raise BadInput(f"speaker {both[0]}: expected test or validation, got both")
    named = {*test, *validation}
    drawn = [str(name) for name in np.random.default_rng(seed).permutation(sorted(set(names) - named))]
    count = max(1, round(fraction * len(names)))
    parts = []
    for chosen in (test, validation):
        parts.append(tuple(sorted(chosen)) if chosen else tuple(sorted(drawn[:count])))
        drawn = drawn if chosen else drawn[count:]
    training = tuple(sorted(drawn))
    if not training or not all(parts):
        raise BadInput(f"speech: expected speakers for training, validation and test, got {len(names)} speakers in all")
    return Split(training=training, validation=parts[1], test=parts[0])


def noise_part(noise: Signal, part: str) -> Signal:
    """The stretch of a noise recording, shape (samples,), that belongs to `part` (see `NOISE_PARTS`)."""
    first, last = (round(fraction * len(noise)) for fraction in NOISE_PARTS[part])
    return noise[first:last]


def read_noise(path: Path, part: str, sample_rate: int) -> Signal:
    """Read the stretch of a noise file that belongs to `part`; one too short or silent is `BadInput`."""
    return _audible(path, f"noise in its {part} part", noise_part(audio.read(path, sample_rate), part), sample_rate)


def _read_parts(path: Path, sample_rate: int) -> list[Signal]:
    return [read_noise(path, part, sample_rate) for part in NOISE_PARTS]


def read_speech(path: Path, sample_rate: int) -> Signal:
    """Read an utterance; one too short or silent is `BadInput`: it can't be mixed at any signal-to-noise ratio."""
    return _audible(path, "speech", audio.read(path, sample_rate), sample_rate)


def _audible(path: Path, what: str, signal: Signal, sample_rate: int) -> Signal:
    if len(signal) < SHORTEST * sample_rate:
        raise BadInput(
            f"{path}: expected at least {SHORTEST} s of {what}, got {len(signal)} samples at {sample_rate} Hz"
        )
    if not np.any(signal):
        raise BadInput(f"{path}: expected {what}, got digital silence")
    return signal
