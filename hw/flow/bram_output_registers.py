"""Let block RAM's own output registers take the place of flip-flops: a pass over ECP5 netlists that Yosys lacks.

Without its output register a DP16KD takes two thirds of a cycle of 120 MHz to answer (nextpnr's timing: 5.6 to 5.8 ns),
and the flip-flop behind it must be placed next to it. With it the flip-flops are gone.

A port's register is used where each output feeds exactly one flip-flop, all of them with the port's clock and without
enable or reset, and where the port itself is always enabled. The netlist is Yosys' JSON, changed in place; the
netlist's co-simulation checks what it computes against the golden model.
"""

from typing import Any

from hw.flow.netlist import Bit, Cell, uses

__all__ = ["use_output_registers"]


def use_output_registers(netlist: dict[str, Any], top: str) -> int:
    """Move all registers that can move in module `top`; returns the number of flip-flops removed."""
    module = netlist["modules"][top]
    cells: dict[str, Cell] = module["cells"]
    used = uses(module)
    register_of = {cell["connections"]["DI"][0]: name for name, cell in cells.items() if cell["type"] == "TRELLIS_FF"}
    before = len(cells)
    for cell in [cell for cell in cells.values() if cell["type"] == "DP16KD"]:
        for side in _read_sides(cell):
            outputs = [port for port in cell["connections"] if port.startswith(tuple(f"DO{letter}" for letter in side))]
            live = {port: cell["connections"][port][0] for port in outputs if used[cell["connections"][port][0]]}
            clock = cell["connections"][f"CLK{side[-1]}"]
            if live and all(
                used[bit] == 1 and bit in register_of and _plain(cells[register_of[bit]], clock)
                for bit in live.values()
            ):
                for port, bit in live.items():
                    cell["connections"][port] = cells.pop(register_of[bit])["connections"]["Q"]
                for letter in side:
                    cell["parameters"][f"REGMODE_{letter}"] = "OUTREG"
    return before - len(cells)


def _read_sides(cell: Cell) -> list[str]:
    """The ports that are always read, as the letters of their outputs; at full width port B's are on both."""
    widths = [int(cell["parameters"][f"DATA_WIDTH_{letter}"], 2) for letter in "AB"]
    sides = ["AB"] if widths[1] == 36 else ["A", "B"]
    return [side for side in sides if cell["connections"][f"CE{side[-1]}"] == ["1"]]


def _plain(register: Cell, clock: list[Bit]) -> bool:
    """Whether a flip-flop takes its input at every edge of the clock, and begins at 0 as an output register does."""
    parameters, connections = register["parameters"], register["connections"]
    return (
        parameters["CEMUX"].strip() == "1"
        and parameters["CLKMUX"] == "CLK"
        and parameters["REGSET"] == "RESET"
        and connections["LSR"] == ["0"]
        and connections["CLK"] == clock
    )
