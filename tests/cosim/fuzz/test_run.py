"""The fuzzer finds nothing in the hardware as it is, and a planted bug, which it makes small."""

import json
import re

import pytest

from cosim.fuzz import run as fuzzing
from cosim.fuzz.case import check, read
from jobs.cluster import connect
from tests.support import planted_bug
from tests.support.command import bgru
from tests.support.dask_workers import scheduler
from tests.support.simulators import QUICKEST

pytestmark = pytest.mark.simulator


@pytest.fixture(scope="module")
def cluster():
    with scheduler(1) as address, connect(address, None, ()) as made:
        yield made


def test_networks_as_they_are_agree(cluster, tmp_path):
    tally = fuzzing.Tally()
    fuzzing.fuzz(cluster, 600, 0, QUICKEST, tmp_path, tally, check, most=2)
    assert (tally.passed, tally.failed, tally.found) == (2, 0, [])
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize(
    ("check", "seed", "kind"),
    # Seeds of cases that are small to begin with.
    [(planted_bug.equal_is_below, 22483, "dense"), (planted_bug.tables_swapped, 3898, "gru")],
    ids=["bits", "integers"],
)
def test_a_planted_bug_is_found_and_made_small_and_its_case_replays(check, seed, kind, cluster, tmp_path):
    tally = fuzzing.Tally()
    fuzzing.fuzz(cluster, 600, seed, QUICKEST, tmp_path, tally, check, most=1)
    ((case, mismatch, path),) = tally.found
    assert re.fullmatch(r"(layer|output).*expected -?\d+, got -?\d+", mismatch)
    assert read(path) == case
    (layer,) = case.layers
    assert (layer.kind, layer.pe, layer.simd, case.out_width, case.frames) == (kind, 1, 1, 1, (1,))
    assert (layer.w, layer.u, case.feature_bits) == (("binary", "binary", 1) if kind == "gru" else ("", "", 1))
    result = bgru("fuzz", "--replay", path)  # in hardware without the bug
    assert result.exit_code == 0, result.output
    assert "every bit is the golden model's" in result.output
    assert json.loads(path.read_text())["netlist"] is False


def test_no_time_at_all_is_refused():
    assert bgru("fuzz", "--hours", "0").exit_code == 2
