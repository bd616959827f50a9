"""Cases: JSON and back, the same simulation wherever, and those that were found once."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.bench.runner import generate
from cosim.fuzz.case import Case, compare, draw, read
from model.errors import BadInput
from tests.support.paths import ROOT
from tests.support.simulators import QUICKEST

CASES = sorted((ROOT / "tests" / "cosim" / "fuzz" / "cases").glob("*.json"))


@pytest.mark.simulator
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_that_was_found_agrees_now(path):
    case = dataclasses.replace(read(path), simulator=QUICKEST)
    assert compare(case, generate) == ""


@settings(max_examples=25)  # each makes two networks
@given(st.integers(0, 2**32 - 1))
def test_a_case_survives_json_and_makes_the_same_network(seed):
    case = draw(np.random.default_rng(seed), "icarus")
    again = Case.of(json.loads(case.text))
    assert again == case
    (bundle, network, stimulus), (same, other, stimulus_again) = case.made(), again.made()
    assert bundle.identity == same.identity
    assert network.spec == other.spec
    assert all(map(np.array_equal, stimulus.utterances, stimulus_again.utterances))


@pytest.mark.parametrize(
    "change",
    [
        *({"layers": []}, {"layers": [{"kind": "lstm"}]}, {"layers": 3}, {"idle": 1.0}, {"frames": [10**9]}),
        {"layers": [{"kind": "gru", "units": 3, "pe": 1, "simd": 1, "w": "int9", "u": "int4"}]},
        {"layers": [{"kind": "gru", "units": 3, "pe": 1, "simd": 1, "w": "int4", "u": "seo4"}]},
        {"layers": [{"kind": "gru", "units": 3, "pe": 1, "simd": 1, "w": "int4"}]},
        {"layers": [{"kind": "dense", "units": 3, "pe": 1, "simd": 1, "w": "int4", "output_bits": 9}]},
        *({"family": "xilinx"}, {"rho": "much"}, {"in_width": 0}, {"surplus": 1}),
    ],
    ids=str,
)
def test_an_impossible_case_is_a_sentence(change, tmp_path):
    path = tmp_path / "case.json"
    path.write_text(json.dumps({**json.loads(CASES[0].read_text()), **change}))
    with pytest.raises(BadInput, match=r"case\.json: case: .*expected "):
        read(path)


def test_what_is_no_json_is_a_sentence(tmp_path):
    (tmp_path / "case.json").write_text("{")
    with pytest.raises(BadInput, match="expected JSON, got"):
        read(tmp_path / "case.json")
    with pytest.raises(BadInput, match="expected a case of the fuzzer, got No such file"):
        read(tmp_path / "none.json")
