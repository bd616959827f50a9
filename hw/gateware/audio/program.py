"""The engine's instruction set, and the scheduler that packs a loop's operations into instructions.

Every pass over a frame (window, FFT, split, ...) is one loop, and its body a list of `Group`s: read some words, add
them up with coefficients, write the sum. One instruction a cycle leaves the program memory and goes down the pipeline:

| cycle | what |
|---|---|
| -1 | the instruction; address and angle are formed |
| 0 | address at the memory's port |
| 1 | word and cosine come out |
| 2 | operand and coefficient at the multiplier |
| 3 | two partial products |
| 4 | their sum, and the accumulator's operand |
| 5 | the sum in the accumulator |
| 6 | the result in the write register: a write may be at the port |

So a group's write comes `LATENCY` cycles after its last read. Cycles without a memory access are the samples'
(`hw.gateware.audio.samples`).
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from amaranth.lib import data
from amaranth.lib.enum import Enum

__all__ = [
    "LATENCY",
    "Access",
    "Bias",
    "Coefficient",
    "Gate",
    "Group",
    "Index",
    "Instruction",
    "Mark",
    "Pass",
    "Region",
    "Step",
    "Wait",
]

LATENCY = 6
"""Cycles from a read to the write of a result that it is the last term of."""


class Access(Enum, shape=2):
    """What an instruction does at the memory's port."""

    NONE = 0
    READ = 1
    WRITE = 2


class Region(Enum, shape=3):
    """Where: `RING` has 2N words, `QUEUE` N/2, the others N. `SOURCE` and `TARGET` change places after a pass."""

    RING = 0
    SOURCE = 2
    TARGET = 3
    SPECTRUM = 4
    OVERLAP = 6
    QUEUE = 7


class Index(Enum, shape=2):
    """Which complex word: the loop's n, n with the butterfly's bit set, or M - n."""

    N = 0
    PARTNER = 1
    MIRROR = 2


class Coefficient(Enum, shape=2):
    """The multiplier's second operand.

    `ANGLE` is a cosine or sine, `SCALE` the output's constant, `OPERAND` a quarter of the first operand, `POWER` the
    power of two that brings a bin's magnitudes below 2^17.
    """

    ANGLE = 0
    SCALE = 1
    OPERAND = 2
    POWER = 3


class Bias(Enum, shape=3):
    """What a sum begins with: half an output bit, one less than that (for terms to be rounded and subtracted)."""

    UP = 0
    DOWN = 1
    ZERO = 2
    OUTPUT = 3
    ENERGY = 4


class Gate(Enum, shape=3):
    """When a directly added word counts as zero: always, in the last quarter, where a mask bit is 0."""

    OPEN = 0
    CLOSED = 1
    LAST_QUARTER = 2
    MASK_0 = 4
    MASK_1 = 5
    MASK_2 = 6


class Mark(Enum, shape=3):
    """Who else takes the sum: the magnitude (new, or with the other component's), the logarithm, the energy."""

    NONE = 0
    MAGNITUDE = 1
    MAGNITUDE_TOO = 2
    LOGARITHM = 3
    ENERGY = 4


class Wait(Enum, shape=2):
    """What the instruction waits for: a mask word (taken by `MASK_DONE`), or that the levels are out."""

    NONE = 0
    MASK = 1
    MASK_DONE = 2
    LEVELS = 3


class Instruction(data.StructLayout):
    """One instruction; `turn` is set in the last but one of a body."""

    def __init__(self) -> None:
        super().__init__(
            {
                "access": Access,
                "region": Region,
                "index": Index,
                "reverse": 1,
                "lane": 1,
                "odd": 1,
                "sine": 1,
                "coefficient": Coefficient,
                "add": 1,
                "first": 1,
                "direct": 1,
                "minus": 1,
                "absolute": 1,
                "bias": Bias,
                "gate": Gate,
                "take": 1,
                "mark": Mark,
                "wait": Wait,
                "turn": 1,
            }
        )


@dataclass(frozen=True)
class Step:
    """An instruction before it has its place: a read and what becomes of the word, or a write."""

    access: Access = Access.NONE
    region: Region = Region.RING
    index: Index = Index.N
    lane: int = 0
    reverse: bool = False
    odd: bool = False
    sine: bool = False
    coefficient: Coefficient = Coefficient.ANGLE
    add: bool = False
    first: bool = False
    direct: bool = False
    minus: bool = False
    absolute: bool = False
    bias: Bias = Bias.UP
    gate: Gate = Gate.OPEN
    take: bool = False
    mark: Mark = Mark.NONE
    wait: Wait = Wait.NONE
    turn: bool = False

    @property
    def word(self) -> int:
        """The instruction's bits."""
        values = {name: getattr(self, name) for name in Instruction().members}
        plain = {name: value.value if isinstance(value, enum.Enum) else int(value) for name, value in values.items()}
        return int(Instruction().const(plain).as_value().value)


@dataclass(frozen=True)
class Group:
    """Terms of one sum, in order, and the writes of it.

    after : the first read waits until all writes and marks of the groups before are in effect
    """

    terms: tuple[Step, ...]
    writes: tuple[Step, ...] = ()
    after: bool = False


@dataclass(frozen=True)
class Pass:
    """A loop: body, and how n runs.

    last : of n (or of n with the butterfly's bit) in the last iteration
    angle : what an iteration adds to the angle; 0 in a stage of the FFT, which has its own
    swaps : `SOURCE` and `TARGET` change places at its end
    """

    name: str
    body: tuple[Step, ...]
    last: int
    angle: int = 1
    swaps: bool = False


IDLE = Step(coefficient=Coefficient.OPERAND)
"""Does nothing, and leaves the gain's limit at the cosine ROM's output, where the keys' pass looks for it."""


def schedule(groups: Sequence[Group]) -> tuple[Step, ...]:
    """The body of a loop: every write as early as its sum is there, else the next read."""
    body: list[Step] = []
    reads = [(group, index) for group in groups for index in range(len(group.terms))]
    due: list[tuple[int, Step]] = []
    settled = 0  # when all that has been read so far is written or marked
    while reads or due:
        now = len(body)
        if due and due[0][0] <= now:
            body.append(due.pop(0)[1])
            settled = max(settled, now + 1)
            continue
        if reads:
            group, index = reads[0]
            term = group.terms[index]
            ends = index == len(group.terms) - 1
            # A sum must not replace one that is not written yet.
            room = not (ends and group.writes and due and due[-1][0] >= now + LATENCY)
            if room and not (group.after and index == 0 and (due or now < settled)):
                reads.pop(0)
                body.append(replace(term, first=index == 0, add=True, take=ends and bool(group.writes)))
                if ends:
                    due += [(now + LATENCY + place, write) for place, write in enumerate(group.writes)]
                    if term.mark != Mark.NONE:
                        settled = max(settled, now + LATENCY)
                continue
        body.append(IDLE)
    while len(body) < 3:
        body.append(IDLE)
    body[-2] = replace(body[-2], turn=True)
    return tuple(body)
