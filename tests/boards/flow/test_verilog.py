"""`make verilog` and `make report`: files and figures of a small network on each board."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from boards.definitions.registry import BOARDS
from model.bundle.write import write_bundle
from tests.support.random_bundles import random_bundle

pytestmark = pytest.mark.synthesis


def run(name, *options):
    return subprocess.run(
        [sys.executable, "-m", "bgru", name, *options],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "120"},
    )


@pytest.mark.parametrize("board", ["ulx3s_85f", "icebreaker", "tang_primer_20k"])
def test_verilog_constraints_netlist_and_counts_for_a_board(board, tmp_path):
    made = random_bundle(np.random.default_rng(2), [("bgru", 10)], bins=9, qad_bits=2)
    write_bundle(made, tmp_path / "net")
    where = ["--board", board, "--bundle", str(tmp_path / "net"), "--build", str(tmp_path / "build")]

    before = run("report", *where)
    assert before.returncode == 0, before.stderr
    assert "not measured yet     cosim_layer_cycles: bgru sim" in before.stdout

    result = run("verilog", *where)
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "build" / board / "random"
    names = {path.name for path in (folder / "verilog").iterdir()}
    assert {"top.v", "top-1.mem", "top.json", f"top.{BOARDS[board].family.constraints}"} <= names
    layers = json.loads((folder / "report" / "synth_layer_resources.json").read_text())["layers"]
    top = json.loads((folder / "report" / "synth_top_resources.json").read_text())["layers"]["top"]
    assert set(layers) == {"gru0", "mask"}
    assert all(layer["lut4"] > 0 and layer["ff"] > 0 for layer in layers.values())
    assert top["lut4"] > layers["gru0"]["lut4"]

    after = run("report", *where)
    assert f"{layers['gru0']['lut4']:,}" in after.stdout
    assert "not measured yet     synth" not in after.stdout


def test_what_does_not_fit_leaves_nothing_behind(tmp_path):
    result = run("verilog", "--board", "icebreaker", "--bundle", "bundles/small", "--build", str(tmp_path / "b"))
    assert result.returncode == 2
    assert "does not fit icebreaker: it needs" in result.stderr
    assert not (tmp_path / "b").exists()
