"""Results: what a stage measures is shown next to the estimates, and only of the design that it was measured of."""

import io

import numpy as np
import pytest
from rich.console import Console

from hw.flow import results
from hw.flow.results import Results
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from tests.support.random_bundles import random_bundle

MEASURED = (
    *("cosim_layer_cycles", "cosim_frames", "synth_layer_resources", "synth_top_resources", "pnr"),
    "cosim_sound",
)


@pytest.fixture
def network():
    made = random_bundle(np.random.default_rng(0), [("bgru", 6)])
    return Network(made, {"gru0": Folding(1, 4), "mask": Folding(2, 3)}, ECP5, 8, 8)


def of(network, folder, key="this design") -> Results:
    return Results(folder, network, dict.fromkeys(MEASURED, key))


def row(found: Results, layer: str) -> str:
    console = Console(width=120, file=io.StringIO())
    console.print(found.table())
    (line,) = [line for line in console.file.getvalue().splitlines() if layer in line]
    return line


def test_estimates_need_no_file(network, tmp_path):
    assert set(of(network, tmp_path).read()["estimate_layer_cycles"]) == {"gru0", "mask"}
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_measured_is_a_dash(network, tmp_path):
    *_, plan, simulated, estimate, synthesised, error, ff, block_ram, use = row(of(network, tmp_path), "gru0").split()
    assert int(plan) > 0 and int(estimate) > 0
    assert [simulated, synthesised, error, ff, block_ram] == ["-"] * 5
    assert use.endswith("%")


def test_measurement_and_error_stand_next_to_the_estimate(network, tmp_path):
    found = of(network, tmp_path)
    estimate = found.read()["estimate_layer_resources"]["gru0"]["lut4"]
    measured = {"lut4": 2 * estimate, "ff": 11, "block_ram": 3}
    found.write("synth_layer_resources", {"gru0": measured, "mask": measured})
    found.write("cosim_layer_cycles", {"gru0": {"cycles": 4321}, "mask": {"cycles": 5}})
    assert "4,321" in row(found, "gru0")
    assert row(found, "gru0").split()[-6:-1] == [str(estimate), str(2 * estimate), "-50%", "11", "3"]


@pytest.mark.parametrize("stage", MEASURED)
def test_a_stage_of_another_design_is_not_shown(stage, network, tmp_path):
    of(network, tmp_path).write(stage, {"top": {"lut4": 12345}})
    assert stage in of(network, tmp_path).read()
    assert stage not in of(network, tmp_path, "another design").read()


@pytest.mark.parametrize("stage", MEASURED)
def test_a_discarded_stage_is_gone(stage, network, tmp_path):
    found = of(network, tmp_path)
    found.write(stage, {"top": {}})
    found.discard(stage, "pnr")
    assert stage not in found.read()


def test_every_file_has_its_line_in_the_table_of_the_module(network, tmp_path):
    stages = [*MEASURED, *of(network, tmp_path).estimates()]
    assert [f"`{stage}.json`" in results.__doc__ for stage in stages] == [True] * len(stages)
