"""A Verilog model in the place of the chip: its ports are found by the names that vendors use."""

import pytest

from cosim.chips.sdram_verilog import SdramModel
from model.errors import BadInput

VENDORS = {
    "Micron": "module chip (Dq, Addr, Ba, Clk, Cke, Cs_n, Ras_n, Cas_n, We_n, Dqm);",
    "ANSI": "module chip #(parameter A = (1 + 2), B = 3) (inout wire [15:0] DQ, input [12:0] A, input [1:0] BS,\n"
    "input CLK, CKE, nCS, nRAS, nCAS, nWE, input [1:0] DQM);",
    "comments": "module chip ( // clock ; first\nclk, cke, csb /* selected, */, rasb, casb, web, dqm, ba, addr, dq);",
}


def written(folder, header):
    file = folder / "chip.v"
    file.write_text(f"module other (clk);\nendmodule\n{header}\nendmodule\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("header", VENDORS.values(), ids=VENDORS)
def test_the_ports_are_found_by_their_names(header, tmp_path):
    text = SdramModel(written(tmp_path, header), "chip").verilog()
    assert header in text
    instance = text[text.index("chip chip (") :].lower().replace("_", "")
    for pin in ("(clk)", "(cke)", "(csn)", "(rasn)", "(casn)", "(wen)", "(dqm)", "(ba)", "(a)", "(dq)"):
        assert instance.count(pin) == 1


def test_what_is_missing_is_said(tmp_path):
    file = written(tmp_path, "module chip (Addr, Ba, Clk, Cke, Cs_n, Ras_n, Cas_n, We_n, Dqm);")
    with pytest.raises(BadInput, match=r"--module: expected a port of chip for the pin dq \(dq\), found none"):
        SdramModel(file, "chip").verilog()
    with pytest.raises(BadInput, match=r"--module: expected a module of chip.v \(other, chip\), got ship"):
        SdramModel(file, "ship").verilog()
    with pytest.raises(BadInput, match=r"--sdram-model .*none.v: expected a Verilog file"):
        SdramModel(tmp_path / "none.v", "chip").verilog()
    (tmp_path / "bytes.v").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match=r"--sdram-model .*bytes.v: expected a Verilog file"):
        SdramModel(tmp_path / "bytes.v", "chip").verilog()
