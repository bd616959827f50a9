"""Saved views of a waveform, for GTKWave and for Surfer (`make sim WAVES=1`, docs/waves.md).

A view names signals of the simulated top (`cosim.bench.top`) by their path. It shows only signals in the trace: a
netlist keeps fewer of them than the RTL.
"""

from collections.abc import Iterator
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import Literal, NamedTuple

import pywellen
from vcd.gtkw import GTKWSave

from cosim.bench.runner import TOP
from hw.gateware.network import Network
from hw.shape.layer_spec import vectors_of
from model.files import replacing

__all__ = ["Group", "Trace", "groups", "names_in", "save_views"]

Radix = Literal["bin", "hex", "dec"]
PERIOD_NS = 10
"""Period of the bench's clock (`cosim.bench.testbench`)."""

SURFER = {"bin": "Bit", "hex": "Hexadecimal", "dec": "Unsigned"}
"""Surfer's name of each radix."""


class Trace(NamedTuple):
    """A signal: its path in the waveform, what GTKWave writes next to it, and how to show it."""

    name: str
    label: str
    radix: Radix = "bin"


class Group(NamedTuple):
    """Signals that belong together; the name is one word, because Surfer takes no more."""

    name: str
    traces: list[Trace]


def groups(network: Network) -> list[Group]:
    """The signals to show: the ends of the network, then each layer's streams, gates, state and counters."""
    inside = f"{TOP}.network"
    # A layer's streams are traced at the repacks before and behind it, whose ports always keep their names.
    repacks = [f"{inside}.{name}" for name in network.spec.repack_names]
    found = [
        Group("clock", [Trace(f"{TOP}.clk", "clk"), Trace(f"{TOP}.rst", "rst")]),
        Group("network_streams", [*_stream(f"{TOP}.i", "features"), *_stream(f"{TOP}.o", "mask")]),
    ]
    for (name, layer), (before, behind) in zip(network.layers.items(), pairwise(repacks), strict=True):
        vectors = vectors_of(layer.spec.kind)
        probe, recorder, port = f"{inside}.probe_{name}__", f"{TOP}.rec_{name}.", f"{TOP}.rec_{name}__"
        streams = [*_stream(f"{before}.o", "in"), *_stream(f"{behind}.i", "out")]
        if layer.folding.weights != "rom":
            streams += _stream(f"{TOP}.load_{name}", "load")
        turn = [Trace(f"{probe}vector", "which: " + ", ".join(vectors[:3]), "dec")] if len(vectors) > 1 else []
        results = [Trace(f"{probe}valid", "result"), *turn, Trace(f"{probe}data", "its row group", "hex")]
        whole = [Trace(port + vector, vector, "hex") for vector in vectors if vector != "h"]
        state = [
            Trace(f"{probe}h", "new h of a row group", "hex"),
            Trace(f"{port}h", "h", "hex"),
            Trace(f"{inside}.{name}.fresh", "first frame after reset"),
        ]
        counters = [
            Trace(f"{probe}busy", "frame held"),
            Trace(f"{probe}released", "frame let go"),
            Trace(f"{inside}.{name}.address", "word read", "dec"),
            Trace(f"{recorder}result", "result done", "dec"),
            Trace(f"{recorder}busy", "cycles so far", "dec"),
            Trace(f"{port}cycles", "cycles of the last frame", "dec"),
            Trace(f"{port}frames", "frames", "dec"),
        ]
        found += [Group(f"{name}_streams", streams), Group(f"{name}_gates", results + whole)]
        found += [Group(f"{name}_state", state)] if "h" in vectors else []
        found.append(Group(f"{name}_counters", counters))
    return found


def _stream(path: str, label: str) -> list[Trace]:
    return [
        Trace(f"{path}__valid", f"{label} valid"),
        Trace(f"{path}__ready", f"{label} ready"),
        Trace(f"{path}__payload", label, "hex"),
    ]


def names_in(waveform: Path) -> dict[str, int]:
    """The signals in an FST and their widths in bits; reads only its header."""
    trace = pywellen.Waveform(str(waveform), stream_only=True)
    return {variable.full_name: variable.bitwidth for variable in trace.all_vars()}


def save_views(network: Network, waveform: Path) -> tuple[str, str]:
    """Write a GTKWave save file and a Surfer command file next to an FST; returns the commands that open them."""
    widths = names_in(waveform)
    shown = [Group(group.name, [trace for trace in group.traces if trace.name in widths]) for group in groups(network)]
    shown = [group for group in shown if group.traces]
    gtkwave, surfer = waveform.with_suffix(".gtkw"), waveform.with_suffix(".sucl")
    with replacing(gtkwave) as temporary, temporary.open("w", encoding="utf-8") as file:
        save = GTKWSave(file)
        save.dumpfile(str(waveform))
        save.savefile(str(gtkwave))
        save.treeopen(f"{TOP}.network.")
        save.size(1600, 1000)
        save.signals_width(240)
        loaded = [layer.engine.matrix for layer in network.layers.values() if layer.folding.weights == "loaded"]
        save.timestart(PERIOD_NS * sum(len(matrix.weight_words) for matrix in loaded))
        save.zoom_markers(-log2(PERIOD_NS * network.spec.ideal / 5))  # about a frame
        for group in shown:
            with save.group(group.name.replace("_", " ")):
                for trace in group.traces:
                    width = widths[trace.name]
                    path = trace.name + (f"[{width - 1}:0]" if width > 1 else "")
                    save.trace(path, trace.label, datafmt=trace.radix)
    with replacing(surfer) as temporary:
        temporary.write_text("\n".join([*_surfer_commands(shown), ""]), encoding="utf-8")
    return f"gtkwave {gtkwave}", f"surfer -c {surfer} {waveform}"


def _surfer_commands(shown: list[Group]) -> Iterator[str]:
    """First all items, because each goes behind the one in focus; then their formats, item by item."""
    formats: list[str | None] = []
    for group in shown:
        yield f"divider_add {group.name}"
        formats.append(None)
        for trace in group.traces:
            yield f"variable_add {trace.name}"
            formats.append(SURFER[trace.radix])
    for index, translation in enumerate(formats):
        if translation is not None:
            # Surfer numbers items in hexadecimal, spelt with a to p; the part after the underscore is for readers.
            yield f"item_focus {''.join(chr(ord('a') + int(digit, 16)) for digit in f'{index:x}')}_"
            yield f"item_set_format {translation}"
    yield "item_unfocus"
    yield "zoom_fit"
