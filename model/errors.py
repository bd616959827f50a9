"""The one exception that a user is meant to read.

`BadInput` carries a single sentence: what was looked at, what was expected, what came.
Command lines print it without a traceback and exit with code 2 (see `bgru.cli`).
"""

LONGEST = 1000
"""Characters of a sentence; of a longer one the middle is left out."""


class BadInput(Exception):
    """Something the user handed over can't be used; the message says what, expected, got.

    Names and values that it quotes come from outside: line breaks, escape codes and bytes that are no text are written
    as escapes, and a megabyte of them is cut.
    """

    def __init__(self, message: str) -> None:
        if len(message) > LONGEST:
            message = f"{message[: 2 * LONGEST // 3]} ... {message[-LONGEST // 4 :]}"
        super().__init__("".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in message))
