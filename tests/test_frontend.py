"""The front end: STFT and back, and the bits that a magnitude becomes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import BadInput
from model.frontend import FrontEnd

FFT = 16
BINS = FFT // 2 + 1


def front_end(thresholds: np.ndarray, fft_size: int = FFT, hop: int = FFT // 4) -> FrontEnd:
    return FrontEnd(16000, fft_size, hop, "hann", 0.1, thresholds.astype(np.float32))


def levels(bits: int, bins: int = BINS) -> np.ndarray:
    """Thresholds 1, 2, 3, ...: the code of a magnitude is its integer part."""
    return np.tile(np.arange(1, 2**bits, dtype=np.float32), (bins, 1))


def spectrum_of(magnitudes: np.ndarray) -> np.ndarray:
    return np.asarray(magnitudes, dtype=np.complex64).reshape(-1, BINS)


def test_sizes():
    it = front_end(levels(4))
    assert (it.bins, it.bits, it.features, it.frame_rate) == (9, 4, 36, 4000.0)


@pytest.mark.parametrize("code", range(16))
def test_code_is_natural_binary_most_significant_bit_first(code):
    bits = front_end(levels(4)).encode(spectrum_of(np.full(BINS, code + 0.5)))
    assert bits.shape == (1, 4 * BINS)
    assert bits[0, :4].tolist() == [int(digit) for digit in f"{code:04b}"]


@pytest.mark.parametrize("bin_", range(BINS))
@pytest.mark.parametrize(("code", "bit"), [(8, 0), (4, 1), (2, 2), (1, 3)])
def test_feature_index_is_bin_times_bits_plus_bit(bin_, code, bit):
    magnitudes = np.zeros(BINS)
    magnitudes[bin_] = code + 0.5
    assert np.flatnonzero(front_end(levels(4)).encode(spectrum_of(magnitudes))[0]).tolist() == [bin_ * 4 + bit]


def test_tie_with_a_threshold_counts_as_reached():
    magnitude = np.float32(3.0)
    below = np.nextafter(magnitude, np.float32(0))
    encode = front_end(levels(4)).encode
    assert encode(spectrum_of(np.full(BINS, magnitude)))[0, :4].tolist() == [0, 0, 1, 1]
    assert encode(spectrum_of(np.full(BINS, below)))[0, :4].tolist() == [0, 0, 1, 0]


def test_zero_magnitude_reaches_a_zero_threshold():
    assert front_end(np.zeros((BINS, 1))).encode(spectrum_of(np.zeros(BINS))).tolist() == [[1] * BINS]


def test_equal_thresholds_count_each():
    assert front_end(np.full((BINS, 3), 1.0)).encode(spectrum_of(np.ones(BINS)))[0, :2].tolist() == [1, 1]


@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(1, 8), frames=st.integers(1, 4))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_code_is_the_number_of_thresholds_reached(seed, bits, frames):
    rng = np.random.default_rng(seed)
    thresholds = np.sort(rng.integers(0, 6, (BINS, 2**bits - 1)), axis=1)
    # Integers, so that the sum of squares is exact and a test of our own has nothing to round.
    spectrum = rng.integers(-4, 5, (frames, BINS)) + 1j * rng.integers(-4, 5, (frames, BINS))
    got = front_end(thresholds).encode(spectrum.astype(np.complex64))
    power = spectrum.real.astype(int) ** 2 + spectrum.imag.astype(int) ** 2
    for frame in range(frames):
        for bin_ in range(BINS):
            code = sum(power[frame, bin_] >= int(limit) ** 2 for limit in thresholds[bin_])
            digits = [int(digit) for digit in f"{code:0{bits}b}"]
            assert got[frame, bin_ * bits : (bin_ + 1) * bits].tolist() == digits


@given(
    seed=st.integers(0, 2**32 - 1),
    fft_size=st.sampled_from([2, 15, 16, 64]),
    divisor=st.sampled_from([2, 4]),
    extra=st.integers(0, 200),
)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_istft_inverts_stft(seed, fft_size, divisor, extra):
    hop = max(1, fft_size // divisor)
    it = front_end(np.ones((fft_size // 2 + 1, 1)), fft_size, hop)
    signal = np.random.default_rng(seed).standard_normal(-(-fft_size // 2) + extra).astype(np.float32)
    spectrum = it.stft(signal)
    assert spectrum.shape[1] == it.bins and spectrum.dtype == np.complex64
    back = it.istft(spectrum, len(signal))
    assert back.dtype == np.float32
    assert np.allclose(back, signal, atol=1e-5)


def test_frame_i_is_centred_on_sample_i_minus_1_hops():
    # At a hop of a quarter window: the first frame that touches the signal is centred a hop before it.
    hop = FFT // 4
    signal = np.random.default_rng(1).standard_normal(100).astype(np.float32)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)  # periodic Hann
    padded = np.pad(signal, FFT)
    starts = np.arange(28) * hop - hop - FFT // 2
    expected = [np.abs(np.fft.rfft(padded[FFT + start : 2 * FFT + start] * window)) for start in starts]
    assert np.allclose(np.abs(front_end(levels(1)).stft(signal)), expected, atol=1e-5)


@pytest.mark.parametrize("fft_size", [15, 16])
def test_shorter_than_half_a_window_is_refused(fft_size):
    it = front_end(np.ones((fft_size // 2 + 1, 1)), fft_size, 4)
    assert len(it.stft(np.ones(8, dtype=np.float32)))
    with pytest.raises(BadInput, match=r"^recording: expected at least 8 samples \(half a window\), got 7$"):
        it.stft(np.ones(7, dtype=np.float32))


def test_normalise_scales_to_the_level():
    signal = np.array([3.0, -4.0, 0.0, 0.0], dtype=np.float32)
    scaled, gain = front_end(levels(1)).normalise(signal)
    assert gain == pytest.approx(0.1 / 2.5)
    assert np.sqrt(np.mean(scaled**2)) == pytest.approx(0.1)


def test_silence_is_refused():
    with pytest.raises(BadInput, match=r"^recording: expected sound, got digital silence$"):
        front_end(levels(1)).normalise(np.zeros(100, dtype=np.float32))
