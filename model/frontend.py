"""The front end: recording to feature bits, and masked spectrum back to a recording.

STFT by SciPy, then quantisation-and-dispersion (QaD, Kim and Smaragdis 2018): each bin's magnitude
becomes a natural-binary code, most significant bit first, and feature `bin * bits + bit` is that bit.
Nothing here knows of torch, so that training, golden model and co-simulation share the same bits.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.signal import ShortTimeFFT

from model.audio import Signal
from model.bits import Bits
from model.errors import BadInput

Spectrum = NDArray[np.complex64]


@dataclass(frozen=True, eq=False)
class FrontEnd:
    """Everything between samples and feature bits.

    `thresholds`, shape (bins, 2**bits - 1), float32 magnitudes, non-decreasing along a row: a bin's code
    is the number of thresholds that its magnitude reaches (`|X| >= threshold`, compared as squares).
    `rms` is the level a recording is scaled to before the STFT.
    """

    sample_rate: int
    fft_size: int
    hop: int
    window: str
    rms: float
    thresholds: NDArray[np.float32]

    @property
    def bins(self) -> int:
        """Frequency bins of one frame: `fft_size // 2 + 1`."""
        return self.fft_size // 2 + 1

    @property
    def bits(self) -> int:
        """QaD bits per bin."""
        return (self.thresholds.shape[1] + 1).bit_length() - 1

    @property
    def features(self) -> int:
        """Feature bits of one frame: `bins * bits`."""
        return self.bins * self.bits

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop

    @cached_property
    def _transform(self) -> ShortTimeFFT:
        return ShortTimeFFT.from_window(
            self.window,
            fs=self.sample_rate,
            nperseg=self.fft_size,
            noverlap=self.fft_size - self.hop,
            symmetric_win=False,
        )

    def check_window(self) -> None:
        """Refuse a window that SciPy doesn't know, or one that can't be undone at this hop."""
        try:
            _ = self._transform.dual_win
        except ValueError as error:
            raise BadInput(
                f"front_end.window: expected one of SciPy's that a hop of {self.hop} allows to undo, "
                f"got {self.window!r} ({error})"
            ) from None

    def normalise(self, signal: Signal) -> tuple[Signal, float]:
        """Scale a recording to `rms`; returns it and the gain used. Digital silence can't be scaled."""
        level = float(np.sqrt(np.mean(np.square(signal, dtype=np.float64))))
        if level == 0.0:
            raise BadInput("recording: expected sound, got digital silence")
        gain = self.rms / level
        return (signal * gain).astype(np.float32), gain

    def hear(self, recording: Signal) -> Bits:
        """Recording (samples,) of any level to feature bits (frames, features): what a network is given of it."""
        level, _ = self.normalise(recording)
        return self.encode(self.stft(level))

    def stft(self, signal: Signal) -> Spectrum:
        """Signal (samples,) to spectrum (frames, bins). Shorter than half a window is refused."""
        half = (self.fft_size + 1) // 2
        if len(signal) < half:
            raise BadInput(f"recording: expected at least {half} samples (half a window), got {len(signal)}")
        return np.ascontiguousarray(self._transform.stft(signal).T, dtype=np.complex64)

    def istft(self, spectrum: Spectrum, samples: int) -> Signal:
        """Spectrum (frames, bins) back to a signal of `samples` samples, by the canonical dual window."""
        return self._transform.istft(spectrum.T, k1=samples).astype(np.float32)

    def encode(self, spectrum: Spectrum) -> Bits:
        """Spectrum (frames, bins) to feature bits (frames, features), 0 or 1."""
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        squared = np.square(self.thresholds)
        code = np.zeros(power.shape, dtype=np.uint8)
        for level in range(squared.shape[1]):
            code += power >= squared[:, level]
        shifts = np.arange(self.bits - 1, -1, -1, dtype=np.uint8)
        bits = (code[..., None] >> shifts) & np.uint8(1)
        return bits.reshape(len(power), self.features)
