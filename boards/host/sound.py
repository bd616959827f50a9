"""Sound through a board: a recording (`bgru host --audio`), or samples as they come (`bgru host --live`)."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import BinaryIO

import numpy as np

from boards.host.link import Link
from boards.host.protocol import Kind
from boards.host.transfer import SHOWN, Transfer, carry
from model.bundle.read import read_bundle
from model.console import console
from model.reference import audio
from model.reference.denoise import Stream
from model.reference.live import play
from model.reference.recording import Samples

__all__ = ["from_payload", "live", "run", "to_payload"]

AHEAD = 8
"""Hops read ahead of the board's window."""


def to_payload(hop: Samples) -> bytes:
    """A hop as a board takes it."""
    return hop.astype("<i2").tobytes()


def from_payload(answer: bytes) -> Samples:
    """A board's answer as a hop."""
    return np.frombuffer(answer, "<i2")


def run(
    recording: Path,
    output: Path,
    port: str,
    bundle_folder: Path,
    baud: int,
    bypass: bool = False,
    patience: float | None = None,
) -> None:
    """Denoise a recording through a board, and compare every sample with the reference: `bgru host --audio`."""
    network = read_bundle(bundle_folder)
    hop, delay = network.front_end.hop, network.front_end.fft_size - network.front_end.hop
    noisy = audio.read_samples(recording, network.front_end.sample_rate)
    padded = np.pad(noisy, (0, delay + -len(noisy) % hop))
    hops = [to_payload(samples) for samples in padded.reshape(-1, hop)]
    answers = carry(port, baud, network, Kind.SOUND, hops, bypass, patience)
    denoised = from_payload(b"".join(answers))
    _compare(Stream(network, bypass)(padded), denoised, hop)
    audio.write(output, denoised[delay:][: len(noisy)], network.front_end.sample_rate)
    console.print(f"denoised recording   {output}")


def _compare(expected: Samples, actual: Samples, hop: int) -> None:
    """Print the first samples that differ, and exit with 1 if any do."""
    wrong = np.flatnonzero(expected != actual)
    for sample in wrong[:SHOWN]:
        console.print(f"MISMATCH sample {sample} (hop {sample // hop}): ", end="")
        console.print(f"expected {expected[sample]}, got {actual[sample]}")
    agreeing = len(actual) - len(wrong)
    console.print(f"sample agreement     {agreeing:,} of {len(actual):,} samples in {len(actual) // hop} hops")
    if len(wrong):
        console.print(f"{len(wrong):,} samples differ from the reference; nothing was written")
        raise SystemExit(1)


def live(
    port: str,
    bundle_folder: Path,
    baud: int,
    source: BinaryIO,
    sink: BinaryIO,
    bypass: bool = False,
    keys: Iterable[bytes] = (),
) -> None:
    """Raw PCM through a board as it comes, like `model.reference.live.play`: `bgru host --live`.

    Each line of `keys`, which a thread reads, switches between denoised sound and `bypass`.
    """
    network = read_bundle(bundle_folder)
    with closing(Link(port, baud)) as link:
        transfer = Transfer(link, link.ready(network, Kind.SOUND), bypass)
        Thread(target=_switch, args=(transfer, keys), daemon=True).start()
        play(network.front_end, lambda hops: map(from_payload, transfer.run(_arriving(hops))), source, sink)


def _switch(transfer: Transfer, keys: Iterable[bytes]) -> None:
    for _ in keys:
        transfer.bypass = not transfer.bypass
        print("as it came in" if transfer.bypass else "denoised", file=sys.stderr, flush=True)


def _arriving(hops: Iterable[Samples]) -> Iterator[bytes | None]:
    """Payloads of hops that a thread reads; None while there is none."""
    queue: Queue[bytes | None] = Queue(AHEAD)

    def read() -> None:
        for hop in hops:
            queue.put(to_payload(hop))
        queue.put(None)

    Thread(target=read, daemon=True).start()
    while True:
        try:
            payload = queue.get_nowait()
        except Empty:
            yield None
            continue
        if payload is None:
            return
        yield payload
