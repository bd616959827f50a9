"""The measurement of the DAC: by signals whose SNR is known."""

import numpy as np
import pytest

from cosim.measure import dac_snr
from cosim.measure.dac_snr import BIN, SAMPLES, measure, sine, snr, weights
from model.errors import BadInput
from tests.support.command import bgru

HZ = 15_625


def test_a_tone_with_noise_of_known_power_measures_so():
    steps, rng = 4, np.random.default_rng(0)
    time = np.arange(SAMPLES * steps)
    tone = np.sin(2 * np.pi * BIN * time / (SAMPLES * steps))
    noise = rng.normal(0, 0.01, time.size)
    # The noise has 4 x 7,812.5 Hz, of which the band is a quarter.
    expected = 10 * np.log10(0.5 / (1e-4 / steps))
    assert snr(tone + noise, steps, HZ) == pytest.approx(expected, abs=0.5)


def test_what_is_beyond_the_band_does_not_count_and_what_is_in_it_does():
    steps = 8
    time = np.arange(SAMPLES * steps) / (SAMPLES * steps)
    tone = np.sin(2 * np.pi * BIN * time)
    within, beyond = (np.sin(2 * np.pi * bins * time) for bins in (255, 256))  # 7,782 and 7,812 Hz
    assert snr(tone + beyond, steps, HZ) > 200
    assert snr(tone + within / 10, steps, HZ) == pytest.approx(20)


def test_the_weights_are_binary_and_may_be_off():
    assert weights().tolist() == list(range(16))
    assert weights((0.5, 0, 0, -0.25))[[1, 8, 9, 15]].tolist() == [1.5, 6, 7.5, 13.5]


def test_the_sine_is_full_scale_and_periodic():
    tone = sine(0, 2 * SAMPLES)
    assert (tone.max(), tone.min()) == (32767, -32768)
    assert (tone[:SAMPLES] == tone[SAMPLES:]).all()


def test_a_coarser_clock_is_worse_and_a_full_tone_beats_12_bits():
    slow, fast = measure(-1, 16, HZ), measure(-1, 64, HZ)
    assert slow.snr_db + 20 < fast.snr_db
    assert fast.snr_db > 74
    assert fast.resistors_db < 50


def test_too_few_codes_a_sample_are_refused():
    with pytest.raises(BadInput, match="expected two codes a sample or more, got 1536 cycles >> 10"):
        dac_snr.run("icebreaker", 10)


def test_the_command_prints_a_row_for_each_level():
    lines = bgru("dac", "--divide", "9").stdout.splitlines()
    assert "16,163.8 Hz, 14 codes a sample" in lines[0]
    assert [line.split()[0] for line in lines if "dBFS" in line] == ["-0.01", "-6", "-20", "-60"]
