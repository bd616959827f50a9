"""The shipped bundles on their boards, as measured: which network, and its folding."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from boards.definitions.registry import find
from boards.flow.bitstream import SEEDS, route
from boards.flow.delay import Delay
from boards.flow.layout import lay_out, parse_folding
from boards.flow.sdram_bus import network_interval, network_latency
from boards.flow.sound import lay_out_sound
from hw.flow.synth import Cost
from hw.gateware.network import Network
from hw.shape.audio import AudioSpec
from hw.shape.estimate import layer_cycles
from model.bundle.read import read_bundle
from model.shipped import bundle_folder

__all__ = ["PRESETS", "SHIPPED", "SOUNDING", "Shipped", "figures", "placed", "sounding"]


@dataclass(frozen=True)
class Shipped:
    """A bundle on a board; `fold` (as `--fold` takes it) overrides `boards.flow.layout`."""

    bundle: Path
    board: str
    fold: tuple[str, ...] = ()

    def network(self) -> Network:
        """The network, laid out."""
        bundle = read_bundle(self.bundle)
        return lay_out(bundle, find(self.board).at_network_clock(bundle), parse_folding(list(self.fold)))


SHIPPED = {
    "small": Shipped(bundle_folder("small"), "ulx3s_85f"),
    "tiny": Shipped(bundle_folder("tiny"), "icebreaker"),
}

SOUNDING = {
    **SHIPPED,
    "swift": Shipped(bundle_folder("swift"), "ulx3s_25f"),
    "tiny-int4": Shipped(bundle_folder("tiny-int4"), "ulx3s_25f"),
    "small-int4": Shipped(bundle_folder("small-int4"), "ulx3s_85f"),
    "swift-int4": Shipped(bundle_folder("swift-int4"), "ulx3s_85f"),
    "tiny-mixed": Shipped(bundle_folder("tiny-mixed"), "icebreaker"),
}
"""Those measured as whole denoisers, with a codec."""


PRESETS = {
    "tiny": ("icebreaker", "icesugar"),
    "tiny-int4": ("ulx3s_25f",),
    "swift": ("ulx3s_25f",),
    "swift-int4": ("ulx3s_85f",),
    "small": ("ulx3s_85f",),
    "small-int4": ("ulx3s_85f",),
}
"""The shipped bundles, and the boards that `bgru sweep` places them on.

`paper` needs more memory than a device has, and next to the link `tiny-mixed` more than an iCE40UP5K has.
"""


def figures(network: Network, costs: Mapping[str, Cost]) -> dict[str, dict[str, float]]:
    """Each layer's cycles per frame, and its resources by `hw.flow.synth.layer_costs`."""
    return {name: {**layer_cycles(layer.spec), **costs[name]} for name, layer in network.layers.items()}


def placed(shipped: Shipped) -> dict[str, float]:
    """The whole top for the board, placed and routed: resources, clock reached, interval and latency in cycles."""
    network = shipped.network()
    board = find(shipped.board).at_network_clock(network.bundle)
    placement = route(network, board, SEEDS, lambda step: None).placement
    cycles = {"cycles": network_interval(network.spec, board), "latency": network_latency(network.spec, board)}
    return {**placement.cost, **cycles, "mhz": round(placement.mhz, 1)}


def sounding(shipped: Shipped) -> dict[str, float]:
    """The whole denoiser on the board's codec, placed and routed: as `placed`, but the engine's cycles and no latency.

    `delay` is from a sample in to the same sample out, in samples.
    """
    bundle, board = read_bundle(shipped.bundle), find(shipped.board).at_sound_clock(None)
    network = lay_out_sound(bundle, board, parse_folding(list(shipped.fold)))
    placement = route(network, board, SEEDS, lambda step: None, "codec").placement
    cycles = AudioSpec.of(bundle.front_end, board.family).interval
    delay = Delay.of(bundle.front_end, network.spec, board).samples
    return {**placement.cost, "cycles": cycles, "delay": delay, "mhz": round(placement.mhz, 1)}
