# amaranth: UnusedElaboratable=no
"""Toggles are counted, not estimated, and those of loading and of the first frame are not among them."""

import json
import subprocess
from itertools import accumulate, pairwise

import numpy as np
import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from boards.flow.elaboration import bundle_files
from cosim.bench.netlist import LUT_OUTPUTS, MODELS, generate_netlist, write_netlist
from cosim.bench.runner import Stimulus, simulate
from cosim.sweep.activity import FRAMES, activity, counting, excerpt
from hw.flow.rtl import to_rtlil
from hw.gateware.network import Network
from hw.shape.family import ECP5, FAMILIES, GOWIN, ICE40
from hw.shape.folding import Folding
from model.bundle.write import write_bundle
from tests.support.random_bundles import random_bundle, random_features

pytestmark = [pytest.mark.simulator, pytest.mark.synthesis]

CYCLES = 100


class Mixer(wiring.Component):
    """Each bit of its next value is one LUT's output."""

    value: Out(8, init=1)

    def elaborate(self, platform):
        m = Module()
        v = self.value
        m.d.sync += v.eq(Cat(v[i] ^ v[(i + 1) % 8] ^ v[(i + 3) % 8] for i in range(8)))
        return m


def mixed(value):
    bits = [value >> i & 1 for i in range(8)]
    return sum((bits[i] ^ bits[(i + 1) % 8] ^ bits[(i + 3) % 8]) << i for i in range(8))


class Around(wiring.Component):
    """The mixer in a top that stays RTL."""

    value: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.submodules.mixer = mixer = Mixer()
        m.d.comb += self.value.eq(mixer.value)
        return m


BENCH = """
module bench;
    reg clk = 0, rst = 1;
    wire [7:0] value;
    around around (.clk(clk), .rst(rst), .value(value));
    initial begin
        repeat (4) #1 clk = !clk;
        rst = 0;
        repeat (2 * %d) #1 clk = !clk;
        $finish;
    end
endmodule
"""


@pytest.mark.parametrize("family", [ECP5, ICE40], ids=lambda family: family.name)
def test_toggles_are_the_differences_of_the_next_values(family, tmp_path):
    verilog = write_netlist(to_rtlil(Around(), "around"), "around", "around.mixer", [], family, tmp_path, counted=True)
    found = []
    for cycles in (CYCLES, 2 * CYCLES):  # not those of the reset
        (tmp_path / "bench.v").write_text(BENCH % cycles)
        command = ["iverilog", "-g2012", "-s", "bench", "-o", "bench", verilog.name, "bench.v"]
        subprocess.run(command, cwd=tmp_path, check=True)
        subprocess.run(["vvp", "bench"], cwd=tmp_path, check=True)
        found.append(int((tmp_path / "toggles").read_text()))
    values = list(accumulate(range(2 * CYCLES + 1), lambda value, _: mixed(value), initial=1))
    changes = [(before ^ after).bit_count() for before, after in pairwise(values)]
    assert found[1] - found[0] == sum(changes[CYCLES + 1 : 2 * CYCLES + 1])


def test_every_cell_that_counts_as_luts_has_its_outputs_counted():
    counted = {cell for name in MODELS for cell, (kind, _) in FAMILIES[name].cells.items() if kind == "lut4"}
    assert set(LUT_OUTPUTS) == counted


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """A network with loaded weights, the files of its bundle, and features; what was counted."""
    rng = np.random.default_rng(1)
    bundle = random_bundle(rng, [("bgru", 5)], bins=9, qad_bits=1)
    folder = tmp_path_factory.mktemp("bundle") / "net"
    write_bundle(bundle, folder)
    foldings = {"gru0": Folding(2, 3, "loaded"), "mask": Folding(1, 2)}
    network = Network(bundle, foldings, ICE40, 8, 8)
    features = random_features(rng, bundle, 1 + FRAMES)
    entry = counting(network, bundle_files(folder), features)
    return network, features, activity(entry.made())


def test_activity_is_that_of_the_frames_alone(counted, tmp_path):
    network, features, found = counted
    verilog = generate_netlist(network, tmp_path, counted=True)
    runs = [
        simulate(network, network.bundle, Stimulus([features[:count]]), verilog=verilog, simulator="icarus")
        for count in (1, 1 + FRAMES)
    ]
    assert found.toggles * FRAMES == runs[1].toggles - runs[0].toggles  # by the other simulator
    assert found.cycles == runs[1].interval
    assert 0 < found.share < 1
    cells = json.loads((tmp_path / "netlist.json").read_text())["modules"]["bgru.network"]["cells"].values()
    assert found.outputs == sum(cell["type"] == "SB_LUT4" for cell in cells)


def test_a_family_without_models_of_its_cells_has_no_activity():
    bundle = random_bundle(np.random.default_rng(1), [("bgru", 5)], bins=9)
    network = Network(bundle, {name: Folding(1, 1) for name in ("gru0", "mask")}, GOWIN, 8, 8)
    assert counting(network, {}, np.zeros((1 + FRAMES, 9), np.uint8)) is None


def test_the_excerpt_is_from_the_middle():
    features = np.arange(100).reshape(100, 1)
    assert excerpt(features).ravel().tolist() == [50, 51, 52, 53, 54]
