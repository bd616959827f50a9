"""Lay a network out for a board, or say what is missing."""

import re
from collections.abc import Mapping
from dataclasses import replace

from boards.board import Board
from boards.fold import depth, fewest_blocks
from hw.estimate import memory_bits, ram_blocks
from hw.layers import Folding, Source
from hw.network import Network, check_folding
from model.bundle import Bundle
from model.errors import BadInput

__all__ = ["lay_out", "parse_folding"]


def parse_folding(entries: list[str]) -> dict[str, Folding]:
    """`["gru0=2x64", "mask=1x64-packed", ...]` (layer = PE x SIMD) to foldings."""
    foldings = {}
    for entry in entries:
        match = re.fullmatch(r"(\w+)=(\d{1,6})x(\d{1,6})(-packed)?", entry, re.ASCII)
        if match is None:
            raise BadInput(f"--fold: expected LAYER=PExSIMD such as gru0=1x64 or gru0=1x64-packed, got {entry!r}")
        if match[1] in foldings:
            raise BadInput(f"--fold: expected each layer once, got {match[1]} again in {entry!r}")
        foldings[match[1]] = Folding(int(match[2]), int(match[3]), packed=match[4] is not None)
    return foldings


def lay_out(
    bundle: Bundle, board: Board, folding: Mapping[str, Folding], in_width: int = 32, out_width: int = 32
) -> Network:
    """The network for a board, with what `folding` leaves open chosen for it.

    Memory is what a network needs most of, so each layer is folded for the fewest RAM blocks: the largest at the
    board's clock in real time, the others at the largest's pace. On a device with single-port RAM, the weights of
    the largest layer are loaded into it; all else is in block RAM, but for what `folding` has streamed. Raises
    `BadInput` with the bits that are needed and the bits that there are.
    """
    layers = {layer.name: layer for layer in bundle.layers}
    for name in folding:
        if name not in layers:
            raise BadInput(f"--fold: expected one of the layers {', '.join(layers)}, got {name!r}")
        check_folding(layers[name], folding[name])
    largest = max(layers.values(), key=lambda layer: layer.weights)
    loaded = {largest.name} if board.spram_bits else set()
    chosen = dict(folding)
    pace = int(board.clock_hz / bundle.front_end.frame_rate)
    for layer in sorted(bundle.layers, key=lambda layer: layer is not largest):
        source: Source = "loaded" if layer.name in loaded else "rom"
        if layer.name not in chosen:
            chosen[layer.name] = fewest_blocks(layer, board.family, board.lanes, pace, source)
        elif chosen[layer.name].weights != "streamed":
            chosen[layer.name] = replace(chosen[layer.name], weights=source)
        if layer is largest:
            pace = depth(layer, chosen[layer.name])
    network = Network(bundle, chosen, board.family, in_width, out_width)
    # Bits first, for that is what a user can change; then whole blocks, for that is what the device has.
    bits = {name: memory_bits(layer) for name, layer in network.layers.items()}
    spram = sum(bits[name]["weights"] for name in loaded)
    block_ram = sum(sum(need.values()) for need in bits.values()) - spram
    for what, need, available in (
        ("single-port RAM", spram, board.spram_bits),
        ("block RAM", block_ram, board.block_ram_bits),
    ):
        if need > available:
            raise BadInput(
                f"bundle {bundle.name} does not fit {board.name}: it needs {need:,} bits of {what}, "
                f"the {board.device} has {available:,}"
            )
    blocks: dict[str, int] = {}
    for layer in network.layers.values():
        for kind, count in ram_blocks(layer).items():
            blocks[kind] = blocks.get(kind, 0) + count
    for kind, need in blocks.items():
        if need > board.available[kind]:
            raise BadInput(
                f"bundle {bundle.name} does not fit {board.name} at this folding: its memories take {need} {kind}, "
                f"the {board.device} has {board.available[kind]}"
            )
    return network
