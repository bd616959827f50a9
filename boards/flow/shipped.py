"""The presets on their boards, as they are measured: which network, folded how."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from boards.definitions.registry import find
from boards.flow.layout import lay_out, parse_folding
from hw.flow.synth import Cost
from hw.gateware.network import Network
from hw.shape.estimate import layer_cycles
from model.bundle import bundle

__all__ = ["PRESETS", "Preset", "figures"]


@dataclass(frozen=True)
class Preset:
    """A bundle on a board; `fold` (as `--fold` takes it) is what is not left to `boards.flow.layout`."""

    bundle: Path
    board: str
    fold: tuple[str, ...] = ()

    def network(self) -> Network:
        """The network, laid out."""
        return lay_out(bundle.read(self.bundle), find(self.board), parse_folding(list(self.fold)))


PRESETS = {
    "small": Preset(Path("bundles/small"), "ulx3s_85f"),
    "tiny": Preset(Path("bundles/tiny"), "icebreaker"),
}


def figures(network: Network, costs: Mapping[str, Cost]) -> dict[str, dict[str, float]]:
    """Each layer's cycles per frame, and what it takes by `hw.flow.synth.layer_costs`."""
    return {name: {**layer_cycles(layer.spec), **costs[name]} for name, layer in network.layers.items()}
