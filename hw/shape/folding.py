"""Folding: how a layer is cut into hardware."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Folding", "Source"]

Source = Literal["rom", "loaded", "streamed"]
"""Where a layer's weights come from: a ROM, a RAM that is filled after reset, or a stream, again for every frame."""


@dataclass(frozen=True)
class Folding:
    """How a layer is cut into hardware.

    pe, simd : rows and columns of its matrices that one cycle takes
    weights : where its weights come from
    packed : whether ternary weights are stored five in eight bits (`hw.gateware.trits`)
    multipliers : lanes of integers that take one of the device's multipliers instead of LUTs
    """

    pe: int
    simd: int
    weights: Source = "rom"
    packed: bool = False
    multipliers: int = 0

    def __str__(self) -> str:
        multipliers = f"-dsp{self.multipliers}" if self.multipliers else ""
        return f"{self.pe}x{self.simd}{'-packed' if self.packed else ''}{multipliers}"
