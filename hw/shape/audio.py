"""AudioSpec: the shape of an audio engine, its cycles and RAM blocks, exactly."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hw.shape.audio_passes import ANALYSIS, SYNTHESIS, Name, passes, program
from hw.shape.audio_program import OVERHEAD, Pass, Wait
from hw.shape.family import Family
from hw.shape.layer_spec import Memory
from hw.shape.ram_mapping import mapped
from model.bundle.audio_widths import widths
from model.bundle.front_end import FrontEnd
from model.errors import BadInput

__all__ = ["MULTIPLIERS", "AudioSpec", "check_gains"]

MULTIPLIERS = 2
"""Of 16 x 16 bits: SB_MAC16, MULT18X18D."""

LUT4 = {"ice40": (189, 27.9), "ecp5": (377, 19.25), "gowin": (300, 23.4)}
"""LUT4 of an engine, and of each bit of its word: a fit to N = 128 to 1024 with 2 feature bits (`hw.flow.audio`)."""

LEVELS = 42
"""Cycles from a bin's turn in the levels' unit to the next bin's, without the two for each feature bit."""

PORT = 7
"""Cycles that a sample takes into the memory and out of it, while the program leaves it alone."""


def check_gains(front_end: FrontEnd) -> None:
    """Raise `BadInput` for gains that the engine cannot apply: it adds bits, but not integers."""
    if front_end.gain_bits > 1 and front_end.mask_bits > 1:
        raise BadInput(f"audio engine: expected one integer per bin in the mask, got {front_end.mask_bits}")


@dataclass(frozen=True)
class AudioSpec:
    """The shape of a `hw.gateware.audio.engine.AudioEngine`.

    fft_size, mask_bits, bits : N, mask units and thresholds of a bin
    gain_frames : frames that the slow gain remembers
    word : bits of a word of the working memory
    key_bits : bits of the longest threshold's key
    gain_bits : bits of a mask unit
    """

    fft_size: int
    mask_bits: int
    bits: int
    gain_frames: int
    word: int
    key_bits: int
    family: Family
    gain_bits: int = 1

    @classmethod
    def of(cls, front_end: FrontEnd, family: Family) -> "AudioSpec":
        """The shape of a front end's engine; a bin takes as long for a level as for a feature bit.

        Raises `BadInput` as `check_gains` does.
        """
        it = front_end
        check_gains(it)
        key_bits = max(16, int(it.keys.max()).bit_length())
        word = widths(it).word
        return cls(it.fft_size, it.mask_bits, it.keys.shape[1], it.gain_frames, word, key_bits, family, it.gain_bits)

    @cached_property
    def passes(self) -> Mapping[Name, Pass]:
        """The loops of a frame."""
        return passes(self.fft_size, self.mask_bits, integers=self.gain_bits > 1)

    @cached_property
    def analysis(self) -> int:
        """Cycles from a frame's start to its last feature bit, if all are taken at once."""
        return sum(self.passes[name].cycles for name in ANALYSIS if name != Name.KEYS) + self._keys

    @property
    def _keys(self) -> int:
        """Cycles of the pass over the bins, which waits for the levels of the bin before."""
        one = self.passes[Name.KEYS]
        waits = next(place for place, step in enumerate(one.body) if step.wait == Wait.LEVELS)
        levels = LEVELS + 2 * self.bits
        rest = max(len(one.body) - waits, levels)
        return OVERHEAD + waits + (one.iterations - 1) * max(len(one.body), levels) + rest

    @cached_property
    def synthesis(self) -> int:
        """Cycles from a frame's first mask word to the complete hop in the queue, if no word is late."""
        return sum(self.passes[name].cycles for name in SYNTHESIS)

    @property
    def interval(self) -> int:
        """Cycles from frame to frame (initiation interval)."""
        return self.analysis + self.synthesis

    @property
    def latency(self) -> int:
        """Cycles from a hop's last sample to the first sample of its frame out, in an engine that was idle.

        The network's time between the last feature bit and the first mask word comes on top.
        """
        return self.interval + PORT

    @property
    def clearing(self) -> int:
        """Cycles in which an utterance begins."""
        return self.passes[Name.CLEAR].cycles

    @property
    def delay(self) -> int:
        """Samples of delay: N - hop of overlap-add, and the hop that is collected."""
        return self.fft_size

    @cached_property
    def memories(self) -> Mapping[str, Memory]:
        """Its memories, by their path in the engine."""
        words, _ = program(self.passes)
        different = 0
        for word in words:
            different |= word ^ words[0]
        quarter, thresholds = self.fft_size // 4 + 1, (self.fft_size // 2 + 1) * self.bits
        one_port = self.family.single_port_ram is not None
        return {
            "loaded_weights": Memory(self.word, 8 * self.fft_size, self.word, block=not one_port, one_port=one_port),
            "datapath.cosine": _rom(16, quarter + 1 + self.gain_frames),
            "bits.levels.thresholds": _rom(self.key_bits, thresholds),
            "sequencer.program": _rom(different.bit_count(), len(words)),
            **({"gain.rom": _rom(16, 1 << self.gain_bits)} if self.gain_bits > 1 else {}),
        }

    @cached_property
    def blocks(self) -> dict[str, int]:
        """RAM blocks of each kind that the family has."""
        kinds = {kind for kind, _ in self.family.cells.values()} & {"block_ram", "spram"}
        found = dict.fromkeys(sorted(kinds), 0)
        for one in self.memories.values():
            if one.one_port:
                kind, count = self.family.weight_blocks("loaded", one.depth, one.width)
            else:
                it = mapped(self.family.name, one.width, one.depth, one.rom, one.block)
                kind, count = it.resource, it.cells
            found[kind] += count
        return found

    @property
    def resources(self) -> dict[str, int]:
        """LUT4, within 10 %, and RAM blocks of each kind that the family has."""
        base, bit = LUT4[self.family.name]
        return {"lut4": round(base + bit * self.word), **self.blocks}


def _rom(width: int, depth: int) -> Memory:
    return Memory(width, depth, width, rom=True, block=True)
