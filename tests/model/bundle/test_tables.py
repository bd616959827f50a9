"""The tables of tanh and sigmoid."""

import hashlib
import math

import numpy as np
import pytest

from model.bundle.formats import one, top
from model.bundle.tables import sigmoid_table, tanh_table

several = pytest.mark.parametrize("bits", range(2, 9))


def arguments(bits: int) -> list[float]:
    return [(q + 0.5) * (bits + 4) / 2 ** (bits + 1) for q in range(-one(bits), one(bits))]


@several
def test_entries_are_the_functions_rounded_and_no_entry_is_near_a_tie(bits):
    tanh = [top(bits) * math.tanh(a) for a in arguments(bits)]
    sigmoid = [one(bits) / (1 + math.exp(-2 * a)) for a in arguments(bits)]
    assert tanh_table(bits).tolist() == [math.floor(value + 0.5) for value in tanh]
    assert sigmoid_table(bits).tolist() == [math.floor(value + 0.5) for value in sigmoid]
    assert min(abs(value % 1 - 0.5) for value in tanh + sigmoid) > 1e-4


@pytest.mark.parametrize("bits", range(1, 9))
def test_tables_are_monotonic_and_symmetric(bits):
    tanh, sigmoid = tanh_table(bits).astype(int), sigmoid_table(bits).astype(int)
    assert len(tanh) == len(sigmoid) == 2**bits
    assert np.array_equal(tanh, -tanh[::-1]) and np.array_equal(sigmoid, one(bits) - sigmoid[::-1])
    assert np.all(np.diff(tanh) >= 0) and np.all(np.diff(sigmoid) >= 0)
    assert np.abs(tanh).max() <= top(bits) and sigmoid.min() >= 0 and sigmoid.max() <= one(bits)


def test_one_bit_is_the_sign_and_the_step():
    assert tanh_table(1).tolist() == [-1, 1] and sigmoid_table(1).tolist() == [0, 1]


def test_every_machine_has_these_tables():
    everything = b"".join(table(bits).tobytes() for bits in range(1, 9) for table in (tanh_table, sigmoid_table))
    assert hashlib.sha256(everything).hexdigest()[:16] == "f222577c8a3aad51"
