"""A denoiser's weights from memories around it: every sample is the reference's."""

from dataclasses import replace

import numpy as np
import pytest

from boards.definitions.sdram import ULX3S_SDRAM
from boards.gateware.sdram_weights import Memory
from cosim.bench.sound import Pauses, SoundBench
from cosim.chips.sdram import StreamedWeights, words_of
from cosim.chips.sdram_chip import SdramChip
from hw.gateware.denoiser import Denoiser
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from model.bundle.bundle import Bundle
from model.bundle.random_bundle import random_layer
from tests.support.audio_engine import random_front_end, random_samples

pytestmark = pytest.mark.simulator

MEMORY = Memory(replace(ULX3S_SDRAM, power_up=900), 100e6)


def streaming() -> Denoiser:
    """A small one whose weights are streamed."""
    rng = np.random.default_rng(5)
    front_end = random_front_end(rng, 32, 2)
    gru = random_layer(rng, "bgru", front_end.features, 6, name="gru0")
    mask = random_layer(rng, "dense", 6, 2 * front_end.bins, name="mask")
    bundle = Bundle("random", front_end, (gru, mask))
    folding = {"gru0": Folding(1, 8, "streamed"), "mask": Folding(2, 4, "streamed")}
    return Denoiser(Network(bundle, folding, ECP5, 1, 2))


def test_a_denoiser_with_weights_from_sdram_gives_every_sample(tmp_path):
    denoiser = streaming()
    weights = StreamedWeights(denoiser.network, MEMORY, 50e6)
    bench = SoundBench.build(denoiser, tmp_path / "right", quick=True, weights=weights)
    rng = np.random.default_rng(7)
    utterances = [random_samples(rng, count, kind) for count, kind in ((50, "noise"), (27, "square"), (35, "impulse"))]
    heard = bench.run(utterances, pauses=(Pauses(20, 300), Pauses(20, 2000)))
    assert heard.difference is None
    assert heard.compared["sample"] > 0

    words = words_of(denoiser.network)
    words[0] ^= 1
    wrong = StreamedWeights(denoiser.network, MEMORY, 50e6)
    wrong.chip = SdramChip(100, words)
    bench = SoundBench.build(denoiser, tmp_path / "wrong", quick=True, weights=wrong)
    assert bench.run(utterances).difference is not None
