"""The one exception that a user is meant to read.

`BadInput` carries a single sentence: what was looked at, what was expected, what came.
Command lines print it without a traceback and exit with code 2 (see `model.cli`).
"""


class BadInput(Exception):
    """Something the user handed over can't be used; the message says what, expected, got."""
