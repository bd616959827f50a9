"""The command line within this process, quicker than a process each."""

from typer.testing import CliRunner, Result

from bgru.cli import app


def bgru(*words: object) -> Result:
    """`bgru WORDS`: exit code, output, stderr and, for a bug, the exception."""
    return CliRunner().invoke(app, [str(word) for word in words])
