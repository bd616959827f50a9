"""What each stage of the flow found out about a design: a JSON file a stage, an object a layer, the same keys.

| file | what | keys of a layer |
|---|---|---|
| `estimate_layer_cycles.json` | before anything runs | ideal, cycles |
| `cosim_layer_cycles.json` | measured in simulation | ideal, cycles |
| `cosim_frames.json` | the simulation as a whole (no layers) | recording, frames, latency, mismatch, ... |
| `estimate_layer_resources.json` | before synthesis | lut4, bits, block_ram, ... |
| `synth_layer_resources.json` | synthesised out of context | lut4, ff, block_ram, ... |
| `synth_top_resources.json` | the whole top for a board (one object, `top`) | lut4, ff, block_ram, ... |
| `pnr.json` | the same, placed and routed | lut4, ff, ..., constraint_mhz, achieved_mhz, seed |
| `cosim_sound.json` | the simulation of a denoiser (no layers) | compared, frame, window, computing, mismatch, ... |
| `pnr_sound.json` | the whole denoiser for a board (`top`), placed and routed | as `pnr.json`, and sound: its source |

Each file also holds the key of the design that it describes. A stage of another design is never shown.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from hw.gateware.network import Network
from hw.shape.estimate import layer_cycles, weight_use
from hw.shape.integer_estimate import layer_resources
from model.files import write_json

__all__ = ["Results"]


@dataclass(frozen=True)
class Results:
    """The results of one design in a folder.

    keys : each stage that is measured to the key of what it describes (`boards.flow.measured` makes them)
    """

    folder: Path
    network: Network
    keys: Mapping[str, str]

    def write(self, stage: str, layers: Mapping[str, Any]) -> None:
        """Write what a stage measured, and the estimates next to it."""
        for estimate, found in self.estimates().items():
            write_json(self.folder / f"{estimate}.json", {"layers": found})
        write_json(self.folder / f"{stage}.json", {"design": self.keys[stage], "layers": layers})

    def discard(self, *stages: str) -> None:
        """Delete what stages measured, whatever the design."""
        for stage in stages:
            (self.folder / f"{stage}.json").unlink(missing_ok=True)

    def estimates(self) -> dict[str, dict[str, Any]]:
        """The stages that need no tool, made now."""
        layers = self.network.layers
        return {
            "estimate_layer_cycles": {name: layer_cycles(layer.spec) for name, layer in layers.items()},
            "estimate_layer_resources": {
                name: layer_resources(layer.layer, layer.spec) for name, layer in layers.items()
            },
        }

    def read(self) -> dict[str, dict[str, Any]]:
        """Layers by stage: the estimates, and every stage that was measured of this very design."""
        found = self.estimates()
        for stage, key in self.keys.items():
            path = self.folder / f"{stage}.json"
            stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            if stored.get("design") == key:
                found[stage] = stored["layers"]
        return found

    def table(self) -> Table:
        """Each layer's size, folding, cycles and resources: estimate, measurement and their difference.

        `use` is the share of the RAM blocks for weights that weights fill (`hw.shape.estimate.weight_use`).
        """
        found = self.read()
        used = {resource for resource, _ in self.network.family.cells.values()}
        memories = [(key, title) for key, title in (("block_ram", "RAM"), ("spram", "SP")) if key in used]
        table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
        heads = ("layer", "size", "weights", "PE x\nSIMD", "cycles\nplan", "\nsim", "LUT4\nplan", "\nsyn")
        for head in (*heads, "\nerr", "FF", *(title for _, title in memories), "use"):
            table.add_column(head, justify="left" if head == "layer" else "right", no_wrap=True)
        for name, layer in self.network.layers.items():
            of = {stage: layers.get(name, {}) for stage, layers in found.items()}
            stored, allocated = weight_use(layer.spec)
            synthesised = of.get("synth_layer_resources", {})
            estimate = of["estimate_layer_resources"]["lut4"]
            lut4 = synthesised.get("lut4")
            table.add_row(
                name,
                f"{layer.spec.inputs}>{layer.spec.units}",
                _number(layer.spec.weights),
                str(layer.folding),
                _number(of["estimate_layer_cycles"]["cycles"]),
                _number(of.get("cosim_layer_cycles", {}).get("cycles")),
                _number(estimate),
                _number(lut4),
                f"{(estimate - lut4) / lut4:+.0%}" if lut4 else "-",
                _number(synthesised.get("ff")),
                *(_number(synthesised.get(key)) for key, _ in memories),
                f"{stored / allocated:.0%}" if allocated else "-",
            )
        return table


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
