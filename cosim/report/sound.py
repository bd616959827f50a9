"""The report's chapter on sound: the audio path's resources on a board, its cycles, and the delay of a sample."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from boards.definitions.registry import Board
from boards.flow.delay import Delay
from boards.flow.layout import sdram_parts
from boards.flow.measured import sound_results_of
from boards.flow.sdram_bus import streamed
from boards.flow.sound import audio_parts, lay_out_sound
from hw.gateware.denoiser import Denoiser
from hw.gateware.network import Network
from hw.shape.audio import AudioSpec
from hw.shape.folding import Folding
from model.bundle.bundle import Bundle

__all__ = ["Sound"]


@dataclass(frozen=True)
class Sound:
    """A denoiser on a board at its clock.

    found : the results of its simulation, if there are any
    predicted, measured : its delay; `measured` only if it was simulated
    """

    board: Board
    network: Network
    found: Mapping[str, Any]
    predicted: Delay
    measured: Delay | None

    @classmethod
    def of(cls, bundle: Bundle, board: Board, folding: Mapping[str, Folding], build: Path) -> "Sound":
        """All figures of a bundle's denoiser. Raises `BadInput` with the reason if there is none."""
        network = lay_out_sound(bundle, board, folding)
        Denoiser(network, single_port=board.family.single_port_ram is not None)  # refuses what no engine computes
        results = sound_results_of(network, board, build).read()
        found = results.get("cosim_sound", {})
        predicted = Delay.of(bundle.front_end, network.spec, board)
        measured = None
        if "computing" in found:
            measured = replace(predicted, window=found["window"], computing=found["computing"])
        return cls(board, network, results, predicted, measured)

    @property
    def resources(self) -> dict[str, dict[str, int]]:
        """Estimates by part: the layers, what streams their weights, the audio engine, and the rest of the top."""
        layers = self.found["estimate_layer_resources"]
        streams = sdram_parts(len(streamed(self.network.spec)))
        parts = {**layers, **streams, **audio_parts(self.network.bundle, self.board)}
        kinds = [kind for kind in self.board.available if any(kind in part for part in parts.values())]
        return {name: {kind: part.get(kind, 0) for kind in kinds} for name, part in parts.items()}

    @property
    def frame(self) -> int:
        """Predicted cycles of the audio engine for a frame."""
        return AudioSpec.of(self.network.bundle.front_end, self.board.family).interval

    @property
    def hop(self) -> int:
        """Cycles between frames: a hop of samples."""
        return self.network.bundle.front_end.hop * self.predicted.rate.cycles

    @property
    def delays(self) -> dict[str, Delay]:
        """The delay, predicted and measured."""
        return {"predicted": self.predicted} | ({"measured": self.measured} if self.measured else {})
