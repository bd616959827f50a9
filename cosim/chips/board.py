"""A simulated board behind a pseudo-terminal: `bgru board`, then `boards.host.transfer`."""

import os
import signal
import subprocess
import tty
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import DomainRenamer, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.definitions.registry import find
from boards.flow.layout import lay_out, parse_folding, word_widths
from boards.gateware.core import BoardCore
from boards.gateware.flash import image
from boards.gateware.leds import alive
from boards.gateware.sdram_weights import DOMAIN, FLASH_READ_HZ, Memory, SdramWeights
from boards.host.protocol import BAUD, Kind
from cosim.bench.build import verilated
from cosim.bench.simulators import simulator_path
from cosim.bench.sound import CLOCKS
from cosim.chips.sdram_chip import SdramChip
from cosim.chips.spi_flash import Flash, Timing
from hw.flow.rtl import to_verilog
from hw.gateware.network import Network
from hw.shape.audio import AudioSpec
from hw.shape.cycles import predict
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput

__all__ = ["Program", "build", "serving"]

TOP = "board"
CYCLES_PER_BIT = 8
FLASH_OFFSET = 1 << 20
SDRAM_CYCLES = 2
"""Of the SDRAM's clock in one of the core's."""


class SimulatedBoard(wiring.Component):
    """A board's core and LEDs, with flash and SDRAM if weights need them.

    Few clock cycles per UART bit save simulation time. The SDRAM has its own clock: two cycles for one of the core.

    Members
    -------
    rx : In(1), tx : Out(1), the line
    alive, error : Out(1), the LEDs, as in `BoardTop`
    """

    def __init__(self, network: Network, kind: Kind, memory: Memory | None) -> None:
        self.clock_hz = CYCLES_PER_BIT * BAUD
        self.core = BoardCore(network, self.clock_hz, BAUD, FLASH_OFFSET, kind, memory)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "alive": Out(1), "error": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = core = self.core
        m.d.comb += [core.rx.eq(self.rx), self.tx.eq(core.tx)]
        m.d.sync += [self.alive.eq(alive(m, self.clock_hz, core.overrun)), self.error.eq(core.failed)]
        if isinstance(core.weights, SdramWeights):
            reader = core.weights.reader
            clock_hz = reader.memory.clock_hz
            flash = Flash(image(core.network), round(clock_hz), FLASH_OFFSET, timing=Timing(read_hz=FLASH_READ_HZ))
            chip = SdramChip(clock_hz / 1e6, depth=reader.words)
            m.submodules.flash, m.submodules.sdram = DomainRenamer(DOMAIN)(flash), DomainRenamer(DOMAIN)(chip)
            wiring.connect(m, core.flash, flash.spi)
            wiring.connect(m, core.sdram, chip.pins)
        elif core.weights is not None:
            m.submodules.flash = flash = Flash(image(core.network), self.clock_hz, FLASH_OFFSET)
            wiring.connect(m, core.flash, flash.spi)
        return m


@dataclass(frozen=True)
class Program:
    """A built simulation.

    settled : after so many cycles without a byte, the board sends none unasked
    """

    path: Path
    folder: Path
    settled: int


def build(
    network: Network,
    folder: Path,
    quick_build: bool = False,
    kind: Kind = Kind.NETWORK,
    memory: Memory | None = None,
) -> Program:
    """Generate the board's Verilog and memory contents in `folder`, and build a program from it with Verilator.

    `quick_build` skips optimisation, which pays off for small networks. `memory` is the SDRAM of streamed weights.
    """
    simulated = SimulatedBoard(network, kind, memory)
    source = to_verilog(simulated, TOP, folder)
    streams = isinstance(simulated.core.weights, SdramWeights)
    define = ("-CFLAGS", f"-DSDRAM_CYCLES={SDRAM_CYCLES}") if streams else ()
    bench = Path(__file__).with_suffix(".cpp")
    program = verilated(source, bench, TOP, headers=[CLOCKS], options=define, quick=quick_build)
    settled = 4 * sum(predict(layer).cycles for layer in network.spec.layers) + 1000 * CYCLES_PER_BIT
    if kind == Kind.SOUND:
        audio = AudioSpec.of(network.bundle.front_end, network.family)
        settled += 4 * (audio.clearing + audio.interval)
    if simulated.core.weights is not None:
        settled += simulated.core.weights.cycles
    return Program(program, folder, settled)


@contextmanager
def serving(program: Program, stderr: int | None = None) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run the program on a pseudo-terminal: yields the terminal's path and the process, which ends with the block.

    The terminal survives when a host closes it; it disappears with the process. Lines on `stderr`, as for `Popen`, say
    when an LED shows something else.
    """
    board, host = os.openpty()
    tty.setraw(host)
    os.set_blocking(board, False)
    command = [str(program.path), *map(str, (CYCLES_PER_BIT, program.settled, CYCLES_PER_BIT * BAUD))]
    process = subprocess.Popen(command, stdin=board, stdout=board, stderr=stderr, cwd=program.folder)
    os.close(board)
    try:
        yield os.ttyname(host), process
    finally:
        process.kill()
        process.wait()
        os.close(host)


@contextmanager
def _linked(link: Path | None, port: str) -> Iterator[None]:
    if link is None:
        yield
        return
    if link.exists() and not link.is_symlink():
        raise BadInput(f"{link}: expected a place for a link to the terminal, got a file")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(port)
    try:
        yield
    finally:
        link.unlink(missing_ok=True)


def simulated(
    bundle_folder: Path, board_name: str, fold: list[str] | None, build_folder: Path, kind: Kind = Kind.NETWORK
) -> tuple[str, AbstractContextManager[tuple[str, "subprocess.Popen[bytes]"]]]:
    """Build a simulated board: its name, and `serving` of it."""
    simulator_path("verilator", waves=False)  # fail before the work, not after it
    network_bundle = read_bundle(bundle_folder)
    board = find(board_name).at_network_clock(network_bundle)
    network = lay_out(network_bundle, board, parse_folding(fold or []), *word_widths(network_bundle, kind))
    with console.status("generate Verilog and build the simulation"):
        program = build(
            network,
            build_folder / board.name / network_bundle.name / f"terminal_{kind.name.lower()}",
            kind=kind,
            memory=None if board.sdram is None else Memory(board.sdram, board.sdram_clock_hz),
        )
    return f"{board.name} with {network_bundle.name}", serving(program)


def run(
    bundle_folder: Path, board_name: str, fold: list[str] | None, link: Path | None, build_folder: Path, kind: Kind
) -> None:
    """Simulate a board without its pins, and serve its UART on a pseudo-terminal until stopped: `bgru board`."""
    name, served = simulated(bundle_folder, board_name, fold, build_folder, kind)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with served as (port, process), _linked(link, port):
        print(f"{name} on {port}", flush=True)
        try:
            process.wait()
        except KeyboardInterrupt:
            return
    raise RuntimeError(f"the simulation ended by itself, with {process.returncode}")
