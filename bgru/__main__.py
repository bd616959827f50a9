"""`python -m bgru`, also the entry point of `torchrun -m bgru train`."""

from bgru.cli import main

main()
