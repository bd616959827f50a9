"""The shape of a repack: the pieces into which words of one width are cut to be joined to words of another."""

from dataclasses import dataclass
from math import gcd

from hw.shape.words import words

__all__ = ["RepackShape"]


@dataclass(frozen=True)
class RepackShape:
    """The shape of a `hw.gateware.repack.Repack`: a vector of `length` bits from `source`- to `sink`-bit words."""

    length: int
    source: int
    sink: int

    @property
    def piece(self) -> int:
        """Bits that move in a cycle."""
        return gcd(self.source, self.sink)

    @property
    def pieces(self) -> int:
        """Pieces of a vector."""
        return words(self.length, self.piece)

    @property
    def per_source(self) -> int:
        """Pieces of a whole source word."""
        return self.source // self.piece

    @property
    def per_sink(self) -> int:
        """Pieces of a whole sink word."""
        return self.sink // self.piece

    @property
    def cuts(self) -> bool:
        """Whether source words must be cut, which takes a cycle."""
        return self.piece != self.source

    @property
    def joins(self) -> bool:
        """Whether pieces must be joined, which takes a cycle."""
        return self.piece != self.sink
