"""Fold lookup tables into the carry chains that they feed: a pass over ECP5 netlists that Yosys lacks.

Half a CCU2C is one position of a carry chain: a LUT4 `p` of its four pins, whose output is added to the carry and
decides whether the carry propagates, and a LUT2 `g` of two of them, the new carry where it does not. Yosys uses it as
an adder of two pins and leaves the other two idle, while a LUT4 in front computes the summand. Where the inputs of both
fit the four pins, that LUT4 can go: the XNOR of a product, the multiplexer of an accumulator.

The netlist is Yosys' JSON, changed in place. What it computes stays the same: `tests/hw/flow/test_absorb.py` has Yosys
prove it, and the netlist's co-simulation checks it against the golden model.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, permutations, product
from typing import Any

from hw.flow.netlist import Bit, Cell, uses

__all__ = ["absorb"]

PINS = "ABCD"


def absorb(netlist: dict[str, Any], top: str) -> int:
    """Fold all that can be folded in module `top`; returns the number of LUT4 removed."""
    module = netlist["modules"][top]
    cells: dict[str, Cell] = module["cells"]
    used = uses(module)
    lut_of = {cell["connections"]["Z"][0]: name for name, cell in cells.items() if cell["type"] == "LUT4"}
    before = len(cells)
    for cell in [cell for cell in cells.values() if cell["type"] == "CCU2C"]:
        for half in "01":
            pins = _pins(cell, half)
            lone = [bit for bit, times in Counter(pins).items() if bit in lut_of and used[bit] == times]
            for chosen in _largest_first(lone):
                folded = _fold(pins, _table(cell, f"INIT{half}"), {bit: cells[lut_of[bit]] for bit in chosen})
                if folded is not None:
                    new_pins, table = folded
                    cell["connections"].update({f"{pin}{half}": [bit] for pin, bit in zip(PINS, new_pins, strict=True)})
                    cell["parameters"][f"INIT{half}"] = f"{table:016b}"
                    for bit in chosen:
                        del cells[lut_of[bit]]
                    break
    return before - len(cells)


def _largest_first(bits: list[Bit]) -> Iterator[tuple[Bit, ...]]:
    for size in range(len(bits), 0, -1):
        yield from combinations(bits, size)


def _pins(cell: Cell, half: str = "") -> list[Bit]:
    return [cell["connections"][f"{pin}{half}"][0] for pin in PINS]


def _table(cell: Cell, name: str) -> int:
    return int(cell["parameters"][name], 2)


def _look_up(table: int, bits: list[int]) -> int:
    return table >> sum(bit << place for place, bit in enumerate(bits)) & 1


def _fold(pins: list[Bit], table: int, luts: dict[Bit, Cell]) -> tuple[list[Bit], int] | None:
    """Pins and table of a half that does what `table` does behind `luts`, or None.

    A pin that is left over is tied to 1: then the LUT2, which looks at the entries where C and D are 0, is free
    to differ from the LUT4.
    """
    nets = {bit for bit in pins if bit not in luts}.union(*(_pins(lut) for lut in luts.values()))
    inputs = sorted(bit for bit in nets if isinstance(bit, int))
    if len(inputs) > len(PINS):
        return None
    behaviour = []  # for each value of the inputs: what p must be, and what g must be where p is 0
    for values in product((0, 1), repeat=len(inputs)):
        known: dict[Bit, int] = {"0": 0, "1": 1, "x": 0, **dict(zip(inputs, values, strict=True))}
        for bit, lut in luts.items():
            known[bit] = _look_up(_table(lut, "INIT"), [known[pin] for pin in _pins(lut)])
        at = [known[pin] for pin in pins]
        behaviour.append((values, _look_up(table, at), _look_up(table, [*at[:2], 0, 0])))
    for places in permutations(range(len(PINS)), len(inputs)):
        entries: dict[int, int] = {}
        for values, propagate, generate in behaviour:
            at = [1, 1, 1, 1]
            for place, value in zip(places, values, strict=True):
                at[place] = value
            a, b, c, d = at
            wanted = [(a | b << 1 | c << 2 | d << 3, propagate)] + ([] if propagate else [(a | b << 1, generate)])
            if any(entries.setdefault(entry, value) != value for entry, value in wanted):
                break
        else:
            new_pins: list[Bit] = ["1"] * len(PINS)
            for place, net in zip(places, inputs, strict=True):
                new_pins[place] = net
            return new_pins, sum(value << entry for entry, value in entries.items())
    return None
