"""What a network of integers takes of a board, whatever its weights: the budget of `bgru train --fit`."""

from dataclasses import replace

from boards.definitions.registry import Board
from boards.flow.cost import any_constants
from boards.flow.folding_search import Options
from boards.flow.layout import design, multipliers_of, room, sources
from boards.flow.sound import sound_frame_rate, sound_room
from hw.shape.folding import Source
from model.bundle.bundle import Bundle
from model.bundle.integer_layers import IntegerLayer

__all__ = ["BoardBudget"]


class BoardBudget:
    """The room on a board's chip for a network of integers, next to the link or to the audio path."""

    def __init__(self, board: Board, audio: bool = False) -> None:
        on_chip = replace(board, sdram=None)
        self._board, self._audio = on_chip.at_sound_clock(None) if audio else on_chip, audio
        self._options: dict[tuple[IntegerLayer, Source, int], Options] = {}

    def __call__(self, bundle: Bundle) -> dict[str, tuple[int, int]]:
        """What the smallest design in real time takes, and what there is, by resource: LUT4 about, RAM blocks exactly.

        The RAM is that of constants in which every bit varies; a trained network's may take less, never more. Raises
        `BadInput` for a network that does not fit, with what is missing.
        """
        board, names = self._board, [layer.name for layer in bundle.layers]
        layers = [layer for layer in bundle.layers if isinstance(layer, IntegerLayer)]
        assert len(layers) == len(names)  # bitwise layers have no format to choose
        homes, multipliers = sources(bundle, board), multipliers_of(bundle, board)
        options = {
            layer.name: self._options_of(layer, homes[layer.name], multipliers.get(layer.name, 0)) for layer in layers
        }
        free, rate, neighbour = room(bundle, board), bundle.front_end.frame_rate, "the link"
        if self._audio:
            free, rate, neighbour = sound_room(bundle, board), sound_frame_rate(bundle, board), "the audio path"
        chosen = design(options, bundle, board, rate, free, neighbour)
        return {kind: (count, free[kind]) for kind, count in chosen.needs.items()}

    def _options_of(self, layer: IntegerLayer, source: Source, multipliers: int) -> Options:
        key = (layer, source, multipliers)
        if key not in self._options:
            self._options[key] = Options(any_constants(layer), self._board.family, source, multipliers=multipliers)
        return self._options[key]
