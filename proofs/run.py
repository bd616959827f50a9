"""`bgru prove`: every proof and its mutants, a table, and the table of docs/proofs.md."""

import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from model.console import console
from model.errors import BadInput
from model.files import replacing
from proofs.catalogue import PROOFS
from proofs.proof import Proof
from proofs.prover import Answer, Unknown, decide

__all__ = ["DOCS", "MARK", "Outcome", "listed", "markdown", "prove", "run"]

DOCS = Path("docs/proofs.md")
MARK = "<!-- {} of `bgru prove --renew` -->"
"""The lines around the table in `DOCS`."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a proof.

    verdict : proved, refuted, unknown (no answer), or empty (a mutant was not refuted)
    seconds : of Yosys and z3, without the mutants
    said : why, where it is not proved
    trace : a counterexample's waveform
    """

    proof: Proof
    verdict: str
    seconds: float
    said: str = ""
    trace: Path | None = None


def run(names: Sequence[str], jobs: int | None, renew: bool, build: Path) -> None:
    """Prove the named properties, or all. Exit with 1 unless all are proved and every mutant is refuted."""
    unknown = [name for name in names if name not in PROOFS]
    if unknown:
        raise BadInput(f"proof: expected names that bgru prove --list prints, got {', '.join(unknown)}")
    if renew and names:
        raise BadInput(f"--renew: expected no names, since the table has all proofs, got {', '.join(names)}")
    outcomes = prove([PROOFS[name] for name in names] or list(PROOFS.values()), jobs or os.cpu_count() or 1, build)
    console.print(_table(outcomes))
    failed = [outcome for outcome in outcomes if outcome.verdict != "proved"]
    for outcome in failed:
        where = f"; waveform: {outcome.trace}" if outcome.trace else ""
        console.print(f"{outcome.proof.name}: {outcome.verdict}: {outcome.said}{where}")
    if failed:
        raise SystemExit(1)
    mutants = sum(len(outcome.proof.mutants) for outcome in outcomes)
    console.print(f"{len(outcomes)} properties proved, {mutants} mutants refuted")
    if renew:
        _renew(outcomes)


def listed() -> Table:
    """All proofs, by name."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("name", "component", "property"):
        table.add_column(column, overflow="fold")
    for proof in PROOFS.values():
        table.add_row(proof.name, proof.component, proof.sentence)
    return table


def prove(proofs: Sequence[Proof], jobs: int, build: Path) -> list[Outcome]:
    """Decide each proof and its mutants, `jobs` at a time. Counterexamples go to `build` as waveforms."""
    columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    pool = ThreadPoolExecutor(jobs)
    with Progress(*columns, console=console) as bars, pool:
        task = bars.add_task("prove", total=sum(1 + len(proof.mutants) for proof in proofs))

        def submit(rtlil: str, kind: Any, depth: int) -> Future[Answer]:
            future = pool.submit(decide, rtlil, kind, depth)
            future.add_done_callback(lambda _: bars.advance(task))
            return future

        runs = []
        try:
            for proof in proofs:
                bars.update(task, description=f"prove {proof.name}")
                whole = submit(proof.make(), proof.kind, proof.depth)
                mutants = []
                for mutant in proof.mutants:
                    with mutant.applied():
                        changed = proof.make()
                    mutants.append(submit(changed, "bounded", proof.reach))
                runs.append((proof, whole, mutants))
            return [_outcome(*each, build=build) for each in runs]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _outcome(proof: Proof, whole: Future[Answer], mutants: list[Future[Answer]], build: Path) -> Outcome:
    try:
        answer = whole.result()
    except Unknown as error:
        return Outcome(proof, "unknown", 0.0, str(error))
    if answer.verdict == "refuted":
        trace = build / "proofs" / f"{proof.name}.vcd"
        trace.parent.mkdir(parents=True, exist_ok=True)
        assert answer.trace is not None
        shutil.copyfile(answer.trace, trace)
        return Outcome(proof, "refuted", answer.seconds, f"expected that {proof.sentence}", trace)
    for mutant, future in zip(proof.mutants, mutants, strict=True):
        try:
            refuted = future.result().verdict == "refuted"
        except Unknown as error:
            return Outcome(proof, "unknown", answer.seconds, f"mutant {mutant}: {error}")
        if not refuted:
            said = f"expected to refute the mutant {mutant} within {proof.reach} cycles"
            return Outcome(proof, "empty", answer.seconds, said)
    return Outcome(proof, "proved", answer.seconds)


def _holds(proof: Proof) -> str:
    return f"for ever, k = {proof.depth}" if proof.kind == "induction" else f"{proof.depth} cycles"


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("proof", "holds", "s", "mutants", "verdict"):
        table.add_column(column, justify="right" if column in ("s", "mutants") else "left", no_wrap=True)
    for outcome in outcomes:
        proof = outcome.proof
        cells = (proof.name, _holds(proof), f"{outcome.seconds:.1f}", str(len(proof.mutants)))
        table.add_row(*cells, outcome.verdict, style=None if outcome.verdict == "proved" else "red")
    return table


def markdown(seconds: dict[str, float]) -> str:
    """The table of the documentation, from the seconds of each proof by name."""
    lines = ["| proof | property | component | holds | mutants | s |", "|---|---|---|---|---:|---:|"]
    for name, taken in seconds.items():
        proof = PROOFS[name]
        cells = (f"`{name}`", proof.sentence, f"`{proof.component}`", _holds(proof), str(len(proof.mutants)))
        lines.append(f"| {' | '.join(cells)} | {taken:.1f} |")
    return "\n".join(lines)


def _renew(outcomes: Sequence[Outcome]) -> None:
    """Write the table into the documentation, and its seconds into a file next to it."""
    seconds = {outcome.proof.name: round(outcome.seconds, 1) for outcome in outcomes}
    begin, end = MARK.format("table"), MARK.format("end of the table")
    if not DOCS.is_file():
        raise BadInput(f"{DOCS}: expected the page in the folder that the command runs in, found none")
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    with replacing(DOCS) as temporary:
        temporary.write_text(f"{before}{begin}\n\n{markdown(seconds)}\n\n{end}{after}", encoding="utf-8")
    with replacing(DOCS.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(seconds, indent=2) + "\n", encoding="utf-8")
