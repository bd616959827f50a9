"""`python -m bgru`, and what `torchrun -m bgru train` starts."""

from bgru.cli import main

main()
