"""Reports: one JSON file per stage, one object per layer, the same keys from estimate to measurement.

| file | what | keys of a layer |
|---|---|---|
| `estimate_layer_cycles.json` | before anything runs | ideal, cycles |
| `cosim_layer_cycles.json` | measured in simulation | ideal, cycles |
| `cosim_frames.json` | the simulation as a whole (no layers) | recording, frames, latency, mismatch, ... |
| `estimate_layer_resources.json` | before synthesis | lut4, bits, block_ram, ... |
| `synth_layer_resources.json` | synthesised out of context | lut4, ff, block_ram, ... |
| `synth_top_resources.json` | the whole top for a board (one object, `top`) | lut4, ff, block_ram, ... |
| `pnr.json` | the same, placed and routed | lut4, ff, ..., constraint_mhz, achieved_mhz, seed |
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from hw.flow.synth import fingerprint
from hw.gateware.network import Network
from hw.shape.estimate import layer_cycles, layer_resources, weight_use
from model.files import replacing

__all__ = ["STAGES", "begin", "layer_table", "read", "write"]

STAGES = (
    "estimate_layer_cycles",
    "cosim_layer_cycles",
    "cosim_frames",
    "estimate_layer_resources",
    "synth_layer_resources",
    "synth_top_resources",
    "pnr",
)


def write(folder: Path, stage: str, layers: Mapping[str, Any]) -> None:
    """Write `folder/<stage>.json`."""
    with replacing(folder / f"{stage}.json") as temporary:
        temporary.write_text(json.dumps(layers, indent=2) + "\n", encoding="utf-8")


def read(network: Network, folder: Path) -> dict[str, dict[str, Any]]:
    """The reports by stage: the two estimates made now, and what was measured of this very network."""
    found = _estimates(network)
    if owner(folder) == fingerprint(network):
        for stage in STAGES:
            if (folder / f"{stage}.json").is_file():
                found[stage] = json.loads((folder / f"{stage}.json").read_text())
    return found


def begin(network: Network, folder: Path) -> None:
    """Write the estimates into `folder`; measurements of another network or folding are deleted from it."""
    if owner(folder) != (key := fingerprint(network)):
        for stage in STAGES:
            (folder / f"{stage}.json").unlink(missing_ok=True)
        with replacing(folder / OWNER) as temporary:
            temporary.write_text(key)
    for stage, layers in _estimates(network).items():
        write(folder, stage, layers)


OWNER = "fingerprint.txt"


def owner(folder: Path) -> str:
    """Of which network the reports in a folder are."""
    return (folder / OWNER).read_text() if (folder / OWNER).is_file() else ""


def _estimates(network: Network) -> dict[str, dict[str, Any]]:
    return {
        "estimate_layer_cycles": {name: layer_cycles(layer.spec) for name, layer in network.layers.items()},
        "estimate_layer_resources": {
            name: layer_resources(layer.layer, layer.spec) for name, layer in network.layers.items()
        },
    }


def layer_table(network: Network, folder: Path) -> Table:
    """Each layer's size, folding, cycles and resources, estimate beside measurement and the difference.

    `use` is how much of the RAM blocks that hold the weights is taken by them (`hw.shape.estimate.weight_use`).
    """
    reports = read(network, folder)
    used = {resource for resource, _ in network.family.cells.values()}
    memories = [(key, title) for key, title in (("block_ram", "RAM"), ("spram", "SP")) if key in used]
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    heads = ("layer", "size", "weights", "PE x\nSIMD", "cycles\nplan", "\nsim", "LUT4\nplan", "\nsyn")
    for head in (*heads, "\nerr", "FF", *(title for _, title in memories), "use"):
        table.add_column(head, justify="left" if head == "layer" else "right", no_wrap=True)
    for name, layer in network.layers.items():
        found = {stage: layers.get(name, {}) for stage, layers in reports.items()}
        stored, allocated = weight_use(layer.spec)
        synthesised = found.get("synth_layer_resources", {})
        estimate = found.get("estimate_layer_resources", {}).get("lut4")
        lut4 = synthesised.get("lut4")
        table.add_row(
            name,
            f"{layer.spec.inputs}>{layer.spec.units}",
            _number(layer.spec.weights),
            str(layer.folding),
            _number(found.get("estimate_layer_cycles", {}).get("cycles")),
            _number(found.get("cosim_layer_cycles", {}).get("cycles")),
            _number(estimate),
            _number(lut4),
            f"{(estimate - lut4) / lut4:+.0%}" if estimate and lut4 else "-",
            _number(synthesised.get("ff")),
            *(_number(synthesised.get(key)) for key, _ in memories),
            f"{stored / allocated:.0%}" if allocated else "-",
        )
    return table


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
