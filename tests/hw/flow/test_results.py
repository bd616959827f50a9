"""Reports: what one stage writes, the table shows beside the others."""

import io

import numpy as np
import pytest
from rich.console import Console

from hw.flow import results
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from tests.support.random_bundles import random_bundle


@pytest.fixture
def network():
    made = random_bundle(np.random.default_rng(0), [("bgru", 6)])
    return Network(made, {"gru0": Folding(1, 4), "mask": Folding(2, 3)}, ECP5, 8, 8)


def printed(table) -> str:
    console = Console(width=120, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_estimates_are_written_under_the_layers_names(network, tmp_path):
    results.begin(network, tmp_path)
    assert set(results.read(network, tmp_path)["estimate_layer_cycles"]) == {"gru0", "mask"}


def test_what_is_not_measured_is_a_dash(network, tmp_path):
    results.begin(network, tmp_path)
    (row,) = [line for line in printed(results.layer_table(network, tmp_path)).splitlines() if "gru0" in line]
    *_, plan, simulated, estimate, synthesised, error, ff, block_ram, use = row.split()
    assert int(plan) > 0 and int(estimate) > 0
    assert [simulated, synthesised, error, ff, block_ram] == ["-"] * 5
    assert use.endswith("%")


def test_measurement_and_error_stand_beside_the_estimate(network, tmp_path):
    results.begin(network, tmp_path)
    estimate = results.read(network, tmp_path)["estimate_layer_resources"]["gru0"]["lut4"]
    measured = {"lut4": 2 * estimate, "ff": 11, "block_ram": 3}
    results.write(tmp_path, "synth_layer_resources", {"gru0": measured, "mask": measured})
    results.write(tmp_path, "cosim_layer_cycles", {"gru0": {"cycles": 4321}, "mask": {"cycles": 5}})
    (row,) = [line for line in printed(results.layer_table(network, tmp_path)).splitlines() if "gru0" in line]
    assert "4,321" in row
    assert row.split()[-6:-1] == [str(estimate), str(2 * estimate), "-50%", "11", "3"]


def test_measurements_of_another_folding_are_not_shown(network, tmp_path):
    results.begin(network, tmp_path)
    results.write(tmp_path, "cosim_layer_cycles", {"gru0": {"cycles": 4321}, "mask": {"cycles": 5}})
    other = Network(network.bundle, {"gru0": Folding(2, 4), "mask": Folding(2, 3)}, ECP5, 8, 8)
    assert "cosim_layer_cycles" in results.read(network, tmp_path)
    assert "cosim_layer_cycles" not in results.read(other, tmp_path)
    results.begin(other, tmp_path)
    assert "cosim_layer_cycles" not in results.read(network, tmp_path)


def test_every_report_has_its_line_in_the_table_of_the_module():
    assert [f"`{stage}.json`" in results.__doc__ for stage in results.STAGES] == [True] * len(results.STAGES)


@pytest.mark.parametrize("stage", results.STAGES)
def test_no_report_of_another_folding_is_left(stage, network, tmp_path):
    results.begin(network, tmp_path)
    results.write(tmp_path, stage, {"top": {"lut4": 12345}})
    other = Network(network.bundle, {"gru0": Folding(2, 4), "mask": Folding(2, 3)}, ECP5, 8, 8)
    results.begin(other, tmp_path)
    assert "12345" not in "".join(path.read_text() for path in tmp_path.glob("*.json"))
