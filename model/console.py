"""Where commands print their tables and lines."""

from rich.console import Console

console = Console(soft_wrap=True, markup=False, emoji=False)
"""Names of files come from outside, so nothing printed is taken for markup or for an emoji's name."""
