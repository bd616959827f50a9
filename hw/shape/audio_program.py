"""The audio engine's instruction set, and the scheduler that packs a loop's operations into instructions.

Every pass over a frame (window, FFT, split, ...) is one loop. Its body is a list of `Group`s: read some words, add them
up with coefficients, write the sum. The program memory gives an instruction per cycle, which goes down the pipeline:

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

So a group is written `LATENCY` cycles after its last read. Samples move in cycles without a memory access.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

__all__ = [
    *(
        "FIELDS",
        "LATENCY",
        "OVERHEAD",
        "Access",
        "Bias",
        "Coefficient",
        "Gate",
        "Group",
        "Index",
        "Mark",
        "Pass",
        "Region",
    ),
    *("Step", "Wait", "schedule"),
]

OVERHEAD = 2
"""Cycles of a stage over those of its iterations."""

LATENCY = 6
"""Cycles from a read to the write of a result that it is the last term of."""


class Access(Enum):
    """What an instruction does at the memory's port."""

    NONE = 0
    READ = 1
    WRITE = 2


class Region(Enum):
    """Where: `RING` has 2N words, `QUEUE` N/2, the others N. `SOURCE` and `TARGET` change places after a pass."""

    RING = 0
    SOURCE = 2
    TARGET = 3
    SPECTRUM = 4
    OVERLAP = 6
    QUEUE = 7


class Index(Enum):
    """Which complex word: the loop's n, n with the butterfly's bit set, or M - n."""

    N = 0
    PARTNER = 1
    MIRROR = 2


class Coefficient(Enum):
    """The multiplier's second operand.

    `ANGLE` is a cosine or sine, `SCALE` the output's constant, `OPERAND` a quarter of the first operand, `POWER` the
    power of two that brings a bin's magnitudes below 2^17, and in the masks' pass what a mask bit of 0 counts, or the
    coefficient of a bin's integer gain.
    """

    ANGLE = 0
    SCALE = 1
    OPERAND = 2
    POWER = 3


class Bias(Enum):
    """What a sum begins with: half an output bit, one less than that (for terms to be rounded and subtracted)."""

    UP = 0
    DOWN = 1
    ZERO = 2
    OUTPUT = 3
    ENERGY = 4


class Gate(Enum):
    """When a directly added word counts as zero: always, in the last quarter, where a mask bit is 0.

    With an attenuation limit, the word is multiplied by the coefficient where a mask bit is 0.
    """

    OPEN = 0
    CLOSED = 1
    LAST_QUARTER = 2
    MASK_0 = 4
    MASK_1 = 5
    MASK_2 = 6


class Mark(Enum):
    """Who else takes the sum: the magnitude (new, or with the other component's), the logarithm, the energy."""

    NONE = 0
    MAGNITUDE = 1
    MAGNITUDE_TOO = 2
    LOGARITHM = 3
    ENERGY = 4


class Wait(Enum):
    """What the instruction waits for: a mask word (taken by `MASK_DONE`), or that the levels are out."""

    NONE = 0
    MASK = 1
    MASK_DONE = 2
    LEVELS = 3


FIELDS: Mapping[str, type[Enum] | int] = {
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
"""An instruction's fields, lowest bits first: an enumeration, or a number of bits."""


def _bits(field: type[Enum] | int) -> int:
    return field if isinstance(field, int) else max(member.value for member in field).bit_length()


@dataclass(frozen=True)
class Step:
    """An instruction: a read and what becomes of the word, or a write.

    access, region, index, lane : what is read or written; `lane` 0 is the real part or the sample of even number
    reverse : with the bits of the index reversed
    odd, sine : of the angle: plus one; its sine instead of its cosine
    coefficient : what the word is multiplied by
    add, first : the term is added; as the first one of a sum, to `bias`
    direct : the word is added by itself, times 2^15
    minus, absolute : the term is subtracted; its magnitude is added
    gate : when a direct term counts as zero
    take : the sum goes to the write register
    mark : who else takes the sum
    wait : what the instruction waits for
    turn : the body ends after the next instruction
    """

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
        word, place = 0, 0
        for name, field in FIELDS.items():
            value = getattr(self, name)
            word |= (value.value if isinstance(value, Enum) else int(value)) << place
            place += _bits(field)
        return word


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
    """A loop: its body is run for n = 0, 1, ..., `iterations` - 1.

    An FFT runs it in each of `stages` stages, with twice as many n; those with the butterfly's bit are left out.

    angle : what an iteration adds to the angle; 0 in an FFT, where it depends on the stage
    swaps : `SOURCE` and `TARGET` change places after each stage
    """

    body: tuple[Step, ...]
    iterations: int
    angle: int = 1
    stages: int = 1
    swaps: bool = False

    @property
    def last(self) -> int:
        """The last n; in an FFT the last n with the butterfly's bit, which is the same in all stages."""
        return self.iterations * (1 if self.stages == 1 else 2) - 1

    @property
    def cycles(self) -> int:
        """Cycles if nothing has to be waited for."""
        return self.stages * (OVERHEAD + self.iterations * len(self.body))


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
