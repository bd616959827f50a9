"""One design of a sweep, in several steps: elaborate, synthesise, place and route with several seeds, simulate."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from boards.definitions.registry import Board
from boards.flow.elaboration import layer_elaboration, top_elaboration
from boards.flow.plan import Plan
from boards.flow.verilog import check_room
from boards.gateware import pll
from cosim.bench.netlist import MODELS
from cosim.sweep.activity import Activity, activity, counting
from hw.flow.cache import Entry
from hw.flow.place import Placement, placement, placing
from hw.flow.rtl import read_texts
from hw.flow.synth import synthesis, synthesise
from hw.gateware.network import Network
from jobs.queue import Job, Outcome
from jobs.steps import Work
from model.errors import BadInput
from model.reference.analysis import Features

__all__ = ["Design", "Measured", "jobs_of", "measure"]


@dataclass(frozen=True)
class Design:
    """A network on a board, as planned; `network` has the plan's foldings."""

    board: Board
    plan: Plan
    network: Network

    @property
    def label(self) -> str:
        """Board and foldings, for a person."""
        return f"{self.board.name} {self.plan.fold}"


@dataclass(frozen=True)
class Measured:
    """What the tools made of a design, or why they did not.

    clock_hz : the constraint of its placements
    lut4, block_ram : of its layers, synthesised out of context; what the plan estimates
    mhz : what each seed reaches
    best : the fastest placement
    activity : of its network; None on a family whose cells have no model
    refusal : one sentence; empty for a design that was placed
    """

    clock_hz: int = 0
    lut4: int = 0
    block_ram: int = 0
    mhz: Mapping[int, float] = field(default_factory=dict)
    best: Placement | None = None
    activity: Activity | None = None
    refusal: str = ""

    @property
    def median(self) -> float:
        """MHz, over the seeds."""
        return median(self.mhz.values())

    @property
    def seed(self) -> int:
        """The best one."""
        return max(self.mhz, key=lambda seed: self.mhz[seed])


def jobs_of(design: Design, seeds: int, auto: bool) -> int:
    """Number of jobs of a design that fits."""
    return 2 * len(design.network.layers) + (2 + 1) * auto + 2 + seeds + (design.board.family.name in MODELS)


def measure(design: Design, seeds: int, auto: bool, files: Mapping[str, bytes], features: Features) -> Work[Measured]:
    """Measure a design of the bundle in `files`, at the board's clock; its activity while it computes `features`.

    With `auto`, at the fastest clock that the PLL makes and that one placement at the board's clock has reached. A
    design that does not fit, or whose jobs fail, is `Measured` with the reason.
    """
    board, family, names = design.board, design.network.synthesis_family, list(design.network.layers)
    try:
        folders = _good((yield _jobs(design, [layer_elaboration(design.network, name, files) for name in names])))
        layers = [(name, read_texts(folder)["layer.il"]) for name, folder in zip(names, folders, strict=True)]
        _good((yield _jobs(design, [synthesis(text, name, family) for name, text in layers])))
        costs = [synthesise(text, name, family) for name, text in layers]
        if auto:
            trial = yield from _place(design, board, 1, files)
            board = at_reach(board, trial[1].mhz)
        placements = yield from _place(design, board, seeds, files)
        active = None
        if (simulation := counting(design.network, files, features)) is not None:
            active = activity(*_good((yield _jobs(design, [simulation]))))
    except BadInput as refusal:
        return Measured(refusal=str(refusal))
    mhz = {seed: found.mhz for seed, found in placements.items()}
    best = max(placements.values(), key=lambda found: found.mhz)
    lut4, block_ram = (sum(cost[kind] for cost in costs) for kind in ("lut4", "block_ram"))
    return Measured(board.clock_hz, lut4, block_ram, mhz, best, active)


def at_reach(board: Board, mhz: float) -> Board:
    """The board at the fastest clock that its PLL makes and that is not above a placement's."""
    found = pll.fastest(board.family, board.oscillator_hz, 1e6 * mhz)
    if found is None:
        raise BadInput(f"{board.name}: expected a placement as fast as a clock of the PLL, got {mhz:.1f} MHz")
    return replace(board, clock_hz=int(found))


def _place(
    design: Design, board: Board, seeds: int, files: Mapping[str, bytes]
) -> Generator[list[Job], list[Outcome], dict[int, Placement]]:
    """The placements of a design's top at the board's clock, by seed; a seed that fails is left out, but not all."""
    family = design.network.synthesis_family
    (elaborated,) = _good((yield _jobs(design, [top_elaboration(design.network, board, files)])))
    texts = read_texts(elaborated)
    _good((yield _jobs(design, [synthesis(texts["top.il"], "top", family)])))
    with TemporaryDirectory() as scratch:
        netlist = Path(scratch) / "netlist.json"
        check_room(board, synthesise(texts["top.il"], "top", family, netlist))
        data = netlist.read_bytes()
    constraints = texts[f"top.{board.family.constraints}"]
    tries = range(1, seeds + 1)
    outcomes = yield _jobs(
        design,
        [placing(data, board.family, board.part.router, board.clock_hz, seed, constraints) for seed in tries],
    )
    placed = {
        seed: placement(outcome.folder, board.family)
        for seed, outcome in zip(tries, outcomes, strict=True)
        if outcome.folder is not None
    }
    if not placed:
        _good(outcomes)
    return placed


def _jobs(design: Design, entries: list[Entry]) -> list[Job]:
    return [Job(entry, f"{design.label}: {entry.kind}") for entry in entries]


def _good(outcomes: list[Outcome]) -> list[Path]:
    """The folders of jobs; raises `BadInput` for the first that failed."""
    folders = []
    for outcome in outcomes:
        if outcome.folder is None:
            raise BadInput(f"{outcome.job.label}: {outcome.error}; its log: {outcome.log}")
        folders.append(outcome.folder)
    return folders
