"""Which pin of a part goes to which pin of a board: tables and drawings, those of docs/sound.md (`bgru wiring`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.build import Subsignal

from boards.definitions.board import Board
from boards.definitions.registry import find
from boards.definitions.sound import CODEC, MICROPHONE
from model.files import replacing

__all__ = ["Wire", "drawing", "run", "table", "wires"]

PART_PINS = {
    MICROPHONE: ("INMP441", {"sck": ["SCK"], "ws": ["WS"], "sd": ["SD"]}),
    CODEC: (
        "Pmod I2S2",
        {
            "mclk": ["1 D/A MCLK", "7 A/D MCLK"],
            "lrck": ["2 D/A LRCK", "8 A/D LRCK"],
            "sclk": ["3 D/A SCLK", "9 A/D SCLK"],
            "sdin": ["4 D/A SDIN"],
            "sdout": ["10 A/D SDOUT"],
        },
    ),
}
"""Resource to the part's name and, for each signal, the part's pins in the resource's order."""

POWER = {
    "INMP441": {"VDD": "3.3 V", "GND": "GND", "L/R": "GND"},
    "Pmod I2S2": {"6, 12 VCC": "3.3 V", "5, 11 GND": "GND"},
}

CONNECTORS = {
    ("icebreaker", "pmod", 0): "PMOD1A",
    ("icebreaker", "pmod", 1): "PMOD1B",
    ("icesugar", "pmod", 1): "PMOD2",
    ("icesugar", "pmod", 2): "PMOD3",
    ("tang_primer_20k", "pmod", 0): "PMOD 1",
    ("tang_primer_20k", "pmod", 1): "PMOD 2",
    ("tang_nano_20k", "header", 0): "header",
    ("orangecrab", "io", 0): "Feather",
    ("colorlight_i5", "pmod", 2): "PMOD P3A",
    ("colorlight_i5", "pmod", 3): "PMOD P3B",
}
"""What is printed next to a connector: (board, name, number) of amaranth-boards."""

PRINTED = {"sck": "SCK", "copi": "MOSI", "cipo": "MISO", "scl": "SCL"}
"""Names of a Feather's pins, where amaranth-boards writes them otherwise."""


@dataclass(frozen=True)
class Wire:
    """One wire.

    part, part_pin : its end at the part
    board_pin : its end at the board, as printed there; fpga_pin : the FPGA pin behind it, empty for power
    into_board : whether the part drives it
    """

    part: str
    part_pin: str
    board_pin: str
    fpga_pin: str = ""
    into_board: bool = False


def wires(board: Board) -> list[Wire]:
    """All wires of microphone and codec, part by part: signals, then power."""
    platform = board.platform()
    platform.add_resources(board.sound)
    found = []
    for name, (part, part_pins) in PART_PINS.items():
        signals = [_wire(board, platform, part, io, part_pins[io.name]) for io in _subsignals(platform.lookup(*name))]
        found += [wire for several in signals for wire in several]
        found += [Wire(part, pin, to) for pin, to in POWER[part].items()]
    return found


def _subsignals(resource: Any) -> list[Subsignal]:
    return [io for io in resource.ios if isinstance(io, Subsignal)]


def _wire(board: Board, platform: Any, part: str, signal: Any, part_pins: list[str]) -> list[Wire]:
    (pins,) = signal.ios
    return [
        Wire(part, part_pin, _printed(board, name), platform._conn_pins[name], pins.dir == "i")
        for part_pin, name in zip(part_pins, pins.names, strict=True)
    ]


def _printed(board: Board, name: str) -> str:
    """`pmod_0:1` as it is printed on the board."""
    connector, pin = name.split(":")
    kind, number = connector.rsplit("_", 1)
    if kind == "gpio":
        return f"J1 {'GP' if pin.endswith('+') else 'GN'}{pin[:-1]}"
    return f"{CONNECTORS[board.name, kind, int(number)]} pin {PRINTED.get(pin, pin)}"


def table(board: Board) -> str:
    """The wires as a table in Markdown."""
    rows = [f"| {wire.part} | {wire.part_pin} | {wire.board_pin} | {wire.fpga_pin} |" for wire in wires(board)]
    return "\n".join(["| part | its pin | board | FPGA pin |", "|---|---|---|---|", *rows]) + "\n"


def drawing(board: Board) -> str:
    """The wires as an SVG: board on the left, parts on the right, arrows in signal direction."""
    found, step, top = wires(board), 24, 60
    height = top + step * (len(found) + 2) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{height}" viewBox="0 0 640 {height}" '
        'font-family="sans-serif" font-size="13">',
        f"<title>Microphone and codec on {board.name}</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path d="M0 0 8 4 0 8Z"/></marker></defs>',
        f'<rect width="640" height="{height}" fill="#fff"/>',
        f'<rect x="12" y="36" width="300" height="{height - 48}" rx="6" fill="#eef3f8" stroke="#456"/>',
        f'<text x="24" y="26" font-weight="bold">{board.name}, {board.device}</text>',
    ]
    y, part = top, ""
    for wire in found:
        if wire.part != part:
            part = wire.part
            count = sum(other.part == part for other in found)
            y += 2 * step if y > top else 0
            lines += [
                f'<rect x="440" y="{y - 20}" width="188" height="{step * count + 12}" rx="6" fill="#f7f1e6" '
                'stroke="#864"/>',
                f'<text x="452" y="{y - 26}" font-weight="bold">{part}</text>',
            ]
        behind = f"  (FPGA {wire.fpga_pin})" if wire.fpga_pin else ""
        tip = "" if not wire.fpga_pin else ' marker-start="url(#tip)"' if wire.into_board else ' marker-end="url(#tip)"'
        colour = {"GND": "#555", "3.3 V": "#b22"}.get(wire.board_pin, "#036")
        lines += [
            f'<text x="304" y="{y}" text-anchor="end">{wire.board_pin}{behind}</text>',
            f'<path d="M314 {y - 4} H438" stroke="{colour}" stroke-width="1.5"{tip}/>',
            f'<text x="450" y="{y}">{wire.part_pin}</text>',
        ]
        y += step
    return "\n".join([*lines, "</svg>"]) + "\n"


def run(board_name: str, picture: Path | None) -> None:
    """Print a board's table, and write its drawing to `picture`: `bgru wiring`."""
    board = find(board_name)
    print(table(board), end="")
    if picture is not None:
        with replacing(picture) as temporary:
            temporary.write_text(drawing(board), encoding="utf-8")
