"""What word lengths cost: the same thresholds in other words, and differences between scores of the same mixtures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fast_bss_eval")
pytest.importorskip("pesq")
pytest.importorskip("pystoi")
pytest.importorskip("torch")

from model.corpora.mixing import mix
from model.evaluation.scoring import Golden, Row
from study.word_lengths import FLOAT, FloatingPoint, differences, in_words
from tests.support.random_bundles import random_bundle, seeds


@given(seed=seeds, fraction_bits=st.integers(1, 6))
@settings(max_examples=20)
def test_words_and_back_are_the_same_keys(seed: int, fraction_bits: int) -> None:
    network = random_bundle(np.random.default_rng(seed), qad_bits=2)
    other = in_words(network, 12, fraction_bits)
    back = in_words(other, network.front_end.table_bits, network.front_end.fraction_bits)
    assert np.array_equal(back.front_end.keys, network.front_end.keys)
    shift = 2 * (fraction_bits - network.front_end.fraction_bits) << network.front_end.mantissa_bits
    assert np.array_equal(other.front_end.keys, network.front_end.keys + shift)


def test_a_few_flipped_features_change_the_estimate_and_none_do_not() -> None:
    rng = np.random.default_rng(3)
    speech, noise = (rng.normal(0, 0.1, 4000).astype(np.float32) for _ in range(2))
    network, signals = random_bundle(rng, [("bgru", 12)], bins=17, qad_bits=2), mix(speech, noise, 0.0, rng)
    plain, again, flipped = (FloatingPoint(network, count)(signals).signal for count in (0, 0, 5))
    assert np.array_equal(plain, again) and not np.array_equal(plain, flipped)
    assert np.corrcoef(plain, Golden(network)(signals).signal)[0, 1] > 0.5  # the same path, in other arithmetic


def test_differences_are_paired_and_leave_out_what_has_no_score() -> None:
    def rows(system: str, values: list[float | None]) -> list[Row]:
        return [Row(system, "a", str(place), "hum", {"sdr": value}) for place, value in enumerate(values)]

    scores = rows(FLOAT, [1.0, 5.0, 9.0, None]) + rows("x", [1.5, 5.0, 10.0, 3.0])
    mean, error = differences(scores, "x", "sdr")
    assert mean == pytest.approx(0.5)
    assert error == pytest.approx(4.30265 * 0.5 / np.sqrt(3), rel=1e-4)  # t of 2 degrees of freedom, at 97.5 %
