"""A recording as an HTML page can hold it: sound and spectrogram as data URIs."""

import base64
import io

import numpy as np
import soundfile
from matplotlib.image import imsave

from model.audio import Signal
from model.frontend import FrontEnd

__all__ = ["SECONDS", "sound", "spectrogram"]

SECONDS = 10
"""So much of a recording is embedded at most; as FLAC it takes about 30 kB a second."""

FLOOR_DB = -70.0


def sound(signal: Signal, sample_rate: int) -> str:
    """The first `SECONDS` as lossless FLAC, for an `<audio>` element."""
    buffer = io.BytesIO()
    kept = signal[: SECONDS * sample_rate]
    soundfile.write(buffer, kept / max(1.0, float(np.abs(kept).max(initial=0.0))), sample_rate, "PCM_16", format="FLAC")
    return _uri("audio/flac", buffer)


def spectrogram(front_end: FrontEnd, signal: Signal, full_scale: float) -> str:
    """The same stretch as a PNG, a pixel for each frame and bin, low frequencies at the bottom.

    `full_scale` is the magnitude that is drawn brightest; the darkest is `FLOOR_DB` below it.
    """
    magnitude = np.abs(front_end.stft(signal[: SECONDS * front_end.sample_rate]))
    level = 20 * np.log10(np.maximum(magnitude / full_scale, 10 ** (FLOOR_DB / 20)))
    buffer = io.BytesIO()
    imsave(buffer, level.T, vmin=FLOOR_DB, vmax=0.0, cmap="magma", origin="lower", format="png")
    return _uri("image/png", buffer)


def _uri(kind: str, buffer: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
