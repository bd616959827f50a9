"""The passes over a frame as loops of the engine: which words are read, what is added up, where it goes.

Bins are complex words: real part in lane 0, imaginary part in lane 1. Y, Z, c, s, P and D are those of
docs/exact-meaning.md. No pass has its sums and differences P and D in memory: their terms are added directly, so one
accumulator and one multiplier do all, and every result is rounded once, as if P and D had been formed first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import IntEnum
from typing import Any

from hw.shape.audio_program import (
    Access,
    Bias,
    Coefficient,
    Gate,
    Group,
    Index,
    Mark,
    Pass,
    Region,
    Step,
    Wait,
    schedule,
)

__all__ = ["ANALYSIS", "SYNTHESIS", "Name", "passes", "program"]


class Name(IntEnum):
    """The passes by their numbers. `CLEAR` begins an utterance; after it, each pass starts the one behind it."""

    CLEAR = 0
    WINDOW = 1
    ENERGY = 2
    FORWARD = 3
    SPLIT = 4
    KEYS = 5
    MASK = 6
    MERGE = 7
    INVERSE = 8
    OVERLAP = 9
    OUTPUT = 10


ANALYSIS = (Name.WINDOW, Name.ENERGY, Name.FORWARD, Name.SPLIT, Name.KEYS)
SYNTHESIS = (Name.MASK, Name.MERGE, Name.INVERSE, Name.OVERLAP, Name.OUTPUT)

MASKS = (Gate.MASK_0, Gate.MASK_1, Gate.MASK_2)


def _read(region: Region, lane: int, index: Index = Index.N, **how: Any) -> Step:
    return replace(Step(Access.READ, region, index, lane), **how)


def _write(region: Region, lane: int, index: Index = Index.N, reverse: bool = False) -> Step:
    return Step(Access.WRITE, region, index, lane, reverse)


def _clear() -> tuple[Step, ...]:
    """Zeros to the ring and to the overlapping frames: 2N words and N."""
    nothing = _read(Region.RING, 0, direct=True, bias=Bias.ZERO, gate=Gate.CLOSED)
    regions = (Region.RING, Region.OVERLAP)
    return schedule([Group((nothing,), tuple(_write(region, lane) for region in regions for lane in (0, 1)))])


def _window() -> tuple[Step, ...]:
    """X = b - rnd(b c(n)), two samples an iteration, to bit-reversed order."""
    groups = []
    for lane in (0, 1):
        sample = _read(Region.RING, lane, odd=bool(lane), bias=Bias.DOWN)
        terms = replace(sample, direct=True), replace(sample, minus=True)
        groups.append(Group(terms, (_write(Region.TARGET, lane, reverse=True),)))
    return schedule(groups)


def _energy() -> tuple[Step, ...]:
    """S += x (x >> 2), two samples an iteration."""
    terms = [
        _read(Region.SOURCE, lane, coefficient=Coefficient.OPERAND, bias=Bias.ENERGY, mark=Mark.ENERGY)
        for lane in (0, 1)
    ]
    return schedule([Group(tuple(terms))])


def _butterfly() -> tuple[Step, ...]:
    """A +- t with t = (rnd(br c + bi s), rnd(bi c - br s)), from source to target."""
    groups = []
    for minus, index in ((False, Index.N), (True, Index.PARTNER)):
        for lane in (0, 1):
            bias = Bias.DOWN if minus else Bias.UP
            terms = (
                _read(Region.SOURCE, lane, direct=True, bias=bias),
                _read(Region.SOURCE, lane, Index.PARTNER, minus=minus),
                _read(Region.SOURCE, 1 - lane, Index.PARTNER, sine=True, minus=minus ^ bool(lane)),
            )
            groups.append(Group(terms, (_write(Region.TARGET, lane, index),)))
    return schedule(groups)


def _sums(
    source: Region, real: tuple[tuple[int, int, bool, bool], ...], imaginary: tuple[tuple[int, int, bool, bool], ...]
) -> Iterator[tuple[bool, int, tuple[Step, ...]]]:
    """The four results of a split or merge, those of the mirror bin first: (mirror?, lane, terms).

    `real` and `imaginary` are the products of t: (0 for A or 1 for B, lane, sine?, minus?). P is A + B*, and the
    mirror's result is (P - t)*.
    """
    for mirror in (True, False):
        for lane, products in ((0, real), (1, imaginary)):
            minus = mirror and lane == 0  # of t: the conjugate turns its imaginary part round once more
            bias = Bias.DOWN if minus else Bias.UP
            # Re P = Ar + Br, Im P = Ai - Bi, and the other way round in the mirror's conjugate.
            signs = (False, False) if lane == 0 else ((True, False) if mirror else (False, True))
            direct = [
                _read(source, lane, index, direct=True, minus=sign, bias=bias)
                for index, sign in zip((Index.N, Index.MIRROR), signs, strict=True)
            ]
            terms = [
                _read(source, part, (Index.N, Index.MIRROR)[which], sine=sine, minus=negative ^ minus)
                for which, part, sine, negative in products
            ]
            yield mirror, lane, (*direct, *terms)


def _split() -> tuple[Step, ...]:
    """T = (rnd(c Di - s Dr), rnd(-c Dr - s Di)), Y[k] = P + t, Y[M-k] = (P - t)*."""
    real = ((0, 1, False, False), (1, 1, False, False), (0, 0, True, True), (1, 0, True, False))
    imaginary = ((0, 0, False, True), (1, 0, False, False), (0, 1, True, True), (1, 1, True, True))
    return schedule(
        [
            Group(terms, (_write(Region.SPECTRUM, lane, Index.MIRROR if mirror else Index.N),))
            for mirror, lane, terms in _sums(Region.SOURCE, real, imaginary)
        ]
    )


def _merge() -> tuple[Step, ...]:
    """T = (rnd(-s Dr - c Di), rnd(c Dr - s Di)), Z[k] = P + t, Z[M-k] = (P - t)*: re and im swapped, bits reversed.

    For k = 0 the mirror's result has no place; it comes first, into that of Z[0].
    """
    real = ((0, 0, True, True), (1, 0, True, False), (0, 1, False, True), (1, 1, False, True))
    imaginary = ((0, 0, False, False), (1, 0, False, True), (0, 1, True, True), (1, 1, True, True))
    return schedule(
        [
            Group(terms, (_write(Region.TARGET, 1 - lane, Index.MIRROR if mirror else Index.N, reverse=True),))
            for mirror, lane, terms in _sums(Region.SPECTRUM, real, imaginary)
        ]
    )


def _keys() -> tuple[Step, ...]:
    """Q = a (a >> 2) + b (b >> 2) of a bin, a and b its magnitudes with two bits more, shifted below 2^17.

    A shift is a product with a power of two; four of them, for the two bits more.
    """
    marks = (Mark.MAGNITUDE, Mark.MAGNITUDE_TOO)
    groups = [
        Group(
            (
                _read(
                    Region.SPECTRUM,
                    lane,
                    coefficient=Coefficient.OPERAND,
                    direct=True,
                    absolute=True,
                    bias=Bias.ZERO,
                    mark=marks[lane],
                ),
            )
        )
        for lane in (0, 1)
    ]
    for lane in (0, 1):
        part = _read(Region.SPECTRUM, lane, coefficient=Coefficient.POWER, absolute=True, bias=Bias.ZERO)
        groups.append(Group((part,) * 4, (_write(Region.TARGET, lane),), after=lane == 0))
    square = _read(Region.TARGET, 0, coefficient=Coefficient.OPERAND, bias=Bias.ZERO)
    groups.append(Group((replace(square, wait=Wait.LEVELS), replace(square, lane=1, mark=Mark.LOGARITHM)), after=True))
    return schedule(groups)


def _mask(mask_bits: int, limited: bool, integers: bool) -> tuple[Step, ...]:
    """Y times the count of ones: once for each mask bit that is one, times F for each that is zero, in place.

    Or, in a mask of integers, times the bin's coefficient.
    """
    groups = []
    for lane in (0, 1):
        part = _read(Region.SPECTRUM, lane, direct=True, bias=Bias.ZERO)
        if limited:
            part = replace(part, coefficient=Coefficient.POWER, bias=Bias.UP)
        terms = [replace(part, gate=gate) for gate in MASKS[:mask_bits]]
        if integers:
            terms = [replace(part, coefficient=Coefficient.POWER, direct=False, bias=Bias.UP)]
        if lane == 0:
            terms[0] = replace(terms[0], wait=Wait.MASK)
        groups.append(Group(tuple(terms), (_write(Region.SPECTRUM, lane),)))
    body = schedule(groups)
    return (*body[:-1], replace(body[-1], wait=Wait.MASK_DONE))


def _overlap() -> tuple[Step, ...]:
    """Z - rnd(z c(n)) onto the frames before, of which the last quarter has none; re and im still swapped."""
    groups = []
    for lane in (0, 1):
        z = _read(Region.SOURCE, 1 - lane, odd=bool(lane), bias=Bias.DOWN)
        before = _read(Region.OVERLAP, lane, direct=True, gate=Gate.LAST_QUARTER)
        terms = replace(z, direct=True), before, replace(z, minus=True)
        groups.append(Group(terms, (_write(Region.OVERLAP, lane),)))
    return schedule(groups)


def _output() -> tuple[Step, ...]:
    """The hop that is complete, times the output's constant."""
    groups = []
    for lane in (0, 1):
        done = _read(Region.OVERLAP, lane, coefficient=Coefficient.SCALE, bias=Bias.OUTPUT)
        groups.append(Group((done,), (_write(Region.QUEUE, lane),)))
    return schedule(groups)


def passes(fft_size: int, mask_bits: int, limited: bool = False, integers: bool = False) -> Mapping[Name, Pass]:
    """All passes of N points; an attenuation limit, or a mask of one integer per bin, takes no more cycles."""
    points, stages = fft_size // 2, fft_size.bit_length() - 2
    butterflies = Pass(_butterfly(), points // 2, angle=0, stages=stages, swaps=True)
    return {
        Name.CLEAR: Pass(_clear(), fft_size),
        Name.WINDOW: Pass(_window(), points, angle=2, swaps=True),
        Name.ENERGY: Pass(_energy(), points),
        Name.FORWARD: butterflies,
        Name.SPLIT: Pass(_split(), points // 2 + 1),
        Name.KEYS: Pass(_keys(), points + 1),
        Name.MASK: Pass(_mask(mask_bits, limited, integers), points + 1),
        Name.MERGE: Pass(_merge(), points // 2 + 1, swaps=True),
        Name.INVERSE: butterflies,
        Name.OVERLAP: Pass(_overlap(), points, angle=2),
        Name.OUTPUT: Pass(_output(), points // 4),
    }


def program(of: Mapping[Name, Pass]) -> tuple[list[int], dict[Name, int]]:
    """The program memory's words, and the address at which each pass begins. Passes of one body share it."""
    words: list[int] = []
    begins: dict[tuple[Step, ...], int] = {}
    for one in of.values():
        if one.body not in begins:
            begins[one.body] = len(words)
            words += [step.word for step in one.body]
    return words, {name: begins[one.body] for name, one in of.items()}
