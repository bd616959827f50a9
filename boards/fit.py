"""Lay a network out for a board, or say what is missing."""

import re
from collections.abc import Mapping
from dataclasses import replace

from boards.board import Board
from hw.arithmetic import accumulator, select
from hw.estimate import memory_bits, ram_blocks
from hw.layers import Folding
from hw.network import Network
from hw.streams import words
from model.bundle import Bundle, Layer
from model.errors import BadInput

__all__ = ["lay_out", "parse_folding"]


def parse_folding(entries: list[str]) -> dict[str, Folding]:
    """`["gru0=2x64", "mask=1x65-packed", ...]` (layer = PE x SIMD) to foldings."""
    foldings = {}
    for entry in entries:
        match = re.fullmatch(r"(\w+)=(\d{1,6})x(\d{1,6})(-packed)?", entry, re.ASCII)
        if match is None:
            raise BadInput(f"--fold: expected LAYER=PExSIMD such as gru0=1x64 or gru0=1x65-packed, got {entry!r}")
        if match[1] in foldings:
            raise BadInput(f"--fold: expected each layer once, got {match[1]} again in {entry!r}")
        foldings[match[1]] = Folding(int(match[2]), int(match[3]), packed=match[4] is not None)
    return foldings


def lay_out(
    bundle: Bundle, board: Board, folding: Mapping[str, Folding], in_width: int = 32, out_width: int = 32
) -> Network:
    """The network for a board, with what `folding` leaves open chosen for it.

    The largest layer works on one row of `board.lanes` columns at a time; the others, which are done long before
    it, are folded so that their weights take the fewest block RAMs. On a device with single-port RAM, the weights
    of the largest layer are loaded into it; all else is in block RAM. Raises `BadInput` with the bits that are
    needed and the bits that there are.
    """
    layers = {layer.name: layer for layer in bundle.layers}
    for name in folding:
        if name not in layers:
            raise BadInput(f"--fold: expected one of the layers {', '.join(layers)}, got {name!r}")
    largest = max(layers.values(), key=lambda layer: layer.weights)
    chosen = {largest.name: Folding(1, min(board.lanes, largest.columns))}
    pace = _depth(largest, folding.get(largest.name, chosen[largest.name]))
    chosen |= {name: _fewest_blocks(layer, board, pace) for name, layer in layers.items() if layer is not largest}
    chosen |= folding
    loaded = {largest.name} if board.spram_bits else set()
    chosen |= {name: replace(chosen[name], weights="loaded") for name in loaded}
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


def _depth(layer: Layer, folding: Folding) -> int:
    """Words of a layer's weight memory; no frame takes it fewer cycles."""
    if layer.kind == "dense":
        return words(layer.units, folding.pe) * words(layer.inputs, folding.simd)
    row = words(layer.inputs, folding.simd) + words(layer.units, folding.simd)
    return 3 * words(layer.units, folding.pe) * row


def _fewest_blocks(layer: Layer, board: Board, pace: int) -> Folding:
    """The folding whose weights and biases take the fewest block RAMs, of those the one with the fewest LUT4.

    It has at most `board.lanes` lanes and needs at most `pace` cycles a frame, if there is such a one.
    """
    arithmetic = select(layer.binary)
    best, fewest = Folding(1, min(board.lanes, layer.columns)), None
    for pe in range(1, min(board.lanes, layer.units) + 1):
        for simd in range(1, min(board.lanes // pe, layer.columns) + 1):
            folding = Folding(pe, simd)
            depth, width = _depth(layer, folding), pe * arithmetic.stored_bits(simd)
            columns = layer.inputs + (layer.units if layer.kind == "bgru" else 0)
            total = accumulator(columns, dynamic=layer.kind == "bgru").width
            groups = (3 if layer.kind == "bgru" else 1) * words(layer.units, pe)
            blocks = board.family.sliced_blocks(depth, width) + board.family.blocks(groups, pe * total)
            cost = blocks, pe * (3 * simd + 2 * total)
            if depth <= pace and (fewest is None or cost < fewest):
                best, fewest = folding, cost
    return best
