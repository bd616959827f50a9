"""The payload of the streams between components: words of a bit vector."""

from amaranth.lib import data

__all__ = ["Word"]


class Word(data.StructLayout):
    """`width` bits of a vector, lowest index first; a vector takes `hw.shape.words.words(length, width)` of them.

    `data`  the bits; a reader ignores those beyond the vector's length, a writer sets them to zero.
    `start` the vector belongs to the first frame of an utterance: recurrent layers begin at their initial state.
    It is the same on every word of a vector.
    """

    def __init__(self, width: int) -> None:
        super().__init__({"data": width, "start": 1})
