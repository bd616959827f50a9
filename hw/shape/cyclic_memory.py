"""The shape of a memory that is read in one fixed order: its slices, copies of its address, words, latency."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CyclicShape"]

BARE_FROM = 255
"""A ROM of fewer words gets two more (`hw.gateware.memory`); they fit the shallowest block RAM of any family."""

FANOUT = 16
"""Slices that one register addresses, or a few more."""


@dataclass(frozen=True)
class CyclicShape:
    """The shape of a `hw.gateware.memory.CyclicMemory`.

    width, depth : bits of a word, and words
    slice_width : most bits of a slice; each slice is a memory of its own
    rom : whether it has its contents from the start
    """

    width: int
    depth: int
    slice_width: int
    rom: bool

    @property
    def slices(self) -> dict[int, int]:
        """Lowest bit of each slice to its width."""
        return {low: min(self.slice_width, self.width - low) for low in range(0, self.width, self.slice_width)}

    @property
    def spare_words(self) -> int:
        """Words behind the last that are never read: they keep Yosys from removing constant bits of a small ROM."""
        return 2 if self.rom and self.depth < BARE_FROM else 0

    def cut(self, contents: Sequence[int]) -> dict[int, tuple[int, list[int]]]:
        """Lowest bit of each slice to its width and all the words that it holds, for a memory of these contents."""
        stored = [*contents, *[0, (1 << self.width) - 1][: self.spare_words]]
        return {
            low: (width, [(word >> low) & ((1 << width) - 1) for word in stored]) for low, width in self.slices.items()
        }

    @property
    def copies(self) -> int:
        """Copies of the address register: one for each `FANOUT` slices where there are more."""
        slices = -(-self.width // self.slice_width)
        return slices // FANOUT if slices > FANOUT else 0

    @property
    def latency(self) -> int:
        """Cycles from asking for a word to the word: one for the memory, one for the copies."""
        return 2 if self.copies else 1
