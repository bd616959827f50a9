"""Reports: one JSON file per stage, one object per layer, the same keys from estimate to measurement.

| file | what | keys of a layer |
|---|---|---|
| `estimate_layer_cycles.json` | before anything runs | ideal, cycles |
| `cosim_layer_cycles.json` | measured in simulation | ideal, cycles |
| `estimate_layer_resources.json` | before synthesis | lut4, bits |
| `synth_layer_resources.json` | synthesised out of context | lut4, ff, block_ram, ... |
| `synth_top_resources.json` | the whole top for a board (one object, `top`) | lut4, ff, block_ram, ... |
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from hw.estimate import layer_cycles, layer_resources
from hw.network import Network
from model.files import replacing

__all__ = ["STAGES", "layer_table", "read", "write", "write_estimates"]

STAGES = (
    "estimate_layer_cycles",
    "cosim_layer_cycles",
    "estimate_layer_resources",
    "synth_layer_resources",
    "synth_top_resources",
)


def write(folder: Path, stage: str, layers: Mapping[str, Any]) -> None:
    """Write `folder/<stage>.json`."""
    with replacing(folder / f"{stage}.json") as temporary:
        temporary.write_text(json.dumps(layers, indent=2) + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """The reports that are there, by stage."""
    return {
        stage: json.loads((folder / f"{stage}.json").read_text())
        for stage in STAGES
        if (folder / f"{stage}.json").is_file()
    }


def write_estimates(network: Network, folder: Path) -> None:
    """The two reports that need no tool."""
    write(folder, "estimate_layer_cycles", {name: layer_cycles(layer) for name, layer in network.layers.items()})
    write(folder, "estimate_layer_resources", {name: layer_resources(layer) for name, layer in network.layers.items()})


def layer_table(network: Network, folder: Path) -> Table:
    """Each layer's size, folding, cycles and resources, estimate beside measurement and the difference."""
    reports = read(folder)
    used = {resource for resource, _ in network.family.cells.values()}
    memories = [(key, title) for key, title in (("block_ram", "RAM"), ("spram", "SP")) if key in used]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    heads = ("layer", "size", "weights", "PE x\nSIMD", "cycles\nplan", "\nsim", "LUT4\nplan", "\nsyn")
    for head in (*heads, "\nerr", "FF", *(title for _, title in memories)):
        table.add_column(head, justify="left" if head == "layer" else "right", no_wrap=True)
    for name, layer in network.layers.items():
        found = {stage: layers.get(name, {}) for stage, layers in reports.items()}
        synthesised = found.get("synth_layer_resources", {})
        estimate = found.get("estimate_layer_resources", {}).get("lut4")
        lut4 = synthesised.get("lut4")
        table.add_row(
            name,
            f"{layer.layer.inputs}>{layer.layer.units}",
            _number(layer.layer.weights),
            str(layer.folding),
            _number(found.get("estimate_layer_cycles", {}).get("cycles")),
            _number(found.get("cosim_layer_cycles", {}).get("cycles")),
            _number(estimate),
            _number(lut4),
            f"{(estimate - lut4) / lut4:+.0%}" if estimate and lut4 else "-",
            _number(synthesised.get("ff")),
            *(_number(synthesised.get(key)) for key, _ in memories),
        )
    return table


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
