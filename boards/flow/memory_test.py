"""A bitstream that tests a board's SDRAM: `bgru memtest`."""

from pathlib import Path
from tempfile import TemporaryDirectory

from boards.definitions.registry import find
from boards.flow.bitstream import how_to_program, short_of_timing
from boards.flow.packers import PACKERS, pack_bitstream
from boards.flow.verilog import print_use
from boards.gateware.memory_test import MemoryTestTop
from boards.gateware.top import check_clock
from hw.flow.place import place
from hw.flow.synth import synthesise
from model.console import console
from model.errors import BadInput
from model.files import replacing_folder

__all__ = ["run"]


def run(board_name: str, clock: float, build: Path) -> None:
    """Make the bitstream, and print what it takes and the clock it reaches. `BadInput` for a board without SDRAM."""
    board = find(board_name).at(clock)
    if board.sdram is None:
        raise BadInput(f"board: expected one with SDRAM, such as ulx3s_85f, got {board.name}")
    check_clock(board)
    folder = build / board.name / "memtest"
    files = board.platform().prepare(MemoryTestTop(board), "top", emit_src=False).files
    with TemporaryDirectory() as scratch:
        netlist = Path(scratch) / "netlist.json"
        synthesise(files["top.il"], "top", board.family, netlist)
        constraints = files[f"top.{board.family.constraints}"]
        placement = place(netlist, board.family, board.part.router, board.clock_hz, 1, constraints)
    if placement.short:
        raise BadInput(short_of_timing(board, placement, 1))
    with replacing_folder(folder) as target:
        (target / PACKERS[board.family.name].design).write_text(placement.design)
        bitstream = pack_bitstream(target, board.family).name
    print_use(board, placement.cost)
    console.print(f"clock      {placement.mhz:.1f} MHz reached of {board.clock_hz / 1e6:g}")
    console.print(f"bitstream  {folder / bitstream}")
    for line in how_to_program(board, folder, [bitstream]):
        console.print(line, soft_wrap=True)
