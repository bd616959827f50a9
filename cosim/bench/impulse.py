"""The delay of sound, measured: an impulse through the simulated denoiser at the board's sample rate."""

import numpy as np

from boards.flow.delay import Delay
from boards.gateware.sample_rate import SampleRate
from cosim.bench.sound import Heard, SoundBench

__all__ = ["impulse"]

FULL_SCALE = 32767


def impulse(bench: SoundBench, rate: SampleRate) -> tuple[Delay, Heard]:
    """The measured delay, and its run, compared with the reference like any other.

    The input is one sample of full scale, then silence, a sample every `rate.cycles`, bypassed. The position of the
    impulse in the output gives the window's part; the cycles from the first hop's last sample in to the first sample
    out are the computing's. The converter's part follows `boards.gateware.sound_core`, checked on its pins in
    tests/boards/flow/test_delay.py.
    """
    front_end = bench.bundle.front_end
    samples = np.zeros(front_end.fft_size, np.int16)
    samples[0] = FULL_SCALE
    heard = bench.run([samples], period=rate.cycles, bypass=True)
    late = int(np.argmax(heard.samples)) if len(heard.samples) else 0
    hop = front_end.hop
    computing = int(heard.given[0] - heard.taken[hop - 1]) if len(heard.given) else 0
    return Delay(late + hop - 1, computing, rate), heard
