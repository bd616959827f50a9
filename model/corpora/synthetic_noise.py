"""Synthetic noise from a seed: kinds that a folder of recordings lacks.

Networks trained on a few recorded noises fail worst on steady, tonal and whirring ones. These generators cover them:
motors, hum, fans, machines, wind, clicks, chirps, stationary noise of random spectral shape, and the babble of
training speakers. Each draws its parameters from wide ranges, so two clips of a kind have little in common.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import lfilter

from model.corpora.mixing import excerpt
from model.reference.audio import Signal

Samples = NDArray[np.float64]
Rng = np.random.Generator

LEVEL = 0.1
"""RMS of every clip."""


def clips(count: int, seconds: float, sample_rate: int, seed: int, talkers: Sequence[Signal] = ()) -> dict[str, Signal]:
    """`count` clips by name (`motor__synthetic3`), the kinds in turn; clip i depends on the seed and i alone.

    Babble is made from the recordings in `talkers`, and left out if there are none.
    """
    kinds = [*KINDS, *(["babble"] if talkers else [])]
    made = {}
    for index in range(count):
        kind, rng = kinds[index % len(kinds)], np.random.default_rng([seed, index])
        samples = round(seconds * sample_rate)
        signal = babble(samples, talkers, rng) if kind == "babble" else KINDS[kind](samples, sample_rate, rng)
        made[f"{kind}__synthetic{index}"] = _levelled(signal)
    return made


def motor(samples: int, sample_rate: int, rng: Rng) -> Samples:
    """Engines and electric motors: a harmonic stack of 25 to 600 Hz whose pitch drifts, over broadband noise."""
    pitch = _log_uniform(rng, 25.0, 600.0) * np.exp2(_drift(samples, sample_rate, rng, _log_uniform(rng, 0.01, 0.5)))
    tone = _harmonics(pitch, sample_rate, rng, decay_db=rng.uniform(0.0, 9.0))
    if rng.random() < 0.5:  # strokes: the cylinder rate modulates all harmonics
        tone *= 1.0 + rng.uniform(0.2, 1.0) * np.sin(np.cumsum(2 * np.pi * pitch / rng.integers(2, 9) / sample_rate))
    return _over_noise(tone, stationary(samples, sample_rate, rng), rng.uniform(-5.0, 25.0))


def hum(samples: int, sample_rate: int, rng: Rng) -> Samples:
    """Mains hum and transformers: harmonics of a fixed 50 or 60 Hz, over little noise."""
    pitch = np.full(samples, rng.choice([50.0, 60.0, 100.0, 120.0]) * rng.uniform(0.998, 1.002))
    tone = _harmonics(pitch, sample_rate, rng, decay_db=rng.uniform(3.0, 12.0))
    return _over_noise(tone, stationary(samples, sample_rate, rng), rng.uniform(5.0, 35.0))


def fan(samples: int, sample_rate: int, rng: Rng) -> Samples:
    """Fans, dryers, vacuum cleaners: shaped noise, modulated by the blades, with up to four steady tones."""
    noise = stationary(samples, sample_rate, rng)
    blades = _log_uniform(rng, 5.0, 200.0) * np.exp2(_drift(samples, sample_rate, rng, 0.02))
    noise *= 1.0 + rng.uniform(0.0, 0.6) * np.sin(np.cumsum(2 * np.pi * blades / sample_rate))
    whine = np.zeros(samples)
    for _ in range(rng.integers(1, 5)):
        frequency = _log_uniform(rng, 150.0, 0.45 * sample_rate) * np.exp2(_drift(samples, sample_rate, rng, 0.01))
        whine += rng.uniform(0.2, 1.0) * np.sin(np.cumsum(2 * np.pi * frequency / sample_rate))
    return _over_noise(whine, noise, rng.uniform(-20.0, 10.0))


def machine(samples: int, sample_rate: int, rng: Rng) -> Samples:
    """Printers, saws, pumps: one or two shaped noises, each switched or pulsed at 0.5 to 40 Hz."""
    total = np.zeros(samples)
    for _ in range(rng.integers(1, 3)):
        rate = _log_uniform(rng, 0.5, 40.0) * np.exp2(_drift(samples, sample_rate, rng, 0.05))
        phase = np.cumsum(rate / sample_rate) % 1.0
        duty = rng.uniform(0.1, 0.9)
        pulse = np.where(phase < duty, np.exp(-rng.uniform(0.0, 6.0) * phase), rng.uniform(0.0, 0.3))
        total += stationary(samples, sample_rate, rng) * _smoothed(pulse, 0.002 * sample_rate)
    return total


def wind(samples: int, sample_rate: int, rng: Rng) -> Samples:
    """Wind, surf, passing cars: noise that falls by 3 to 18 dB an octave, in gusts of 0.2 to 5 s."""
    frequency = _frequencies(samples, sample_rate)
    noise = _of_spectrum(np.power(np.maximum(frequency, 30.0), -rng.uniform(0.5, 3.0)), samples, rng)
    gust = np.exp(rng.uniform(0.3, 1.5) * _slow(samples, sample_rate, rng, _log_uniform(rng, 0.2, 5.0)))
    return noise * gust


def clicks(samples: int, sample_rate: int, rng: Rng) -> Samples:
    """Typing, clocks, hammering, crackling: decaying resonances, regular or at random, 0.7 to 200 a second."""
    rate = _log_uniform(rng, 0.7, 200.0)
    gaps = (
        rng.exponential(sample_rate / rate, 4 + int(3 * rate * samples / sample_rate))
        if rng.random() < 0.6
        else sample_rate / rate * rng.normal(1.0, rng.uniform(0.0, 0.1), 4 + int(2 * rate * samples / sample_rate))
    )
    times = np.cumsum(np.maximum(gaps, 1.0)).astype(int) - int(rng.integers(1, int(sample_rate / rate) + 1))
    times = times[(times >= 0) & (times < samples)]
    impulses = np.zeros(samples)
    impulses[times] = np.exp(rng.normal(0.0, rng.uniform(0.1, 1.0), len(times))) * rng.choice([-1.0, 1.0], len(times))
    total = np.zeros(samples)
    for _ in range(rng.integers(1, 4)):
        decay = _log_uniform(rng, 0.002, 0.08) * sample_rate
        angle = 2 * np.pi * _log_uniform(rng, 100.0, 0.45 * sample_rate) / sample_rate
        radius = np.exp(-1.0 / decay)
        total += lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], impulses) * np.sin(angle)
    burst = rng.normal(size=samples) * lfilter([1.0], [1.0, -np.exp(-1.0 / (0.01 * sample_rate))], np.abs(impulses))
    total = total + rng.uniform(0.0, 1.0) * burst
    return _over_noise(total, stationary(samples, sample_rate, rng), rng.uniform(10.0, 40.0))


def chirps(samples: int, sample_rate: int, rng: Rng) -> Samples:
    """Birds, alarms, sirens, squeaks: sweeps of up to two octaves with harmonics, repeated with pauses."""
    period = _log_uniform(rng, 0.08, 3.0)
    phase = np.cumsum(np.full(samples, 1.0 / (period * sample_rate))) % 1.0
    middle, width = _log_uniform(rng, 300.0, 5000.0), rng.uniform(0.0, 1.0)
    shape = [phase, 1.0 - phase, np.abs(2.0 * phase - 1.0), 0.5 + 0.5 * np.sin(2 * np.pi * phase)][rng.integers(4)]
    pitch = np.clip(middle * np.exp2(width * (2.0 * shape - 1.0)), 50.0, 0.45 * sample_rate)
    tone = _harmonics(pitch, sample_rate, rng, decay_db=rng.uniform(6.0, 18.0))
    gate = _smoothed((phase < rng.uniform(0.3, 1.05)).astype(float), 0.01 * sample_rate)
    return _over_noise(tone * gate, stationary(samples, sample_rate, rng), rng.uniform(5.0, 35.0))


def stationary(samples: int, sample_rate: int, rng: Rng) -> Samples:
    """Noise of a random spectral shape: a tilt of -12 to 3 dB an octave, ripples, and sometimes a pass band."""
    frequency = _frequencies(samples, sample_rate)
    octaves = np.log2(np.maximum(frequency, 40.0) / 40.0)
    points = rng.normal(0.0, rng.uniform(0.0, 8.0), int(rng.integers(4, 20)))
    shape = octaves * rng.uniform(-12.0, 3.0) + np.interp(octaves, np.linspace(0, octaves[-1], len(points)), points)
    if rng.random() < 0.3:
        low, high = np.sort([_log_uniform(rng, 60.0, 0.45 * sample_rate) for _ in range(2)])
        shape = shape - 24.0 * (np.log2(np.maximum(low / np.maximum(frequency, 1.0), 1.0)))
        shape = shape - 24.0 * (np.log2(np.maximum(frequency / high, 1.0)))
    return _of_spectrum(np.power(10.0, np.maximum(shape - shape.max(), -90.0) / 20.0), samples, rng)


def babble(samples: int, talkers: Sequence[Signal], rng: Rng) -> Samples:
    """Three to twelve talkers at once, at levels within 10 dB."""
    total = np.zeros(samples)
    for _ in range(rng.integers(3, 13)):
        voice = _levelled(excerpt(talkers[int(rng.integers(len(talkers)))], samples, rng).astype(np.float64))
        total += voice * 10.0 ** (rng.uniform(-10.0, 0.0) / 20.0)
    return total


KINDS: dict[str, Callable[[int, int, Rng], Samples]] = {
    function.__name__: function for function in (motor, hum, fan, machine, wind, clicks, chirps, stationary)
}
"""Generators by kind: of (samples, sample rate, source of randomness); all but `babble`, which needs recordings."""


def _harmonics(pitch: Samples, sample_rate: int, rng: Rng, decay_db: float) -> Samples:
    """Up to 40 harmonics of a pitch (samples,) in Hz below half the sample rate, falling by `decay_db` an octave."""
    phase = np.cumsum(2 * np.pi * pitch / sample_rate) + rng.uniform(0, 2 * np.pi)
    total = np.zeros(len(pitch))
    for number in range(1, min(40, int(0.48 * sample_rate / pitch.max())) + 1):
        decibels = -decay_db * np.log2(number) + rng.normal(0.0, 5.0)
        total += 10.0 ** (decibels / 20.0) * np.sin(number * phase + rng.uniform(0, 2 * np.pi))
    return total


def _over_noise(signal: Samples, noise: Samples, ratio_db: float) -> Samples:
    """A signal over noise at a ratio of powers in decibels."""
    return (_levelled(signal) * 10.0 ** (ratio_db / 20.0) + _levelled(noise)).astype(np.float64)


def _levelled(signal: Samples | Signal) -> Signal:
    level = float(np.sqrt(np.mean(np.square(signal))))
    return (signal * (LEVEL / max(level, 1e-9))).astype(np.float32)


def _of_spectrum(magnitude: Samples, samples: int, rng: Rng) -> Samples:
    """Gaussian noise (samples,) whose spectrum has the magnitudes of `_frequencies`."""
    size = next_fast_len(samples, real=True)
    white = np.asarray(rfft(rng.normal(size=size)), np.complex128)
    return np.asarray(irfft(white * magnitude, size), np.float64)[:samples]


def _frequencies(samples: int, sample_rate: int) -> Samples:
    size = next_fast_len(samples, real=True)
    return np.arange(size // 2 + 1, dtype=np.float64) * (sample_rate / size)


def _drift(samples: int, sample_rate: int, rng: Rng, octaves: float) -> Samples:
    """A slow random curve with a standard deviation of `octaves`."""
    return octaves * _slow(samples, sample_rate, rng, _log_uniform(rng, 0.3, 3.0))


def _slow(samples: int, sample_rate: int, rng: Rng, seconds: float) -> Samples:
    """A random curve through independent normal points, one every `seconds`."""
    count = int(samples / (seconds * sample_rate)) + 2
    return np.interp(np.arange(samples) / (seconds * sample_rate), np.arange(count), rng.normal(size=count))


def _smoothed(values: Samples, constant: float) -> Samples:
    """A first-order low-pass of a time constant in samples."""
    pole = np.exp(-1.0 / constant)
    result: Samples = lfilter([1.0 - pole], [1.0, -pole], values)
    return result


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
