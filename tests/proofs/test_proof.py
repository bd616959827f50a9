"""Mutants: a line of a function's source is replaced while the mutant is applied, and only then."""

import pytest

from proofs.catalogue import PROOFS
from proofs.proof import Mutant


def doubled(value):
    return 2 * value


def test_a_mutant_is_there_while_it_is_applied():
    with Mutant(doubled, "2 *", "3 *").applied():
        assert doubled(2) == 6
    assert doubled(2) == 4


def test_the_original_comes_back_after_an_error():
    with pytest.raises(ZeroDivisionError), Mutant(doubled, "2 *", "1 // 0 *").applied():
        doubled(2)
    assert doubled(2) == 4


@pytest.mark.parametrize("old", ["4 *", "e"])
def test_a_change_of_what_is_not_there_once_is_an_error(old):
    with pytest.raises(ValueError, match="once"), Mutant(doubled, old, "").applied():
        pass


@pytest.mark.parametrize("proof", PROOFS.values(), ids=list(PROOFS))
def test_every_mutant_changes_a_line_that_exists(proof):
    for mutant in proof.mutants:
        with mutant.applied():
            pass
