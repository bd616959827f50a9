"""Sound as it comes: raw samples from a pipe, a hop at a time, denoised into another: `bgru live`."""

from typing import BinaryIO

import numpy as np

from model.bundle.bundle import Bundle
from model.reference.denoise import Stream
from model.reference.recording import Samples

__all__ = ["live"]


def live(network: Bundle, source: BinaryIO, sink: BinaryIO, bypass: bool = False) -> None:
    """Raw PCM from `source` to `sink` a hop at a time, flushed after each: `bgru live`.

    Mono, 16 bits, little-endian, at the bundle's rate. The output is N - hop samples late and as much longer, so that
    the end is heard too. Half a sample at the end is dropped. Returns when `source` ends, or nobody reads `sink`.
    """
    stream, hop = Stream(network, bypass), network.front_end.hop
    read = 0
    try:
        while octets := source.read(2 * hop):
            samples = np.frombuffer(octets, "<i2", len(octets) // 2)
            read += len(samples)
            _play(stream(samples), sink)
        _play(stream(np.zeros(stream.delay + -read % hop, np.int16))[: stream.delay + read % hop], sink)
    except BrokenPipeError:
        return


def _play(samples: Samples, sink: BinaryIO) -> None:
    sink.write(samples.astype("<i2").tobytes())
    sink.flush()
