# amaranth: UnusedElaboratable=no
# Only one layer of a network is elaborated, or its stand-in.
"""The top for a board as RTLIL, and its pin constraints; here, or as a job for another machine."""

from collections.abc import Mapping
from dataclasses import astuple, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from boards.definitions.registry import Board, find
from boards.flow.bram_patch import placeholder
from boards.gateware.top import BoardTop, check_clock
from hw.flow.cache import Entry, maker
from hw.flow.rtl import described, elaborated, identity, layer_parts, to_rtlil, write_texts
from hw.gateware.network import Network
from hw.shape.family import FAMILIES, Family
from hw.shape.folding import Folding
from model.bundle.read import read_bundle

__all__ = [
    *("bundle_files", "layer_elaboration", "network_from", "network_inputs", "top_elaboration", "top_rtlil"),
]


def top_rtlil(network: Network, board: Board, sound: str | None = None, limit: float | None = None) -> tuple[str, str]:
    """RTLIL of the module `top`, and the pin constraints in the format of the board's family; cached.

    With `sound`, where sound comes from, it is the whole denoiser, otherwise the network behind the UART; `limit` is
    that of the denoiser between converters. Raises `BadInput` for a clock that the board cannot make.
    """
    check_clock(board)
    parts = ["top"] if sound is None else [f"sound from {sound}, limit {limit}", network.bundle.identity.hex()]
    files = elaborated(_top_parts(parts, network, board), lambda: _top(network, board, sound, limit))
    return files["top.il"], files[f"top.{board.family.constraints}"]


def _top_parts(parts: list[str], network: Network, board: Board) -> list[str]:
    return [*parts, board.name, str(board.clock_hz), *described(network)]


def _top(network: Network, board: Board, sound: str | None = None, limit: float | None = None) -> dict[str, str]:
    files = board.platform().prepare(BoardTop(network, board, sound, limit), "top", emit_src=False).files
    return {name: files[name] for name in ("top.il", f"top.{board.family.constraints}")}


# The same on a machine that shares nothing with this one. The bundle travels as its files.


def bundle_files(folder: Path) -> dict[str, bytes]:
    """The files of a bundle, by name."""
    return {name: (folder / name).read_bytes() for name in ("manifest.json", "arrays.npz")}


def top_elaboration(network: Network, board: Board, files: Mapping[str, bytes]) -> Entry:
    """What `top_rtlil` finds for the placeholder of a network (`boards.flow.bram_patch`) of the bundle in `files`.

    Raises `BadInput` for a clock that the board cannot make.
    """
    check_clock(board)
    stand_in = placeholder(network)
    parts = (identity(_top_parts(["top"], stand_in, board)),)
    return Entry(
        "rtlil", parts, make_top, {**network_inputs(network, files), "board": board.name, "clock_hz": board.clock_hz}
    )


@maker
def make_top(folder: Path, board: str, clock_hz: int, **inputs: Any) -> None:
    """Elaborate the top for a board with a network's stand-in."""
    there = replace(find(board), clock_hz=clock_hz)
    network = network_from(there.family, **inputs)
    write_texts(folder, _top(placeholder(network), there))


def layer_elaboration(network: Network, name: str, files: Mapping[str, bytes]) -> Entry:
    """What `hw.flow.rtl.layer_rtlil` finds for a layer of a network of the bundle in `files`."""
    parts = (identity(layer_parts(network, name)),)
    return Entry(
        "rtlil", parts, make_layer, {**network_inputs(network, files), "name": name, "family": network.family.name}
    )


@maker
def make_layer(folder: Path, name: str, family: str, **inputs: Any) -> None:
    """Elaborate one layer of a network."""
    write_texts(folder, {"layer.il": to_rtlil(network_from(FAMILIES[family], **inputs).layers[name], name)})


def network_inputs(network: Network, files: Mapping[str, bytes]) -> dict[str, Any]:
    """What `network_from` makes the network of the bundle in `files` from, but for its family."""
    return {
        "files": dict(files),
        "foldings": {name: list(astuple(layer.folding)) for name, layer in network.layers.items()},
        "widths": [network.in_width, network.out_width],
    }


def network_from(family: Family, files: Mapping[str, bytes], foldings: Mapping[str, Any], widths: list[int]) -> Network:
    """The network that `network_inputs` describes."""
    with TemporaryDirectory() as folder:
        for name in ("manifest.json", "arrays.npz"):
            (Path(folder) / name).write_bytes(files[name])
        bundle = read_bundle(Path(folder))
    return Network(bundle, {name: Folding(*folding) for name, folding in foldings.items()}, family, *widths)
