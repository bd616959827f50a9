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


def test_a_planted_bug_is_found_and_made_small_and_its_case_replays(cluster, tmp_path):
    tally = fuzzing.Tally()
    fuzzing.fuzz(cluster, 600, SEED, QUICKEST, tmp_path, tally, planted_bug.check, most=1)
    ((case, mismatch, path),) = tally.found
    assert re.fullmatch(r"(layer|output).*expected [01], got [01]", mismatch)
    assert read(path) == case
    (layer,) = case.layers
    assert (layer.pe, layer.simd, case.out_width, case.frames) == (1, 1, 1, (1,))
    result = bgru("fuzz", "--replay", path)  # in hardware without the bug
    assert result.exit_code == 0, result.output
    assert "every bit is the golden model's" in result.output
    assert json.loads(path.read_text())["netlist"] is False


SEED = 2329
"""Of a case that is small to begin with."""


def test_no_time_at_all_is_refused():
    assert bgru("fuzz", "--hours", "0").exit_code == 2
