"""The whole denoiser: samples in, samples out, the audio engine around the network."""

from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.audio.engine import AudioEngine, Sample
from hw.gateware.network import Network
from model.bundle.audio_constants import attenuation_floor
from model.errors import BadInput

__all__ = ["Denoiser", "Taken"]


class Taken(data.StructLayout):
    """A word that an internal stream transfers in this cycle, for checks in simulation, if `valid`."""

    def __init__(self, width: int) -> None:
        super().__init__({"data": width, "valid": 1})


class Denoiser(wiring.Component):
    """Rules 12 and 13 of docs/exact-meaning.md: each hop of samples in gives a hop of samples out.

    The network computes frame t's mask while the engine collects frame t + 1. It takes one feature per cycle and
    returns one bin of the mask per cycle; both match the engine's pace, so no buffer is needed between them. Latency:
    N - hop samples, plus the cycles of engine and network. Cost: the sum of the two parts.

    Members
    -------
    i : In(stream of Sample); a `start` begins an utterance: it resets network, gain and ring
    o : Out(stream of signed(16)), as many as complete hops came in
    bypass : In(1), take the mask as the largest gains; the delay is the same
    feature, mask : Out(Taken), the words between engine and network
    load_<layer> : In(stream of weight words), of each layer whose weights are not in a ROM

    Parameters
    ----------
    network : with words of a feature in, and of a bin's mask out
    single_port : the engine's memory is single-port RAM (iCE40 UltraPlus)
    limit : attenuate no bin by more decibels; None is no limit

    Raises `BadInput` for what `AudioEngine` refuses, and for a limit that isn't above 0 dB.
    """

    def __init__(self, network: Network, single_port: bool = False, limit: float | None = None) -> None:
        front_end = network.bundle.front_end
        feature_bits, bin_bits = front_end.feature_bits, front_end.bin_bits
        if (network.in_width, network.out_width) != (feature_bits, bin_bits):
            raise BadInput(
                f"network: expected words of {feature_bits} and {bin_bits} bits behind an audio engine, "
                f"got {network.in_width} and {network.out_width}"
            )
        self.limit, self.floor = limit, attenuation_floor(limit, front_end)
        self.network, self.engine = network, AudioEngine(front_end, single_port, limited=limit is not None)
        self.loads = [name for name in network.signature.members if name.startswith("load_")]
        super().__init__(
            {
                "i": In(stream.Signature(Sample())),
                "o": self.engine.signature.members["o"],
                "bypass": In(1),
                "feature": Out(Taken(front_end.feature_bits)),
                "mask": Out(Taken(front_end.bin_bits)),
                **{name: network.signature.members[name] for name in self.loads},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.audio, m.submodules.network = engine, network = self.engine, self.network
        wiring.connect(m, wiring.flipped(self.i), engine.i)
        wiring.connect(m, engine.o, wiring.flipped(self.o))
        wiring.connect(m, engine.features, network.i)
        wiring.connect(m, network.o, engine.mask)
        for name in self.loads:
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(network, name))
        m.d.comb += engine.bypass.eq(self.bypass)
        if engine.limited:
            m.d.comb += engine.floor.eq(self.floor)
        for tap, source in ((self.feature, engine.features), (self.mask, network.o)):
            m.d.comb += [tap.data.eq(source.payload.data), tap.valid.eq(source.valid & source.ready)]
        return m
