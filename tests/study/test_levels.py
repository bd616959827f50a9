"""Recordings at another level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fast_bss_eval")
pytest.importorskip("pesq")
pytest.importorskip("pystoi")
pytest.importorskip("torch")

from model.corpora.mixing import Mixture, mix
from model.evaluation.scoring import Enhanced
from study.levels import Turned


@given(st.integers(-60, 20), st.integers(0, 99))
@settings(max_examples=20)
def test_what_a_system_hears_is_turned_up_and_what_it_says_down_again(decibels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    speech, noise = (rng.normal(0, 0.1, 3000).astype(np.float32) for _ in range(2))
    signals, heard = mix(speech, noise, 0.0, rng), []

    def system(given: Mixture) -> Enhanced:
        heard.append(given)
        return Enhanced(given.mixture)

    turned = Turned(system, decibels)(signals)
    gain = 10 ** (decibels / 20)
    for name in ("mixture", "clean", "noise"):
        np.testing.assert_allclose(getattr(heard[0], name), gain * getattr(signals, name), rtol=1e-5)
    np.testing.assert_allclose(turned.signal, signals.mixture, rtol=1e-5)
