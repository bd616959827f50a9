"""Delay of sound through a board's denoiser, from a sample in to the same sample out."""

from collections.abc import Mapping
from dataclasses import dataclass

from boards.definitions.registry import Board
from boards.flow.sdram_bus import network_latency
from boards.gateware.sample_rate import SampleRate, rate
from boards.gateware.sound_core import AHEAD
from hw.shape.audio import AudioSpec
from hw.shape.network_spec import NetworkSpec
from model.bundle.front_end import FrontEnd

__all__ = ["Delay"]


@dataclass(frozen=True)
class Delay:
    """From a word of the converter's left slot in to the same sample's word out, a whole number of samples.

    window : samples of overlap-add (N - hop) and of collecting a hop (hop - 1 after the first)
    computing : cycles from a hop's last sample to the first sample of its frame out. The prediction is an upper bound:
        the engine's frame plus the network's latency. In fact they overlap: the network takes feature bits while the
        engine makes them, and the mask pass takes mask words while the network makes them. `bgru sim --samples`
        measures it: with `tiny` 3 % less, one sample of 578.
    rate : cycles per sample

    The rest is exact: tests/boards/flow/test_delay.py sends an impulse through the pins.
    """

    window: int
    computing: int
    rate: SampleRate

    @classmethod
    def of(cls, front_end: FrontEnd, network: NetworkSpec, board: Board) -> "Delay":
        """The delay of a bundle's denoiser on a board at its clock."""
        engine = AudioSpec.of(front_end, board.family)
        true = rate(board.clock_hz, front_end.sample_rate, mclk=True)
        return cls(front_end.fft_size - 1, engine.latency + network_latency(network, board), true)

    @property
    def parts(self) -> Mapping[str, float]:
        """Samples by cause; their sum is whole.

        `waiting` lasts until the next sample and `AHEAD` - 1 more have come in; `converter` is the bus frame in
        which a sample arrives: it goes out in the next.
        """
        computing = self.computing / self.rate.cycles
        waiting = -(-self.computing // self.rate.cycles) - computing + AHEAD - 1
        return {"window": self.window, "computing": computing, "waiting": waiting, "converter": 1}

    @property
    def samples(self) -> int:
        """The whole delay."""
        return self.window + -(-self.computing // self.rate.cycles) + AHEAD

    def ms(self, samples: float) -> float:
        """Samples in milliseconds."""
        return 1e3 * samples / self.rate.hz
