"""The audio path's share of a device, and the network that fits next to it."""

from collections.abc import Mapping

from boards.definitions.registry import BOARDS, Board
from boards.flow.folding_search import Design, Needs, Options
from boards.flow.layout import design, options_of, room, shape, smallest, word_widths
from boards.gateware.sample_rate import SampleRate, rate
from boards.host.protocol import Kind
from hw.gateware.network import Network
from hw.shape.audio import MULTIPLIERS, AudioSpec
from hw.shape.folding import Folding
from model.bundle.bundle import Bundle
from model.errors import BadInput

__all__ = ["audio_parts", "lay_out_sound", "sound_design", "sound_frame_rate", "sound_rate", "sound_room"]

CONVERTER_LUT4 = {"ice40": 225, "ecp5": 300, "gowin": 225}
"""LUT4 of I2S, bypass button, LED counter and reset, as synthesised."""

LOADER_LUT4 = 181
"""LUT4 of the flash loader (`boards.gateware.flash`)."""


def sound_rate(bundle: Bundle, board: Board) -> SampleRate:
    """The true sample rate: the board's clock, divided. `BadInput` if no division comes close enough."""
    return rate(board.clock_hz, bundle.front_end.sample_rate, mclk=True)


def sound_frame_rate(bundle: Bundle, board: Board) -> float:
    """Frames per second at the converter's sample rate."""
    return sound_rate(bundle, board).hz / bundle.front_end.hop


def audio_parts(bundle: Bundle, board: Board) -> dict[str, dict[str, int]]:
    """The audio path's resources by part: RAM blocks and multipliers exactly, LUT4 within 10 %.

    The parts are the engine, and the converter with the rest of the top: I2S, button, LED, and the flash loader.
    """
    engine = AudioSpec.of(bundle.front_end, board.family).resources
    loads = board.spram_bits > 0
    converter = dict.fromkeys(engine, 0) | {
        "lut4": CONVERTER_LUT4[board.family.name] + loads * LOADER_LUT4,
        "block_ram": int(loads),
    }
    return {"audio": {**engine, "multiplier": MULTIPLIERS}, "converter": {**converter, "multiplier": 0}}


def sound_room(bundle: Bundle, board: Board) -> Needs:
    """What the device has left for a network next to the audio path."""
    parts = audio_parts(bundle, board).values()
    return {kind: max(0, there - sum(part.get(kind, 0) for part in parts)) for kind, there in board.available.items()}


def sound_design(options: Mapping[str, Options], bundle: Bundle, board: Board, frames: float) -> Design:
    """The smallest design that keeps up with `frames` frames/s next to the audio path.

    Raises `BadInput` with what is missing, and what to leave out.
    """
    engine, limit = AudioSpec.of(bundle.front_end, board.family).interval, board.clock_hz / frames
    if engine > limit:
        raise BadInput(
            f"bundle {bundle.name} is too slow for {frames:g} frames/s on {board.name}: its audio engine takes "
            f"{engine:,} cycles a frame, {board.clock_hz / 1e6:g} MHz leave {limit:,.0f}; "
            f"from {engine * frames / 1e6:,.1f} MHz on it would do"
        )
    free = sound_room(bundle, board)
    try:
        return design(options, bundle, board, frames, free, "the audio path")
    except BadInput as error:
        raise BadInput(f"{error}; {_advice(bundle, board)}") from None


def _advice(bundle: Bundle, board: Board) -> str:
    """What to leave out, or which board to take."""
    ways = []
    if _fits(bundle, board, room(bundle, board)):
        ways.append("leave out the audio path: the network fits without --sound")
    larger = [one.name for one in BOARDS.values() if _fits(bundle, one, sound_room(bundle, one))]
    if larger:
        ways.append(f"take {' or '.join(larger)}, where both fit")
    return ", or ".join(ways) or "train fewer units"


def _fits(bundle: Bundle, board: Board, free: Needs) -> bool:
    return smallest(options_of(bundle, board, {}), board, bundle.front_end.frame_rate, free) is not None


def lay_out_sound(bundle: Bundle, board: Board, folding: Mapping[str, Folding]) -> Network:
    """The network of a board's denoiser: `folding`, and for the other layers the smallest design in real time.

    Raises `BadInput` as `sound_design` does.
    """
    options = options_of(bundle, board, folding)
    chosen = sound_design(options, bundle, board, sound_frame_rate(bundle, board))
    return Network.of(bundle, shape(options, chosen, *word_widths(bundle, Kind.SOUND)))
