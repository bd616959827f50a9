"""What travels between the parts: words of a bit vector."""

from amaranth.lib import data

__all__ = ["Word", "used_lanes", "words"]


def words(length: int, width: int) -> int:
    """How many `width`-bit words carry a vector of `length` bits."""
    return -(-length // width)


def used_lanes(length: int, width: int) -> int:
    """The bits of a vector's last word that belong to the vector, as a mask."""
    return (1 << (length - (words(length, width) - 1) * width)) - 1


class Word(data.StructLayout):
    """`width` bits of a vector, lowest index first; a vector is `words(length, width)` of them in a row.

    `data`  the bits; those beyond the vector's length are ignored by a reader and zero from a writer.
    `start` the vector belongs to the first frame of an utterance: recurrent layers begin at their initial state.
    It is the same on every word of a vector.
    """

    def __init__(self, width: int) -> None:
        super().__init__({"data": width, "start": 1})
