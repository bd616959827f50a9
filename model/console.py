"""Where commands print their tables and lines."""

from rich.console import Console

console = Console(soft_wrap=True, markup=False)
"""Names of files come from outside, so nothing printed is taken for markup."""
