"""Words of decoders in C."""

import os

import pytest

from model.reference.decoder_words import caught


def test_words_to_standard_error_are_caught_and_later_ones_are_not(capfd):
    words: list[str] = []
    with caught(words):
        os.write(2, b"one\ntw\xff")
    os.write(2, b"three")
    assert words == ["one", "tw\ufffd"]
    assert capfd.readouterr().err == "three"


def test_standard_error_is_back_after_an_error(capfd):
    words: list[str] = []
    with pytest.raises(ValueError, match="bad"), caught(words):
        os.write(2, b"said")
        raise ValueError("bad")
    os.write(2, b"after")
    assert words == ["said"] and capfd.readouterr().err == "after"
