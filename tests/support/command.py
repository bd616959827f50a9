"""The command line within this process, quicker than a process each."""

import re

from typer.testing import CliRunner, Result

from bgru.cli import app


def bgru(*words: object) -> Result:
    """`bgru WORDS`: exit code, output, stderr and, for a bug, the exception."""
    return CliRunner().invoke(app, [str(word) for word in words])


def figures(output: str) -> set[tuple[str, str]]:
    """The lines of a command's output that are a label and figures in words, with every number as 0."""
    lines = re.findall(r"^(\w[\w, ]*\w) {2,}(\d.*?) *$", output, re.MULTILINE)
    return {(label, re.sub(r"[\d,.]*\d", "0", words)) for label, words in lines if ">" not in words}
