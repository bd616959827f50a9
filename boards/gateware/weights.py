"""Weights that are not in a ROM: where a network's come from on a board, and how a core takes them."""

from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from boards.gateware.flash import SPI, FlashLoader, loaded_layer
from boards.gateware.sdram import PINS
from boards.gateware.sdram_layout import parts_of
from boards.gateware.sdram_weights import Memory, SdramWeights
from hw.gateware.network import Network
from model.errors import BadInput

__all__ = ["Source", "add_weights", "pins_of", "source_of"]

Source = FlashLoader | SdramWeights
"""What brings the weights: from flash into the FPGA's own RAM, or from SDRAM in every frame."""


def source_of(
    network: Network, clock_hz: int, flash_offset: int | None, memory: Memory | None, rom_style: str = "block"
) -> Source | None:
    """The source of a network's weights, or None if all are in ROM.

    clock_hz : of the network
    flash_offset : start of the image (`boards.gateware.flash.image`) in the board's flash, in bytes
    rom_style : as in `LinkFormat`, for the identity that the source expects

    `BadInput` for weights both loaded and streamed, for several loaded layers, for a board without the flash or the
    SDRAM that the network needs, and for more words than there is room for.
    """
    loaded, parts = loaded_layer(network), parts_of(network.spec)
    if loaded is None and not parts:
        return None
    names = ", ".join(part.name for part in parts)
    if loaded is not None and parts:
        raise BadInput(f"board: expected loaded weights or streamed ones, got {loaded} loaded and {names} streamed")
    if parts and memory is None:
        raise BadInput(f"board: expected an SDRAM for the weights of {names}, it has none")
    if flash_offset is None:
        raise BadInput(f"board: expected a flash for the weights of layer {loaded or names}, it has none")
    if loaded is not None:
        matrix = network.layers[loaded].engine.matrix
        words, width = len(matrix.weight_words), matrix.weight_width
        return FlashLoader(words, width, network.bundle.identity, flash_offset, clock_hz, rom_style)
    assert memory is not None
    return SdramWeights(parts, network.bundle.identity, memory, flash_offset, rom_style)


def pins_of(source: Source | None) -> dict[str, Any]:
    """The members of a core with this source: `flash`, and `sdram` where weights are streamed."""
    if source is None:
        return {}
    return {"flash": Out(SPI), **({"sdram": Out(PINS)} if isinstance(source, SdramWeights) else {})}


def add_weights(m: Module, core: Any, source: Source, engine: Any) -> tuple[Value, Value]:
    """Put the source between the core's pins and the `load_` ports of `engine`, a network or a denoiser.

    Returns whether weights are still loading, and whether they have failed.
    """
    m.submodules.weights = source
    if isinstance(source, FlashLoader):
        wiring.connect(m, source.spi, wiring.flipped(core.flash))
        wiring.connect(m, source.o, getattr(engine, f"load_{loaded_layer(core.network)}"))
        return ~source.done & ~source.failed, source.failed
    wiring.connect(m, source.flash, wiring.flipped(core.flash))
    wiring.connect(m, source.pins, wiring.flipped(core.sdram))
    for part in source.reader.parts:
        wiring.connect(m, getattr(source, f"load_{part.name}"), getattr(engine, f"load_{part.name}"))
    return ~source.ready & ~source.failed, source.failed
