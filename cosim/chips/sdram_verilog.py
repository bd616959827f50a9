"""Another Verilog model of the SDRAM, such as its vendor's, in the place of ours. Simulation only."""

import re
from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import ClockSignal, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from boards.gateware.sdram import PINS
from model.errors import BadInput

__all__ = ["SdramModel", "VerilogChip"]

PORTS = {
    "clk": ("clk", "ck"),
    "cke": ("cke",),
    "cs_n": ("csn", "cs", "csb", "ncs"),
    "ras_n": ("rasn", "ras", "rasb", "nras"),
    "cas_n": ("casn", "cas", "casb", "ncas"),
    "we_n": ("wen", "we", "web", "nwe"),
    "dqm": ("dqm",),
    "ba": ("ba", "bs"),
    "a": ("a", "addr", "address"),
    "dq": ("dq",),
}
"""Our name of a pin, and what vendors call its port; case and `_` do not matter."""

WRAPPER = "sdram_model"
"""The module around the model: it separates the two directions of the data pins."""

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class SdramModel:
    """A Verilog file with a model of the chip, and the module's name in it."""

    file: Path
    module: str

    def verilog(self) -> str:
        """The model's text, and a module `sdram_model` around it with the pins that the controller has.

        Raises `BadInput` for a file that is no text, a module that is not there, and a pin that it lacks.
        """
        try:
            text = self.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"--sdram-model {self.file}: expected a Verilog file, got {error}") from None
        ports = self._ports(COMMENT.sub(" ", text))
        connected = ", ".join(f".{ports[ours]}({ours})" for ours in PORTS)
        return f"""{text}
module {WRAPPER} (
    input clk, cke, cs_n, ras_n, cas_n, we_n, dq_oe,
    input [1:0] dqm, ba, input [12:0] a, input [15:0] dq_o, output [15:0] dq_i
);
    wire [15:0] dq;
    assign dq = dq_oe ? dq_o : 16'hzzzz;
    assign dq_i = dq;
    {self.module} chip ({connected});
endmodule
"""

    def _ports(self, text: str) -> dict[str, str]:
        """The module's port of each pin."""
        parameters = r"(?:\#\s*\((?:[^()]|\([^()]*\))*\)\s*)?"
        header = re.search(rf"\bmodule\s+{re.escape(self.module)}\s*{parameters}\(([^;]*?)\)\s*;", text)
        if header is None:
            known = ", ".join(re.findall(r"\bmodule\s+(\w+)", text)) or "none"
            raise BadInput(f"--module: expected a module of {self.file.name} ({known}), got {self.module}")
        names = [found for part in header[1].split(",") if (found := re.findall(r"\w+", part))]
        plain = {words[-1].lower().replace("_", ""): words[-1] for words in names}
        pins: dict[str, str] = {}
        for ours, theirs in PORTS.items():
            port = next((plain[name] for name in theirs if name in plain), None)
            if port is None:
                raise BadInput(
                    f"--module: expected a port of {self.module} for the pin {ours} ({', '.join(theirs)}), found none"
                )
            pins[ours] = port
        return pins


class VerilogChip(wiring.Component):
    """The pins of a Verilog model, which is selected all the time. Its clock is that of `sync`.

    Members
    -------
    pins : In(PINS)
    """

    def __init__(self) -> None:
        super().__init__({"pins": In(PINS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pins = self.pins
        driven = ("cke", "ras_n", "cas_n", "we_n", "dqm", "ba", "a", "dq_o", "dq_oe")
        m.submodules.model = Instance(
            WRAPPER,
            i_clk=ClockSignal(),
            i_cs_n=0,
            **{f"i_{name}": getattr(pins, name) for name in driven},
            o_dq_i=pins.dq_i,
        )
        return m
