"""Bernoulli masks: their probability, their ends, and what several processes draw."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from model.training.bernoulli import Draw  # noqa: E402 (after importorskip)


def test_a_mask_is_drawn_with_its_probability_and_whole_at_the_ends() -> None:
    for probability in (0.1, 0.5, 0.9):
        share = float(Draw(1).bernoulli(probability, (200, 300)).float().mean())
        assert share == pytest.approx(probability, abs=0.01)
    assert Draw(1).bernoulli(0.0, (3, 3)) is False
    assert Draw(1).bernoulli(1.0, (3, 3)) is True


def test_the_seed_decides_and_the_next_mask_is_another() -> None:
    one, same = Draw(1), Draw(1)
    first = one.bernoulli(0.5, (50, 50))
    assert torch.equal(first, same.bernoulli(0.5, (50, 50)))
    assert not torch.equal(first, one.bernoulli(0.5, (50, 50)))


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), st.integers(1, 9), st.integers(0, 99))
def test_processes_together_draw_what_one_draws(size: int, frames: int, own: int, units: int, seed: int) -> None:
    whole = Draw(seed).of_sequences(0.5, (frames, own * size, units))
    draws = [Draw(seed, rank=rank, size=size) for rank in range(size)]
    assert torch.equal(torch.cat([draw.of_sequences(0.5, (frames, own, units)) for draw in draws], 1), whole)
    weights = [draw.bernoulli(0.5, (7, 5)) for draw in draws]
    assert all(torch.equal(weights[0], other) for other in weights)
