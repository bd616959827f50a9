"""Corpora: folders of `speaker/utterance` recordings, folders of noises, and how they are split.

Speech is split by speaker, so a network is never scored on a voice it has heard. Each noise file is split in time,
so it is never scored on a stretch of noise it has heard. Whole kinds of noise can be held out from training: they
show how a network does on noise it has never heard, and choose between epochs and recipes.
"""

import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from model.errors import BadInput
from model.reference import audio
from model.reference.audio import Signal

log = logging.getLogger(__name__)

SUFFIXES = frozenset(f".{name.lower()}" for name in soundfile.available_formats() if name != "RAW")
"""File suffixes of recordings: the usual one of every format with a header that libsndfile reads."""

SHORTEST = 0.05
"""Minimum length in seconds of a recording, and of each part of a noise."""

NOISE_PARTS = {
    **{"training": (0.0, 0.6), "validation": (0.6, 0.7), "test": (0.7, 1.0)},
    **{"all but test": (0.0, 0.7), "whole": (0.0, 1.0)},
    **{"first half": (0.0, 0.5), "second half": (0.5, 1.0)},
}
"""Stretches of a noise file, as fractions of its length: one for each part, and others a part may use instead."""

HELD_OUT_STRETCHES = {"validation": "first half", "test": "second half"}
"""The parts that hear noises of held-out kinds, and the stretch of them that each hears."""


@dataclass(frozen=True)
class Split:
    """Speaker names of the three parts, which have no speaker in common."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """Recordings of speakers and noises, and the part each belongs to.

    `stretches` gives a part a stretch of `NOISE_PARTS` other than its own. Noises of the kinds in `held_out` are
    never in training; if there are any, validation hears only them.
    """

    utterances: Mapping[str, tuple[Path, ...]]
    noises: Mapping[str, Path]
    split: Split
    stretches: Mapping[str, str] = field(default_factory=dict)
    held_out: frozenset[str] = frozenset()

    def stretch(self, part: str) -> str:
        """The name of the stretch that a part uses of every noise that isn't held out."""
        return self.stretches.get(part, part)

    def noise_stretches(self, part: str) -> dict[str, str]:
        """The noises that a part hears: name to the name of the stretch."""
        if not self.held_out:
            return dict.fromkeys(self.noises, self.stretch(part))
        known = {} if part == "validation" else {n: self.stretch(part) for n in self.noises if not self.is_held_out(n)}
        if part not in HELD_OUT_STRETCHES:
            return known
        return known | {n: HELD_OUT_STRETCHES[part] for n in self.noises if self.is_held_out(n)}

    def is_held_out(self, noise: str) -> bool:
        """Whether a noise is of a kind that training never hears."""
        return kind(noise) in self.held_out

    def signals(self, part: str, sample_rate: int) -> tuple[list[Signal], dict[str, Signal]]:
        """Utterances of a part, and its stretch of every noise it hears by name, at `sample_rate`."""
        names = getattr(self.split, part)
        speech = [read_speech(path, sample_rate) for name in names for path in self.utterances[name]]
        heard = self.noise_stretches(part)
        return speech, {name: read_noise(self.noises[name], heard[name], sample_rate) for name in heard}


def kind(noise: str) -> str:
    """The kind of a noise: `rain` of `rain__roof`; without `__`, the whole name."""
    return noise.partition("__")[0]


def find(
    speech: Sequence[Path],
    noise: Sequence[Path],
    test: Sequence[str] = (),
    validation: Sequence[str] = (),
    fraction: float = 0.1,
    seed: int = 0,
    skip_broken: bool = False,
    held_out: Collection[str] = (),
) -> Corpus:
    """List the folders and split the speakers, see `split_speakers`; `held_out` names kinds of noise, see `Corpus`.

    A recording that can't be used (broken, silent, too short) raises `BadInput` when it is read. With `skip_broken`,
    all are read here, and unusable ones are logged and left out, including noises with an unusable part.
    Raises `BadInput` for a folder without recordings, for a speaker or a noise in two folders, for an unknown kind,
    and if no kind is left for training.
    """
    utterances: dict[str, tuple[Path, ...]] = {}
    for folder in speech:
        found = speakers(folder)
        if both := sorted(set(found) & set(utterances)):
            raise BadInput(f"{folder}: expected speakers in one folder only, got {both[0]} again")
        utterances |= found
    noises_found: dict[str, Path] = {}
    for folder in noise:
        more = noises(folder)
        if both := sorted(set(more) & set(noises_found)):
            raise BadInput(f"{folder}: expected noises in one folder only, got {both[0]} again")
        noises_found |= more
    if skip_broken:
        usable = {
            name: tuple(path for path in paths if _usable(path, read_speech)) for name, paths in utterances.items()
        }
        utterances = {name: paths for name, paths in usable.items() if paths}
        noises_found = {name: path for name, path in noises_found.items() if _usable(path, _read_parts)}
        if not (utterances and noises_found):
            raise BadInput(f"{(noise if utterances else speech)[0]}: expected recordings, got none that can be read")
    kinds = {kind(name) for name in noises_found}
    if unknown := sorted(set(held_out) - kinds):
        raise BadInput(f"held-out kind {unknown[0]}: expected one of {', '.join(sorted(kinds))}, got another")
    if kinds == set(held_out):
        raise BadInput(f"held-out kinds: expected fewer than all {len(kinds)}, got {', '.join(sorted(held_out))}")
    split = split_speakers(list(utterances), test, validation, fraction, seed)
    return Corpus(utterances, noises_found, split, held_out=frozenset(held_out))


def _usable(path: Path, read: Callable[[Path, int], object]) -> bool:
    try:
        read(path, soundfile.info(os.fsencode(path)).samplerate)
    except (BadInput, soundfile.LibsndfileError) as error:
        log.warning("left out: %s", error)
        return False
    return True


def _recordings(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in SUFFIXES)


def speakers(folder: Path) -> dict[str, tuple[Path, ...]]:
    """List `folder/speaker/**/utterance.(wav|flac|...)`: speaker to recordings, both sorted by name.

    Recordings directly in the folder count as one speaker with the folder's name.
    Raises `BadInput` if the folder is missing or holds no recording.
    """
    found = {}
    if folder.is_dir() and (direct := [path for path in _recordings(folder) if path.parent == folder]):
        found[folder.resolve().name] = tuple(direct)
    for speaker in sorted(folder.iterdir()) if folder.is_dir() else ():
        if speaker.is_dir() and (paths := _recordings(speaker)):
            found[speaker.name] = tuple(paths)
    if not found:
        got = "none" if folder.is_dir() else "no such folder"
        raise BadInput(f"{folder}: expected speech as speaker/utterance recordings (WAV, FLAC, ...), got {got}")
    return found


def noises(folder: Path) -> dict[str, Path]:
    """List the recordings of a folder of noises: name (path below the folder, without suffix) to file.

    Raises `BadInput` if the folder is missing, holds no recording, or two whose names differ only in the suffix.
    """
    found: dict[str, Path] = {}
    for path in _recordings(folder):
        other = found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
        if other is not path:
            raise BadInput(f"{path}: expected a unique name, got that of {other.name}")
    if not found:
        got = "none" if folder.is_dir() else "no such folder"
        raise BadInput(f"{folder}: expected recordings of noise (WAV, FLAC, ...), got {got}")
    return found


def split_speakers(
    names: Sequence[str], test: Sequence[str] = (), validation: Sequence[str] = (), fraction: float = 0.1, seed: int = 0
) -> Split:
    """Split speakers into training, validation and test.

    A part whose speakers are not named gets `fraction` of all speakers (at least one), drawn from `seed`.
    Raises `BadInput` for a name that is unknown or in both parts, and if nobody is left for training.
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
    """Read the stretch of a noise file that belongs to `part`; raises `BadInput` if it is too short or silent."""
    return _audible(path, f"noise in its {part} part", noise_part(audio.read(path, sample_rate), part), sample_rate)


def _read_parts(path: Path, sample_rate: int) -> list[Signal]:
    return [read_noise(path, part, sample_rate) for part in NOISE_PARTS]


def read_speech(path: Path, sample_rate: int) -> Signal:
    """Read an utterance; one too short or silent raises `BadInput`: it has no signal-to-noise ratio."""
    return _audible(path, "speech", audio.read(path, sample_rate), sample_rate)


def _audible(path: Path, what: str, signal: Signal, sample_rate: int) -> Signal:
    if len(signal) < SHORTEST * sample_rate:
        raise BadInput(
            f"{path}: expected at least {SHORTEST} s of {what}, got {len(signal)} samples at {sample_rate} Hz"
        )
    if not np.any(signal):
        raise BadInput(f"{path}: expected {what}, got digital silence")
    return signal
