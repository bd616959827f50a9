"""`bgru prove`."""

from typing import Annotated

import typer

from bgru.options import DEFAULT_BUILD, Build


def command(
    names: Annotated[
        list[str] | None, typer.Argument(show_default="all", help="Names of proofs, see `--list`.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the proofs and what each proves.")] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, show_default="all cores", help="Proofs to run in parallel.")
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help="Measure again and write the committed figures.")] = False,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Prove properties of the hardware for every input, formally, with Yosys and z3.

    Each proof also has mutants, small changes of the design that it must refuse. Exits with 1 if a property is
    refuted, and leaves the counterexample in build/proofs as a waveform.

    Example: `bgru prove popcount`
    """
    from model.console import console
    from proofs.run import listed, run

    if show:
        console.print(listed())
    else:
        run(names or (), jobs, renew, build)
