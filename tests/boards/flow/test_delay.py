# amaranth: UnusedElaboratable=no
"""The predicted delay of sound against an impulse: on the converter's pins, and in the denoiser alone."""

from dataclasses import replace

import numpy as np
import pytest

from boards.definitions.registry import find
from boards.flow.delay import Delay
from boards.gateware.sound_core import AHEAD
from cosim.bench.impulse import impulse
from cosim.bench.sound import SoundBench
from hw.shape.audio import AudioSpec
from hw.shape.family import ECP5
from tests.boards.gateware.test_sound_core import CLOCK_HZ, core, made, through

PLACE = 11
"""Of the impulse: in the middle of a hop."""


@pytest.mark.simulator
def test_an_impulse_comes_out_of_the_pins_as_late_as_predicted_and_as_measured_in_the_denoiser(tmp_path):
    bundle = made()
    dut = core(bundle, "codec")
    predicted = Delay.of(bundle.front_end, dut.network.spec, find("ulx3s_85f").at(CLOCK_HZ / 1e6))
    words = [0] * 40
    words[PLACE] = 1 << 22
    got, overrun = through(bundle, "codec", words, pressed=True, limit=None)  # bypass: what comes out is what went in
    assert not overrun
    on_the_pins = int(np.argmax(got)) - PLACE
    measured, heard = impulse(SoundBench.build(dut.denoiser, tmp_path, quick=True), dut.rate)
    assert heard.difference is None
    assert on_the_pins == measured.samples == predicted.samples
    assert measured.window == predicted.window
    # The network and the mask's pass overlap the engine's by this much at most.
    overlap = predicted.computing - AudioSpec.of(bundle.front_end, ECP5).latency
    assert predicted.computing - overlap <= measured.computing <= predicted.computing


@pytest.mark.parametrize(("change", "more"), [({"computing": 1025}, 1), ({"window": 16}, 1), ({"computing": 1023}, 0)])
def test_each_part_counts(change, more):
    whole = Delay.of(made().front_end, core(made(), "codec").network.spec, find("ulx3s_85f").at(CLOCK_HZ / 1e6))
    one = replace(whole, window=15, computing=1024)
    changed = replace(one, **change)
    assert one.samples == 15 + 1 + AHEAD and changed.samples == one.samples + more
    assert sum(changed.parts.values()) == pytest.approx(changed.samples)
    assert one.ms(16) == pytest.approx(1.0)
