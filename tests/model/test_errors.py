"""What a user reads."""

from hypothesis import given
from hypothesis import strategies as st

from model.errors import LONGEST, BadInput


@given(st.text(st.characters(codec=None), max_size=3 * LONGEST))
def test_a_sentence_is_one_printable_line(text):
    said = str(BadInput(f"file: expected this, got {text}"))
    assert said.isprintable() and said.startswith("file: expected this, got ")


def test_a_long_one_keeps_its_beginning_and_its_end():
    said = str(BadInput("file: " + 1_000_000 * "x" + " got that"))
    assert len(said) < LONGEST and said.startswith("file: xxx") and said.endswith("xxx got that")


def test_a_name_that_is_no_text_is_written_as_its_bytes():
    assert str(BadInput(b"na\xefve.wav".decode("utf-8", "surrogateescape"))) == "na\\udcefve.wav"
