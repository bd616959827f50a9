"""The instruction word in hardware."""

from amaranth.lib import data

from hw.shape.audio_program import FIELDS

__all__ = ["Instruction"]


class Instruction(data.StructLayout):
    """A `hw.shape.audio_program.Step`; `turn` is set in the last but one of a body."""

    def __init__(self) -> None:
        super().__init__(FIELDS)
