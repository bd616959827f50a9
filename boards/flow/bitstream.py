"""A bitstream of a bundle for a board (`make bitstream`)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from boards.definitions.registry import Board, find
from boards.flow.bram_patch import insert, placeholder
from boards.flow.delay import Delay
from boards.flow.elaboration import top_rtlil
from boards.flow.layout import lay_out, parse_folding, word_widths
from boards.flow.measured import results_of, sound_results_of
from boards.flow.packers import PACKERS, pack_bitstream
from boards.flow.sdram_bus import SdramBus, network_interval, network_latency, streamed
from boards.flow.sound import lay_out_sound
from boards.flow.verilog import check_room, print_use
from boards.gateware.flash import image
from boards.gateware.sdram_weights import DOMAIN
from boards.gateware.sound_core import SHIFTS
from boards.gateware.top import UART
from boards.host.protocol import BAUD, OVERHEAD, Kind
from hw.flow.place import Placement, place
from hw.flow.synth import synthesise
from hw.gateware.network import Network
from hw.shape.audio import AudioSpec
from hw.shape.cycles import predict
from hw.shape.network_spec import NetworkSpec
from hw.shape.pace import Pace
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.files import replacing_folder

__all__ = ["Routed", "check_source", "print_sound", "route", "short_of_timing"]


SOURCES = (*SHIFTS, UART)
"""Of a denoiser's sound."""

FOLDERS = {None: "bitstream", UART: "sound_uart"}

BITS_A_BYTE = 10
"""On the line: a start bit, eight of data, a stop bit."""

SEEDS = 8
"""Default number of placements to try for the clock."""


@dataclass(frozen=True)
class Routed:
    """A placed and routed shape; the weights of any network of that shape can be written into it."""

    placement: Placement
    seed: int


def route(
    network: Network,
    board: Board,
    seeds: int,
    progress: Callable[[str], None],
    sound: str | None = None,
    limit: float | None = None,
) -> Routed:
    """Place and route the network's shape for a board, trying seeds until one meets the clock.

    The stand-in's RTLIL decides what is synthesised and placed, so another bundle of the same shape takes both from the
    cache. With `sound` it is the whole denoiser: thresholds are in its netlist, so the bundle itself is placed. So is
    one with a layer of integers.
    Raises `BadInput` if the device lacks a resource, and if none of `seeds` placements meets the clock; they stay in
    the cache with their logs, and a run with more seeds continues after them.
    """
    progress("elaborate the shape")
    shape = placeholder(network) if sound is None else network
    rtlil, constraints = top_rtlil(shape, board, sound, limit)
    family = network.synthesis_family if sound is None else board.family.with_multipliers()
    tries: list[Placement] = []
    with TemporaryDirectory() as scratch:
        netlist = Path(scratch) / "netlist.json"
        progress("synthesise the shape")
        check_room(board, synthesise(rtlil, "top", family, netlist))
        for seed in range(1, seeds + 1):
            best = f", {max(placement.mhz for placement in tries):.1f} MHz so far" if tries else ""
            progress(f"place and route, seed {seed} of at most {seeds}{best}")
            placement = place(netlist, board.family, board.part.router, board.clock_hz, seed, constraints)
            if not placement.short:
                return Routed(placement, seed)
            tries.append(placement)
    best_try = max(tries, key=lambda placement: placement.mhz)
    raise BadInput(f"{short_of_timing(board, best_try, seeds)}; log of the best: {best_try.log}")


def short_of_timing(board: Board, best: Placement, placements: int) -> str:
    """By how much routing missed a clock, and what to do about it."""
    asked = board.clock_hz / 1e6
    if best.mhz >= asked:
        name, (reached, wanted) = next((name, one) for name, one in best.clocks.items() if one[0] < one[1])
        return (
            f"{board.name}: routing reached {reached:.1f} of {wanted:g} MHz of the clock {name} in {placements} "
            "placements; try more with --seeds"
        )
    return (
        f"{board.name}: routing reached {best.mhz:.1f} of the requested {asked:g} MHz in {placements} placements, "
        f"{1e3 / best.mhz - 1e3 / asked:.2f} ns a cycle too slow; ask for --clock {int(best.mhz)} or less, "
        "or for fewer lanes with --fold"
    )


FLASH, WEIGHTS = "flash.bin", "weights.bin"
"""Bitstream and weights in one, for a board that takes both from its flash; or the weights alone."""


def write(folder: Path, design: str, network: Network, board: Board) -> list[str]:
    """Write a routed design into a folder: bitstream, and flash image if weights come from flash; return the names."""
    (folder / PACKERS[board.family.name].design).write_text(design)
    bitstream = pack_bitstream(folder, board.family)
    if all(layer.folding.weights == "rom" for layer in network.spec.layers):
        return [bitstream.name]
    assert board.flash_offset is not None  # or the network would have been refused
    configuration = bitstream.read_bytes()
    if len(configuration) > board.flash_offset:
        raise BadInput(
            f"{board.name}: expected a bitstream of at most {board.flash_offset:,} bytes before the weights, "
            f"got {len(configuration):,}"
        )
    if board.weights is not None:
        (folder / WEIGHTS).write_bytes(image(network))
        return [bitstream.name, WEIGHTS]
    (folder / FLASH).write_bytes(configuration.ljust(board.flash_offset, b"\xff") + image(network))
    return [bitstream.name, FLASH]


def how_to_program(board: Board, folder: Path, files: list[str]) -> list[str]:
    """The commands that write the weights, load a bitstream, and make it permanent if that is another."""
    lines = []
    if WEIGHTS in files:
        assert board.weights is not None
        command = board.weights.format(offset=board.flash_offset, file=folder / WEIGHTS)
        lines.append(f"weights    {command}  (first, once for these weights)")
    file = folder / (FLASH if FLASH in files else files[0])
    if board.keep is None:
        return [*lines, f"program    {board.program.format(file)}"]
    return [
        *lines,
        f"program    {board.program.format(file)}  (until power-off)",
        f"keep       {board.keep.format(file)}  (in flash)",
    ]


def run(
    bundle_folder: Path,
    board_name: str,
    fold: list[str] | None,
    clock: float | None,
    seeds: int,
    build: Path,
    sound: str | None = None,
    limit: float | None = None,
) -> None:
    """Make a bitstream of a bundle for a board, from the plan to the file: `bgru bitstream`."""
    if limit is not None and sound in (None, UART):
        raise BadInput(f"limit: expected sound from {' or '.join(SHIFTS)} with it, got {sound or 'the network alone'}")
    if sound is not None:
        check_source(sound, SOURCES, find(board_name))
    network_bundle, folding = read_bundle(bundle_folder), parse_folding(fold or [])
    if sound is None:
        board = find(board_name).at_network_clock(network_bundle, clock)
        network = lay_out(network_bundle, board, folding)
    else:
        board = find(board_name).at_sound_clock(clock)
        if sound == UART:
            network = lay_out(network_bundle, board, folding, *word_widths(network_bundle, Kind.SOUND))
        else:
            network = lay_out_sound(network_bundle, board, folding)
    folder = build / board.name / network_bundle.name / FOLDERS.get(sound, "sound")

    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as bars:
        task = bars.add_task("plan", total=None)
        routed = route(network, board, seeds, lambda it: bars.update(task, description=it), sound, limit)
        bars.update(task, description="write the weights into it")
        design = routed.placement.design
        with replacing_folder(folder) as target:
            files = write(target, insert(design, network) if sound is None else design, network, board)
        bars.update(task, description="done", total=1, completed=1)
    placement = routed.placement
    top = {
        **placement.cost,
        "constraint_mhz": board.clock_hz / 1e6,
        "achieved_mhz": placement.mhz,
        "seed": routed.seed,
    }
    if sound is None:
        results_of(network, board, build).write("pnr", {"top": top})
    elif sound != UART:  # the report has a network behind the UART, and a denoiser between converters
        sound_results_of(network, board, build, limit).write("pnr_sound", {"top": {**top, "sound": sound}})

    print_use(board, placement.cost)
    _print_pace(network, board, placement)
    if sound == UART:
        _print_line(network, board)
    elif sound is not None:
        print_sound(network.bundle, network.spec, board)
    for name in files:
        file = folder / name
        at = "" if name == files[0] else f", {file.stat().st_size:,} bytes"
        console.print(f"{'bitstream' if name == files[0] else 'flash':10} {file}{at}")
    for line in how_to_program(board, folder, files):
        console.print(line, soft_wrap=True)


def check_source(sound: str, known: Iterable[str], board: Board) -> None:
    """Raise `BadInput` for an unknown source of sound, or one that the board lacks."""
    if sound not in known:
        raise BadInput(f"sound: expected {' or '.join(known)}, got {sound}")
    if sound == "jack" and board.jack is None:
        raise BadInput(f"sound: expected a board with a jack, such as ulx3s_85f, got {board.name}")


def _print_pace(network: Network, board: Board, placement: Placement) -> None:
    out = console.print
    layers = {name: predict(layer.spec).cycles for name, layer in network.layers.items()}
    slowest = max(layers, key=lambda name: layers[name])
    interval, frame_rate = network_interval(network.spec, board), network.bundle.front_end.frame_rate
    by = f"layer {slowest}" if interval == layers[slowest] else "the SDRAM"
    pace = Pace(interval, network_latency(network.spec, board), board.clock_hz, frame_rate)
    asked_ns, reached_ns = 1e9 / pace.clock_hz, 1e3 / placement.mhz
    out(f"folding    {', '.join(f'{name}={layer.folding}' for name, layer in network.layers.items())}")
    out(f"clock      {placement.mhz:.1f} MHz reached of {pace.clock_hz / 1e6:g}: ", end="")
    out(f"slack {asked_ns - reached_ns:.2f} ns of {asked_ns:.2f}")
    out(f"cycles     {pace.interval:,} per frame ({by}): {pace.rate:,.0f} frames/s, network alone")
    out(f"latency    {pace.latency:,} cycles, {pace.ms(pace.latency):.3f} ms")
    times = f"{pace.real_time:,.0f}" if pace.real_time >= 10 else f"{pace.real_time:.1f}"
    out(f"real time  {pace.frame_rate:g} frames/s, {pace.ms(pace.hop):g} ms each: ", end="")
    out(f"{pace.ms(pace.hop - pace.latency):.3f} ms of slack, {times} x as fast")
    reading = streamed(network.spec)
    bus = SdramBus.of(board, frame_rate, len(reading)) if reading else None
    if bus is not None:
        taken = sum(map(bus.taken, reading))
        reached, asked = placement.clocks[DOMAIN]
        out(f"sdram      {reached:.1f} MHz reached of {asked:g}")
        out(f"bandwidth  {taken / 1e3:.1f} of {bus.bandwidth / 1e3:.1f} MB/s: {taken / bus.bandwidth:.0%} ", end="")
        out(f"for {' and '.join(layer.name for layer in reading)}")


def print_sound(bundle: Bundle, network: NetworkSpec, board: Board) -> None:
    """The true sample rate, the audio engine's cycles, and the delay from a sample in to the same sample out."""
    found = Delay.of(bundle.front_end, network, board)
    rate, cycles, hop = found.rate, AudioSpec.of(bundle.front_end, board.family).interval, bundle.front_end.hop
    out = console.print
    out(f"samples    {rate.hz:,.1f} Hz, the clock divided; {bundle.front_end.sample_rate:,} Hz in the bundle")
    out(f"audio      {cycles:,} cycles per frame of {hop * rate.cycles:,}: {cycles / (hop * rate.cycles):.0%}")
    whole = f"{found.samples} samples, {found.ms(found.samples):.1f} ms"
    out(f"delay      {whole}, from a sample in to the same sample out:")
    for what, count in found.parts.items():
        out(f"           {what:10} {count:7.2f} samples, {found.ms(count):6.2f} ms")


def _print_line(network: Network, board: Board) -> None:
    """The audio path's cycles, and how much faster than real time the line carries hops."""
    front_end = network.bundle.front_end
    cycles, hop = AudioSpec.of(front_end, board.family).interval, front_end.hop * board.clock_hz / front_end.sample_rate
    line = BITS_A_BYTE * (2 * front_end.hop + OVERHEAD + 2) / BAUD
    console.print(f"audio      {cycles:,} cycles per frame of {hop:,.0f}: {cycles / hop:.0%}")
    console.print(
        f"line       {1e3 * line:.2f} ms a hop each way at {BAUD:,} baud, escapes not counted; "
        f"a hop is {1e3 * front_end.hop / front_end.sample_rate:g} ms"
    )
