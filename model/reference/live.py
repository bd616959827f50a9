"""Sound as it comes: raw samples from a pipe, a hop at a time, denoised into another: `bgru live`."""

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import numpy as np

from model.bundle.bundle import Bundle
from model.bundle.front_end import FrontEnd
from model.reference.denoise import Stream
from model.reference.recording import Samples

__all__ = ["live", "play"]


def live(network: Bundle, source: BinaryIO, sink: BinaryIO, bypass: bool = False, limit: float | None = None) -> None:
    """Denoise raw PCM in software, as `play` has it: `bgru live`. Options as in `Stream`."""
    stream = Stream(network, bypass, limit)
    play(network.front_end, lambda hops: map(stream, hops), source, sink)


def play(
    front_end: FrontEnd, denoise: Callable[[Iterator[Samples]], Iterable[Samples]], source: BinaryIO, sink: BinaryIO
) -> None:
    """Raw PCM from `source` through `denoise`, which gives a hop for each hop, to `sink`, flushed after each.

    Mono, 16 bits, little-endian, at the front end's rate. The output is N - hop samples late and as much longer, so
    that the end is heard too. Half a sample at the end is dropped. Returns when `source` ends, or nobody reads `sink`.
    """
    hop, delay = front_end.hop, front_end.fft_size - front_end.hop
    read = written = 0

    def hops() -> Iterator[Samples]:
        nonlocal read
        while count := len(octets := source.read(2 * hop)) // 2:
            read += count
            yield np.pad(np.frombuffer(octets, "<i2", count), (0, hop - count))
        for _ in range(delay // hop):
            yield np.zeros(hop, np.int16)

    try:
        for samples in denoise(hops()):
            samples = samples[: read + delay - written]
            written += len(samples)
            sink.write(samples.astype("<i2").tobytes())
            sink.flush()
    except BrokenPipeError:
        return
