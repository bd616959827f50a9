"""From a component to text: which ports it has, and that nothing in it belongs to a vendor."""

import re

import numpy as np
import pytest

from hw.flow.rtl import ports_of, to_rtlil, to_verilog, yosys
from hw.gateware.network import Network
from hw.gateware.popcount import Popcount
from hw.shape.family import ECP5
from hw.shape.folding import Folding, Source
from tests.support.random_bundles import random_bundle

PLAIN = {"i__payload", "i__valid", "i__ready", "o__payload", "o__valid", "o__ready"}


def network(weights: Source = "rom") -> Network:
    bundle = random_bundle(np.random.default_rng(1), hidden=[("bgru", 7)], bins=5, qad_bits=2)
    return Network(bundle, {"gru0": Folding(3, 4, weights), "mask": Folding(2, 3, weights)}, ECP5, 4, 4)


def test_ports_are_the_streams_and_not_the_probes():
    assert set(ports_of(network(), probes=False)) == PLAIN


def test_probes_are_ports_where_asked_for():
    members = ("valid", "vector", "data", "h", "busy", "released")
    probes = {f"probe_{layer}__{name}" for layer in ("gru0", "mask") for name in members}
    assert set(ports_of(network(), probes=True)) == PLAIN | probes


def test_weights_to_load_are_ports():
    load = {f"load_{name}__{port}" for name in ("gru0", "mask") for port in ("payload", "valid", "ready")}
    assert set(ports_of(network("loaded"), probes=False)) == PLAIN | load


def test_constant_handshakes_are_no_ports():
    assert set(ports_of(Popcount(4), probes=False)) == {"i__payload", "i__valid", "o__payload", "o__valid"}


def test_rtlil_has_a_module_of_the_name_with_a_clock_and_a_reset():
    text = to_rtlil(network(), "net")
    top = text[text.index("module \\net\n") :]
    top = top[: top.index("\nend\n")]
    ports = set(re.findall(r"wire (?:width \d+ )?(?:input|output) \d+ +\\(\w+)", top))
    assert ports == PLAIN | {"clk", "rst"}


def test_same_network_gives_the_same_text():
    assert to_rtlil(network(), "net") == to_rtlil(network(), "net")


def cell_types(verilog: str) -> set[str]:
    """What is instantiated, as in `\\net.mask  mask (` or `SB_RAM40_4K bank (`."""
    return set(re.findall(r"^  (?!module\b|function\b)(\\?[\w.$]+)\s+\\?[\w.$]+\s*\($", verilog, re.MULTILINE))


@pytest.mark.synthesis
def test_verilog_is_plain_and_its_memories_are_next_to_it(tmp_path):
    path = to_verilog(network(), "net", tmp_path / "rtl")
    text = path.read_text()
    modules = set(re.findall(r"^module (\S+?) ?\(", text, re.MULTILINE))
    assert "net" in modules
    assert cell_types(text) and cell_types(text) <= modules, "only modules of its own, no vendor primitive"
    named = set(re.findall(r'\$readmemb\("(.*?)"', text))
    assert named and named <= {file.name for file in path.parent.iterdir()}
    for name in named:
        assert re.fullmatch(r"[01\n]+", (path.parent / name).read_text())
    assert str(tmp_path) not in text, "the folder may be moved"
    assert {file.suffix for file in path.parent.iterdir()} == {".v", ".mem"}


@pytest.mark.synthesis
def test_loaded_weights_are_not_in_the_verilog(tmp_path):
    contents = {}
    for weights in ("rom", "loaded"):
        path = to_verilog(network(weights), "net", tmp_path / weights)
        contents[weights] = len(re.findall(r"\$readmemb", path.read_text()))
    layers = network().layers.values()
    slices = sum(len(layer.spec.engine.weights.slices) for layer in layers)
    assert contents["rom"] - contents["loaded"] == slices


@pytest.mark.synthesis
def test_what_yosys_said_is_in_the_exception(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)yosys failed: .*No such command: paint"):
        yosys(["paint"], tmp_path)
    assert list(tmp_path.iterdir()) == []
