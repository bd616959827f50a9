"""What a network costs on a board, as planned and whatever its weights: a row of the table of formats."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boards.definitions.registry import Board
from boards.flow.folding_search import cheapest
from boards.flow.layout import options_of, shape, smallest
from hw.shape.cycles import interval
from model.bundle.bundle import Bundle
from model.bundle.integer_layers import MOST_SHIFT, IntegerLayer
from model.bundle.layers import Layer
from model.bundle.scales import LARGEST_MULTIPLIER

__all__ = ["any_constants", "cost"]


def cost(bundle: Bundle, board: Board) -> dict[str, int]:
    """RAM bits, RAM blocks, LUT4 (about), DSP blocks and cycles per frame of the smallest design in real time.

    RAM bits are all that its layers store: weights, constants, tables and vectors. The design has its weights on the
    chip, and may need more than the board has. Its constants are those of `any_constants`.
    """
    bundle = replace(bundle, layers=tuple(any_constants(layer) for layer in bundle.layers))
    board = replace(board, sdram=None)
    options = options_of(bundle, board, {})
    rate = bundle.front_end.frame_rate
    chosen = smallest(options, board, rate, board.available)
    chosen = chosen or cheapest(options, board.available, board.clock_hz / rate, fitting=False)
    assert chosen is not None  # each layer has a folding that is fast enough on the boards that there are
    bits = [sum(options[name].spec(folding).bits.values()) for name, folding in chosen.foldings.items()]
    return {
        "RAM bits": sum(bits),
        "RAM blocks": chosen.needs["block_ram"] + chosen.needs.get("spram", 0),
        "LUT4": chosen.needs["lut4"],
        "DSP": chosen.needs.get("multiplier", 0),
        "cycles": interval(shape(options, chosen)),
    }


def any_constants(layer: Layer | IntegerLayer) -> Layer | IntegerLayer:
    """The layer with constants of which no bit is the same in all rows; memories leave out bits that are.

    So its RAM is at least that of any layer of this shape.
    """

    def between(like: NDArray[Any], first: int, second: int) -> NDArray[Any]:
        return np.resize(np.array([first, second], like.dtype), like.shape)

    if isinstance(layer, Layer):
        return replace(layer, threshold=between(layer.threshold, -layer.columns, layer.columns))
    u = layer.u_multiplier
    return replace(
        layer,
        threshold=between(layer.threshold, 0, -1),
        shift=between(layer.shift, 0, MOST_SHIFT),
        w_multiplier=between(layer.w_multiplier, 0, LARGEST_MULTIPLIER),
        u_multiplier=None if u is None else between(u, 0, LARGEST_MULTIPLIER),
    )
