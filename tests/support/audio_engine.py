"""The audio engine in Verilator, next to the reference: utterances in, every feature bit and sample compared."""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.bench.build import verilated
from cosim.bench.flat import Flat
from cosim.bench.sound import STREAMS, Pauses
from hw.flow.rtl import to_verilog
from hw.gateware.audio.engine import AudioEngine
from model.bundle.formats import top
from model.bundle.front_end import FrontEnd
from model.reference.analysis import Analysis
from model.reference.synthesis import Synthesis

__all__ = ["Run", "check", "random_front_end", "random_level_front_end", "random_samples"]

TOP = "engine"


@dataclass(frozen=True)
class Run:
    """The cycle of each transfer, a row per frame for features and mask, a row per hop for samples in and out."""

    taken: NDArray[np.int64]
    features: NDArray[np.int64]
    mask: NDArray[np.int64]
    out: NDArray[np.int64]


def random_front_end(
    rng: np.random.Generator, fft_size: int, mask_bits: int = 1, bits: int = 2, gain_frames: int = 4
) -> FrontEnd:
    """One with thresholds on all levels; at least one is always reached, and one never."""
    keys = rng.integers(20 << 10, 50 << 10, (fft_size // 2 + 1, bits))
    extremes = rng.permutation(keys.size)[:: int(rng.integers(2, 10))]
    keys.flat[extremes] = np.resize([0, 2**17 - 1, 1], len(extremes))
    return FrontEnd(
        sample_rate=16000,
        fft_size=fft_size,
        rms=float(10 ** rng.uniform(-3, 0)),
        keys=np.sort(keys, axis=1).astype(np.int32),
        gain_frames=gain_frames,
        code="thermometer",
        mask_bits=mask_bits,
    )


def random_level_front_end(rng: np.random.Generator, fft_size: int, feature_bits: int) -> FrontEnd:
    """One whose ranges of levels begin anywhere."""
    one = random_front_end(rng, fft_size, bits=1)
    return replace(one, code="level", feature_bits=feature_bits)


def random_samples(rng: np.random.Generator, count: int, kind: str = "noise") -> NDArray[np.int16]:
    """Samples of a kind: silence, dc, square, impulse, or noise of many levels with silence and full scale."""
    full = int(rng.choice([-32768, 32767, 1, -1]))
    if kind == "silence":
        return np.zeros(count, np.int16)
    if kind == "dc":
        return np.full(count, full, np.int16)
    if kind == "square":
        return np.where(np.arange(count) // int(rng.integers(1, 9)) % 2, -32768, 32767).astype(np.int16)
    if kind == "impulse":
        samples = np.zeros(count, np.int16)
        samples[int(rng.integers(count))] = full
        return samples
    level = 10.0 ** rng.uniform(-1, 4.5, -(-count // 16)).repeat(16)[:count]
    level[rng.random(count) < 0.02] = 1e6
    level[count // 2 : count // 2 + count // 6] = 0
    return np.clip(np.round(rng.normal(0, 1, count) * level), -32768, 32767).astype(np.int16)


def check(
    it: FrontEnd,
    utterances: Sequence[NDArray[np.int16]],
    rng: np.random.Generator,
    pauses: Sequence[Pauses] = (Pauses(),) * 4,
    *,
    bypass: bool = False,
    prompt: bool = False,
    engine: AudioEngine | None = None,
    floor: int | None = None,
    limit: int | None = None,
) -> Run:
    """Run the utterances one after the other and compare all that comes out with the reference.

    pauses : of samples, masks, features and output
    floor : what a mask bit of 0 counts, of an engine with an attenuation limit
    prompt : mask words are offered from the start; otherwise only once their frame's features have come
    """
    masks, bits, starts, want = [], [], [], []
    for samples in utterances:
        y, found = Analysis(it)(samples)
        mask = rng.integers(0, it.unit_gain + 1, (len(found), it.bins * it.mask_bits)).astype(np.uint8)
        want.append(Synthesis(it, floor or 0)(y, np.full_like(mask, it.unit_gain) if bypass else mask))
        units = mask.reshape(-1, it.mask_bits).astype(np.int32)
        integers = (units[:, 0] - top(it.gain_bits)) & ((1 << it.gain_bits) - 1)
        masks.append(units @ (1 << np.arange(it.mask_bits)) if it.gain_bits == 1 else integers)
        bits.append(found.ravel())
        starts += [int(frame == 0) for frame in range(len(found)) for _ in range(it.features)]
    features, out, frames = np.concatenate(bits), np.concatenate(want), len(starts) // it.features
    words = [
        (samples & 0xFFFF) | ((np.arange(len(samples)) == 0) << 16)
        for samples in (one.astype(np.int32) for one in utterances)
    ]
    offered = (0 if prompt else it.features) * np.repeat(np.arange(1, frames + 1), it.bins)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = {"i": np.concatenate(words), "mask": np.concatenate(masks), "frames": offered}
        for file, values in (inputs | {"counts": [len(features), len(out)]}).items():
            np.asarray(values, np.int32).tofile(folder / f"{file}.bin")
        verilog = to_verilog(Flat(engine or AudioEngine(it, limited=floor is not None)), TOP, folder)
        options = () if floor is None else ("-CFLAGS", "-DLIMITED")
        program = verilated(verilog, Path(__file__).with_suffix(".cpp"), TOP, headers=[STREAMS], options=options)
        most = limit or (frames + 2) * 20 * it.fft_size * 16 + sum(
            count * pause.percent * pause.longest // 100
            for count, pause in zip((len(inputs["i"]), len(offered), len(features), len(out)), pauses, strict=True)
        )
        arguments = [int(rng.integers(2**31)), most, int(bypass), floor or 0]
        arguments += [value for pause in pauses for value in (pause.percent, pause.longest)]
        status = subprocess.run([str(program), *map(str, arguments), name], cwd=folder).returncode
        got = {file: np.fromfile(folder / f"{file}.bin", np.int64).reshape(-1, 2) for file in ("features", "o")}
        taken, mask_taken = (np.fromfile(folder / f"{file}_taken.bin", np.int64) for file in ("i", "mask"))
    came = [len(got["features"]), len(got["o"])]
    width = it.feature_bits
    _same("feature", got["features"][:, 1] & (1 << width) - 1, features.astype(np.int16) & (1 << width) - 1)
    _same("start of a feature", got["features"][:, 1] >> width, np.array(starts))
    _same("sample", got["o"][:, 1], out)
    assert came == [len(features), len(out)], f"expected {len(features)} bits and {len(out)} samples, got {came}"
    assert not status, "still waiting at the cycle limit"
    return Run(
        taken,
        got["features"][:, 0].reshape(frames, it.features),
        mask_taken.reshape(frames, it.bins),
        got["o"][:, 0].reshape(frames, it.hop),
    )


def _same(what: str, got: NDArray[np.int64], want: NDArray[np.integer]) -> None:
    count = min(len(got), len(want))
    wrong = np.flatnonzero(got[:count] != want[:count])
    assert not len(wrong), f"{what} {wrong[0]} of {len(want)}: expected {want[wrong[0]]}, got {got[wrong[0]]}"
