"""A network, or the whole denoiser, as a core for other systems: Verilog, drivers, FuseSoC core (`make ip`)."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module, Signal

from boards.definitions.board import Board
from boards.definitions.registry import find
from boards.flow import ip_driver, ip_testbench, reserved_words
from boards.flow.layout import lay_out, parse_folding, word_widths
from boards.host.protocol import Kind
from hw.flow.rtl import ports_of, rtlil_to_verilog
from hw.gateware.axi import AxiNetwork, AxiStream
from hw.gateware.axi_denoiser import SAMPLE_BITS, AxiDenoiser
from hw.gateware.denoiser import Denoiser
from hw.shape.audio import AudioSpec
from hw.shape.folding import Folding
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.files import replacing_folder

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
"""A name valid in Verilog, C and file systems. C reserves macros that begin with _ and a capital."""

MOST_WIDTH = 4096
"""Bits of a word."""

DEFAULT_WIDTH = 32

LITERAL_BITS = 1024
"""Bits of one constant with memory contents. Tools accept more, but copy it for each of its words."""


def run(
    bundle_folder: Path,
    board_name: str,
    fold: list[str] | None,
    streamed: list[str] | None,
    width: int | None,
    name: str,
    audio: bool,
    build: Path,
) -> None:
    """Write a network as a core with AXI4-Stream and Wishbone ports (docs/axi.md): `bgru ip`.

    With `audio` it is the whole denoiser, with samples in and out.
    """
    check_name(name)
    if audio and width is not None:
        raise BadInput(f"--width: expected none with --audio, whose samples have {SAMPLE_BITS} bits, got {width}")
    width = DEFAULT_WIDTH if width is None else width
    if width % 8 or not 8 <= width <= MOST_WIDTH:
        raise BadInput(f"--width: expected a multiple of 8 bits from 8 to {MOST_WIDTH}, got {width}")
    network_bundle = read_bundle(bundle_folder)
    board = replace(find(board_name).at_network_clock(network_bundle), sdram=None)  # a core has not the board's memory
    foldings = parse_folding(fold or [])
    for layer in streamed or []:
        if layer not in foldings:
            raise BadInput(f"--streamed {layer}: expected its folding too, as in --fold {layer}=1x8")
        foldings[layer] = replace(foldings[layer], weights="streamed")
    core: AxiStream
    if audio:
        core = _denoiser(network_bundle, board, foldings)
    else:
        core = AxiNetwork(lay_out(network_bundle, board, foldings, width, width, free=board.available))
    kind = "_audio" if audio else ""
    folder = build / board.name / network_bundle.name / f"ip{kind}"
    with replacing_folder(folder) as target:
        write(core, name, f"{board.name}_{network_bundle.name}{kind}", target)
    console.print(f"core   {folder}")


def _denoiser(bundle: Bundle, board: Board, foldings: Mapping[str, Folding]) -> AxiDenoiser:
    """Folded for the clock of a denoiser on that board, and for the RAM that the audio engine leaves."""
    board = board.at_sound_clock(None)
    taken = AudioSpec.of(bundle.front_end, board.family).resources
    free = {kind: count - taken.get(kind, 0) for kind, count in board.available.items()}
    network = lay_out(bundle, board, foldings, *word_widths(bundle, Kind.SOUND), free=free)
    return AxiDenoiser(Denoiser(network, single_port=board.family.single_port_ram is not None))


def check_name(name: str) -> None:
    """Raise `BadInput` for a name that a module, its files or its macros can't have."""
    if not IDENTIFIER.fullmatch(name):
        raise BadInput(f"--name: expected 1 to 64 letters, digits and _, a letter first, got {name}")
    if name in reserved_words.VERILOG:
        raise BadInput(f"--name: expected no keyword of Verilog or SystemVerilog, got {name}")
    if name in reserved_words.C:
        raise BadInput(f"--name: expected no keyword of C or C++, got {name}")
    if name.lower() in ip_testbench.MODULES:  # some file systems don't tell capitals from small letters
        raise BadInput(f"--name: expected another name than the test bench's modules, got {name}")


def write(core: AxiStream, name: str, design: str, folder: Path) -> None:
    """All files of the core, whose module is `name`; `design` is its FuseSoC name, after `bgru:core:`."""
    check = ip_testbench.files(core, name)
    texts = {
        f"{name}.v": verilog(core, name),
        f"{name}.core": fusesoc(core, name, design, [file for file in check if file.endswith(".mem")]),
        f"{name}.vh": verilog_header(core, name),
        **ip_driver.files(core, name),
        **check,
    }
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")


# The Verilog.

MEMORY = re.compile(
    r"^  reg (?:\[(?P<high>\d+):0\] )?(?P<name>\\\S+ |\S+) \[(?P<last>\d+):0\];\n"
    r'  initial \$readmemb\("(?P<file>\S+)", .+\);\n',
    re.MULTILINE,
)
"""A memory whose contents Yosys wrote to a file. It escapes names that are keywords: `\\program `."""

TRIGGER = re.compile(r"^  reg (\\\S+dump_module\S+ ) = 0;$", re.MULTILINE)
"""Yosys' trigger for its `always @*`. In Icarus they wait for a change, and an initial value is none."""

WAIVERS = {
    "ASCRANGE": "a signal of no bits is written [-1:0]; it carries nothing",
    "CASEINCOMPLETE": "without a matching case the earlier assignment stays",
    "DECLFILENAME": "all modules are in one file",
    "INITIALDLY": "the trigger of the always @* comes after all of them wait for it",
    "PROCASSINIT": "a register has one value from power-up and from reset",
    "VARHIDDEN": "an instance is named after its layer, which may also be a signal in one of its modules",
    "UNUSEDSIGNAL": "wires used only by simulation probes are kept",
    "WIDTHEXPAND": "sums and indices are extended as in the source RTL",
    "WIDTHTRUNC": "and cut",
}
"""Verilator lint warnings in this generated text, and why each is harmless."""


def verilog(core: AxiStream, name: str) -> str:
    """One text with all modules; the top is `name`, its clock `aclk`, its reset `aresetn` (active low, synchronous).

    All other module names begin with that of the top.
    """
    sync, aresetn = ClockDomain("sync"), Signal()
    m = Module()
    m.domains += sync
    m.submodules.core = core
    m.d.comb += sync.rst.eq(~aresetn)
    ports = {"aclk": (sync.clk, None), "aresetn": (aresetn, None), **ports_of(core, probes=False)}
    with tempfile.TemporaryDirectory() as scratch:
        text = str(rtlil.convert(m, name=name, ports=ports, emit_src=False))
        path = rtlil_to_verilog(text, name, Path(scratch))
        whole = MEMORY.sub(lambda found: contents(found, path.parent), path.read_text(encoding="utf-8"))
    if "$readmem" in whole:
        raise RuntimeError(f"{name}.v: expected every memory's contents in the text, found a $readmem of Yosys' left")
    whole = TRIGGER.sub(r"  reg \1;\n  initial \1 <= 1'b0;", whole)
    off = "".join(f"/* verilator lint_off {rule} */ // {reason}\n" for rule, reason in WAIVERS.items())
    return (
        "// Yosys reads this file far faster with: read_verilog -icells -D BGRU_ICELLS\n"
        f"/* verilator lint_save */\n{off}\n{whole}\n/* verilator lint_restore */\n"
    )


def contents(found: re.Match[str], folder: Path) -> str:
    """A memory with the contents of its file as constants in the text.

    With a statement for each word, Yosys takes 6 s and 120 MB per 16,384 words. With `read_verilog -icells -D
    BGRU_ICELLS` it reads its own cell for memory contents instead.
    """
    memory, width, depth = found["name"], int(found["high"] or 0) + 1, int(found["last"]) + 1
    name = memory.strip("\\ ")
    items = (folder / found["file"]).read_text().split()
    if len(items) != depth or any(len(item) != width for item in items):
        raise RuntimeError(f"{found['file']}: expected {depth} words of {width} bits from Yosys, got other ones")
    each = max(1, LITERAL_BITS // width)
    parts = []
    for begin in range(0, depth, each):
        part = items[begin : begin + each]
        bits = len(part) * width
        value = int("".join(reversed(part)), 2)
        index, constant = f"{name}_index_{begin}", f"{name}_from_{begin}"
        shape = f'.MEMID("\\\\{name}"), .ABITS(32), .WIDTH({width}), .WORDS({len(part)}), .PRIORITY({begin})'
        parts.append(
            f"  localparam [{bits - 1}:0] {constant} = {bits}'h{value:x};\n"
            "`ifdef BGRU_ICELLS\n"
            f"  \\$meminit_v2 #({shape}) {name}_contents_{begin} (\n"
            f"    .ADDR(32'd{begin}), .DATA({constant}), .EN({{{width}{{1'b1}}}}));\n"
            "`else\n"
            f"  integer {index};\n"
            f"  initial for ({index} = 0; {index} < {len(part)}; {index} = {index} + 1)\n"
            f"    {memory}[{begin} + {index}] = {constant}[{index} * {width} +: {width}];\n"
            "`endif\n"
        )
    return found[0][: found[0].index("  initial")] + "".join(parts)


# The header.


def verilog_header(core: AxiStream, name: str) -> str:
    """For Verilog around the core: its sizes and frame rate, in macros that begin with `name` in capitals."""
    prefix, bundle = name.upper(), core.network.bundle
    values = dict(core.sizes)
    if isinstance(core, AxiNetwork):
        values |= {"FEATURES": core.network.spec.frame_bits, "BINS": core.network.spec.mask_bits}
    values |= {"SAMPLE_RATE": bundle.front_end.sample_rate, "HOP": bundle.front_end.hop}
    lines = [
        f"// Sizes of {name}.v in bits and words; samples per second, and samples from frame to frame.",
        f"`ifndef {prefix}_VH",
        f"`define {prefix}_VH",
        *(f"`define {prefix}_{key} {value}" for key, value in values.items()),
        "`endif",
    ]
    return "\n".join([*lines, ""])


# The core file.

CORE = """\
CAPI=2:
name: bgru:core:{design}:{version}
description: Bitwise GRU {bundle}, {what} by AXI4-Stream, registers by Wishbone

filesets:
  rtl:
    files:
      - {top}.v: {{file_type: verilogSource-2005}}
      - {top}.vh: {{file_type: verilogSource-2005, is_include_file: true}}
{driver}
  bench:
    files:
      - bench.v: {{file_type: verilogSource-2005}}
{data}

targets:
  default:
    filesets: [rtl]
  lint:
    description: Verilator's lint, with all of its warnings
    flow: lint
    flow_options: {{tool: verilator, verilator_options: [-Wall]}}
    filesets: [rtl]
    toplevel: {top}
  sim:
    description: {bench}, under Icarus Verilog
    flow: sim
    flow_options: {{tool: icarus, iverilog_options: [-g2012]}}
    filesets: [rtl, bench]
    toplevel: bench
"""


def fusesoc(core: AxiStream, name: str, design: str, data: list[str]) -> str:
    """The FuseSoC core; `data` are the files that the bench reads where it runs."""
    return CORE.format(
        design=design,
        version=version("bgru-fpga"),
        bundle=core.network.bundle.name,
        what="features in and masks out" if isinstance(core, AxiNetwork) else "samples in and out",
        bench=(
            "A few frames against the golden model's masks"
            if isinstance(core, AxiNetwork)
            else "Two recordings against the reference's samples"
        ),
        top=name,
        driver="\n".join(f"      - {name}_driver.{suffix}: {{file_type: user}}" for suffix in ip_driver.SUFFIXES),
        data="\n".join(f"      - {file}: {{file_type: user, copyto: {file}}}" for file in data),
    )
