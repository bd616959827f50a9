"""Fit a network to a board, or say what is missing."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import combinations

from boards.definitions.registry import Board
from boards.flow.folding_search import LANES, Design, Needs, Options, cheapest
from boards.flow.sdram_bus import SdramBus
from boards.gateware.link_format import LinkFormat
from boards.host.protocol import Kind
from hw.gateware.network import Network
from hw.shape.audio import MULTIPLIERS
from hw.shape.folding import Folding, Source
from hw.shape.network_spec import NetworkSpec, spec_of
from model.bundle.bundle import Bundle
from model.errors import BadInput

__all__ = [
    *(
        "capacity",
        "choose",
        "design",
        "homed",
        "lay_out",
        "multipliers_of",
        "left",
        "options_of",
        "parse_folding",
        "room",
    ),
    *("sdram_parts", "shape", "smallest", "sources", "streaming", "word_widths"),
]

LINK_WIDTH = 8
"""Bits per word at both ends of a network on a board: the link carries bytes."""


def parse_folding(entries: list[str]) -> dict[str, Folding]:
    """`["gru0=2x64", "mask=1x64-packed", "gru0=2x4-dsp8", ...]` (layer = PE x SIMD) to foldings."""
    foldings = {}
    for entry in entries:
        match = re.fullmatch(r"(\w+)=(\d{1,6})x(\d{1,6})(-packed)?(?:-dsp(\d{1,6}))?", entry, re.ASCII)
        if match is None:
            raise BadInput(f"--fold: expected LAYER=PExSIMD such as gru0=1x64 or gru0=1x64-packed, got {entry!r}")
        if match[1] in foldings:
            raise BadInput(f"--fold: expected each layer once, got {match[1]} again in {entry!r}")
        packed, multipliers = match[4] is not None, int(match[5] or 0)
        foldings[match[1]] = Folding(int(match[2]), int(match[3]), packed=packed, multipliers=multipliers)
    return foldings


def options_of(bundle: Bundle, board: Board, folding: Mapping[str, Folding]) -> dict[str, Options]:
    """The foldings to choose from, by layer: all, or what `folding` says.

    On a device with single-port RAM, the largest layer's weights are loaded into it. All other weights are in block RAM
    unless `folding` streams them. The layers share the device's multipliers by their weights; the audio path's two are
    left for it.
    """
    layers = {layer.name: layer for layer in bundle.layers}
    for name in folding:
        if name not in layers:
            raise BadInput(f"--fold: expected one of the layers {', '.join(layers)}, got {name!r}")
    multipliers = multipliers_of(bundle, board)
    found = {}
    for name, source in sources(bundle, board).items():
        given = folding.get(name)
        if given is not None and given.weights != "streamed":
            given = replace(given, weights=source)
        found[name] = Options(layers[name], board.family, source, given, multipliers=multipliers.get(name, 0))
    return found


def sources(bundle: Bundle, board: Board) -> dict[str, Source]:
    """Where each layer's weights are: the largest layer's in single-port RAM, if the board has it, others in ROM."""
    largest = max(bundle.layers, key=lambda layer: layer.weight_bits)
    return {layer.name: "loaded" if layer is largest and board.spram_bits else "rom" for layer in bundle.layers}


def multipliers_of(bundle: Bundle, board: Board) -> dict[str, int]:
    """The share of each layer whose lanes can take multipliers, by the number of its weights."""
    takers = {
        layer.name: layer.weights
        for layer in bundle.layers
        if spec_of(layer, Folding(1, 1), board.family).most_multipliers
    }
    spare = board.available["multiplier"] - MULTIPLIERS
    return {name: spare * count // sum(takers.values()) for name, count in takers.items()}


def room(bundle: Bundle, board: Board) -> Needs:
    """What the device has left for a network: the link takes block RAM, and so does the flash loader."""
    taken = LinkFormat.of(bundle, board.family).block_rams(board.family)
    taken += board.spram_bits > 0
    return {**board.available, "block_ram": board.available["block_ram"] - taken}


def sdram_parts(streamed: int) -> dict[str, Needs]:
    """Resources of the SDRAM's part of a design by part, with so many streamed layers; none without.

    That is `SdramWeights` on ECP5, as synthesised for one and two layers with words of 16 to 64 bits, within 12 %.
    """
    return {"sdram": {"lut4": 680 + 480 * streamed, "block_ram": 1 + streamed}} if streamed else {}


def capacity(board: Board, streamed: int) -> Needs:
    """What a board has of each resource; with the SDRAM's bandwidth in kB/s for so many streamed layers, if any."""
    bus = SdramBus.of(board, 1, streamed) if streamed else None
    return board.available if bus is None else {**board.available, "sdram": bus.bandwidth}


def homed(
    options: Mapping[str, Options], board: Board, frame_rate: float, streamed: Collection[str]
) -> dict[str, Options]:
    """The same options with the weights of some layers in SDRAM; as they are if there are none."""
    bus = SdramBus.of(board, frame_rate, len(streamed))
    if bus is None or not streamed:
        return dict(options)
    return {name: choice.next_to(bus, name in streamed) for name, choice in options.items()}


def _homes(options: Mapping[str, Options], board: Board) -> Iterator[tuple[str, ...]]:
    """The layers to stream from SDRAM: none, then some, the fewest weights first."""
    yield ()
    if board.sdram is not None:
        free = [name for name, one in options.items() if one.folding is None or one.folding.weights != "streamed"]
        some = [chosen for count in range(1, len(free) + 1) for chosen in combinations(free, count)]
        yield from sorted(some, key=lambda chosen: sum(options[name].layer.weights for name in chosen))


def smallest(options: Mapping[str, Options], board: Board, frame_rate: float, free: Needs) -> Design | None:
    """The smallest design that keeps up with the frame rate and fits into what is `free`, or None.

    Weights are on the chip if they fit. Otherwise, as few as possible are in the board's SDRAM.
    """
    for streamed in _homes(options, board):
        layers = homed(options, board, frame_rate, streamed)
        found = cheapest(
            layers,
            capacity(board, len(streamed)),
            board.clock_hz / frame_rate,
            free=left(free, board, len(streamed)),
        )
        if found is not None:
            return found
    return None


def left(free: Needs, board: Board, streamed: int) -> Needs:
    """What is left of `free` for the network next to the SDRAM's part."""
    parts = sdram_parts(streamed).values()
    there = {**capacity(board, streamed), **free}
    return {kind: count - sum(part.get(kind, 0) for part in parts) for kind, count in there.items()}


def streaming(chosen: Design) -> list[str]:
    """The layers whose weights a design has in SDRAM."""
    return [name for name, folding in chosen.foldings.items() if folding.weights == "streamed"]


def design(
    options: Mapping[str, Options],
    bundle: Bundle,
    board: Board,
    frame_rate: float,
    free: Needs | None = None,
    neighbour: str = "the link",
) -> Design:
    """The smallest design that keeps up with the frame rate at the board's clock.

    `free` is what the device has for the network, and `neighbour` takes the rest; by default the link. A layer whose
    folding was given may be slower: that is the user's choice. Raises `BadInput` with what is missing (cycles, RAM,
    LUT4 or SDRAM bandwidth) and how much.
    """
    limit = board.clock_hz / frame_rate
    for name, choice in options.items():
        least = min(option.ideal for option in choice.shallow)
        if least > limit and not choice.given:
            raise BadInput(
                f"bundle {bundle.name} is too slow for {frame_rate:g} frames/s on {board.name}: layer {name} takes "
                f"{least:,} cycles a frame with {LANES} lanes, {board.clock_hz / 1e6:g} MHz leave {limit:,.0f}; "
                f"from {least * frame_rate / 1e6:,.1f} MHz on it would do"
            )
    free = room(bundle, board) if free is None else free
    found = smallest(options, board, frame_rate, free)
    if found is None:
        raise BadInput(
            f"bundle {bundle.name} does not fit {board.name}{_missing(options, board, frame_rate, free, neighbour)}"
        )
    return found


def _missing(options: Mapping[str, Options], board: Board, frame_rate: float, free: Needs, neighbour: str) -> str:
    """What the smallest design lacks with the most weights in SDRAM, if there is one.

    That is bandwidth, memory bits, which a user can reduce, or cells of the device.
    """
    *_, streamed = _homes(options, board)
    layers, free = homed(options, board, frame_rate, streamed), left(free, board, len(streamed))
    available = capacity(board, len(streamed))
    least = cheapest(layers, available, board.clock_hz / frame_rate, fitting=False)
    if least is None:  # on chip, each layer has a folding that is fast enough
        assert streamed
        words = {name: min(choice.all, key=lambda one: one.needs["sdram"]) for name, choice in layers.items()}
        return _slow_bus(sum(one.needs["sdram"] for one in words.values()), available["sdram"], frame_rate)
    if least.needs.get("sdram", 0) > available.get("sdram", 0):
        return _slow_bus(least.needs["sdram"], available["sdram"], frame_rate)
    bits = {"single-port RAM": 0, "block RAM": 0}
    for name, folding in least.foldings.items():
        need = options[name].spec(folding).bits  # streamed weights are none of them
        bits["single-port RAM" if folding.weights == "loaded" else "block RAM"] += need["weights"]
        bits["block RAM"] += need["other"]
    for what, there in (("single-port RAM", board.spram_bits), ("block RAM", board.block_ram_bits)):
        if bits[what] > there:
            return f": it needs {bits[what]:,} bits of {what}, the {board.device} has {there:,}"
    foldings = " ".join(f"{name}={folding}" for name, folding in least.foldings.items())
    kind, missing = next(iter(sorted(least.over(free).items())))
    what = {"lut4": "logic takes about", "multiplier": "lanes take"}.get(kind, "memories take")
    neighbours = f" next to {neighbour}" if free[kind] < board.available[kind] else ""
    return (
        f" at this folding: its {what} {least.needs[kind]:,} {kind}, the {board.device} has "
        f"{free[kind]:,}{neighbours}, {missing:,} fewer ({foldings})"
    )


def _slow_bus(needed: int, there: int, frame_rate: float) -> str:
    """Bandwidth in kB/s that is needed, and what is there."""
    return (
        f": at {frame_rate:g} frames/s its weights take {needed / 1e3:,.1f} MB/s of SDRAM, {there / 1e3:,.1f} are "
        f"there, {(needed - there) / 1e3:,.1f} fewer"
    )


def choose(
    bundle: Bundle,
    board: Board,
    folding: Mapping[str, Folding],
    in_width: int = LINK_WIDTH,
    out_width: int = LINK_WIDTH,
    free: Needs | None = None,
) -> NetworkSpec:
    """The shape of a network for a board: `folding`, and for the other layers the smallest design in real time.

    `free` as for `design`. Raises `BadInput` with what is missing, and how much of it.
    """
    options = options_of(bundle, board, folding)
    return shape(options, design(options, bundle, board, bundle.front_end.frame_rate, free), in_width, out_width)


def shape(
    options: Mapping[str, Options], chosen: Design, in_width: int = LINK_WIDTH, out_width: int = LINK_WIDTH
) -> NetworkSpec:
    """The shape of a network with a design's foldings."""
    return NetworkSpec(
        tuple(options[name].spec(folding) for name, folding in chosen.foldings.items()), in_width, out_width
    )


def word_widths(bundle: Bundle, kind: Kind) -> tuple[int, int]:
    """Bits per word at both ends of a network: the link's bytes, or the audio engine's features and bins."""
    return (
        (bundle.front_end.feature_bits, bundle.front_end.bin_bits) if kind == Kind.SOUND else (LINK_WIDTH, LINK_WIDTH)
    )


def lay_out(
    bundle: Bundle,
    board: Board,
    folding: Mapping[str, Folding],
    in_width: int = LINK_WIDTH,
    out_width: int = LINK_WIDTH,
    free: Needs | None = None,
) -> Network:
    """The network that `choose` chooses, as hardware."""
    return Network.of(bundle, choose(bundle, board, folding, in_width, out_width, free))
