"""The smallest case that still fails."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from cosim.fuzz.case import Case, Layer, entry, verdict
from jobs.queue import Job
from jobs.steps import Work
from model.bundle.formats import WEIGHT_FORMATS
from model.bundle.front_end import LEVEL_BITS

__all__ = ["Finding", "hunt", "smaller"]

BATCH = 4
"""Smaller cases that are simulated at a time."""

Finding = tuple[Case, str] | None
"""A case that fails and its mismatch, or None."""


def hunt(case: Case, check: Callable[..., None]) -> Work[tuple[bool, Finding]]:
    """Check a case; if it differs, take the first smaller case that differs too, until there is none.

    Returns whether the case could be simulated, and what was found.
    """
    (outcome,) = yield [Job(entry(case, check), f"{case.family}, {len(case.layers)} layers")]
    if outcome.folder is None:
        return False, None
    mismatch = verdict(outcome.folder)
    if not mismatch:
        return True, None
    candidates = list(dict.fromkeys(smaller(case)))
    while candidates:
        batch, candidates = candidates[:BATCH], candidates[BATCH:]
        outcomes = yield [Job(entry(one, check), "a smaller case") for one in batch]
        for one, found in zip(batch, outcomes, strict=True):
            if found.folder is not None and (text := verdict(found.folder)):
                case, mismatch, candidates = one, text, list(dict.fromkeys(smaller(one)))
                break
    return True, (case, mismatch)


def smaller(case: Case) -> Iterator[Case]:
    """Cases that are smaller or simpler in one way, the largest steps first."""
    changes: list[dict[str, Any]] = [
        *({"netlist": False}, {"resets": 0}, {"backpressure": 0.0}, {"idle": 0.0}),
        *({"in_width": width} for width in _less(case.in_width)),
        *({"out_width": width} for width in _less(case.out_width)),
        *({"qad_bits": bits} for bits in _less(case.qad_bits)),
        *({"feature_bits": bits} for bits in (1, *LEVEL_BITS) if bits < case.feature_bits),
        *({"frames": frames} for frames in _shorter(case.frames)),
    ]
    for change in changes:
        if (made := replace(case, **change)) != case:
            yield made
    for index in range(len(case.layers) if len(case.layers) > 1 else 0):
        yield replace(case, layers=(*case.layers[:index], *case.layers[index + 1 :]))
    for index, layer in enumerate(case.layers):
        for simple in _simpler(layer):
            yield replace(case, layers=(*case.layers[:index], simple, *case.layers[index + 1 :]))


def _less(value: int) -> list[int]:
    """1, half of it, one less."""
    return [one for one in dict.fromkeys((1, value // 2, value - 1)) if 0 < one < value]


def _shorter(frames: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    if len(frames) > 1:
        yield from ((one,) for one in frames)
        yield frames[:-1]
    for index, count in enumerate(frames):
        yield from ((*frames[:index], less, *frames[index + 1 :]) for less in _less(count))


def _simpler(layer: Layer) -> Iterator[Layer]:
    bits = {"kind": "bgru" if layer.kind == "gru" else layer.kind, "w": "", "u": "", "output_bits": 1}
    changes: list[dict[str, Any]] = [
        *([bits] if layer.w else []),
        *({"units": units} for units in _less(layer.units)),
        *({"pe": pe} for pe in _less(layer.pe)),
        *({"simd": simd} for simd in _less(layer.simd)),
        *({"weights": "rom"}, {"packed": False}),
        *({"w": narrow} for narrow in _narrower(layer.w)),
        *({"u": narrow} for narrow in _narrower(layer.u)),
        *({"output_bits": fewer} for fewer in _less(layer.output_bits)),
    ]
    for change in changes:
        if (made := replace(layer, **change)) != layer:
            yield made


def _narrower(format: str) -> list[str]:
    """The formats, narrower than this one, that have lanes next to any other."""
    bits = WEIGHT_FORMATS[format].bits if format else 0
    return [name for name in ("binary", "ternary") if WEIGHT_FORMATS[name].bits < bits]
