"""What every command line of the project shares: one sentence for bad input, exit code 2."""

import sys
from collections.abc import Callable

import typer
from rich.console import Console

from model.errors import BadInput

console = Console(soft_wrap=True)
"""Where commands print their tables and lines."""


def run(command: Callable[..., None]) -> None:
    """Run a command function as a command line; its docstring and options become `--help`.

    `BadInput` becomes one line on stderr and exit code 2, as usage errors already are;
    anything else is a bug of ours and keeps its traceback.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(command)
    try:
        app()
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
