"""Recordings at another level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fast_bss_eval")
pytest.importorskip("pesq")
pytest.importorskip("pystoi")
pytest.importorskip("torch")

from model.corpora.mixing import mix
from model.evaluation.scoring import Golden
from study.levels import Turned
from tests.support.random_bundles import random_bundle


@given(st.integers(-6, 6), st.integers(0, 99))
@settings(max_examples=20)
def test_a_power_of_two_changes_nothing_at_all(doublings: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    speech, noise = (rng.normal(0, 0.1, 3000).astype(np.float32) for _ in range(2))
    golden, signals = Golden(random_bundle(rng, [("bgru", 6)], bins=9, qad_bits=2)), mix(speech, noise, 0.0, rng)
    turned = Turned(golden, 20.0 * np.log10(2.0) * doublings)(signals)
    np.testing.assert_allclose(turned.signal, golden(signals).signal, rtol=1e-5, atol=1e-7)
