"""Samples through the Verilated denoiser: every sample out, and every feature and mask bit inside, compared."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.bench.build import verilated
from cosim.bench.fed import Fed
from cosim.bench.flat import Flat
from cosim.bench.netlist import write_netlist
from cosim.chips.sdram import StreamedWeights
from hw.flow.rtl import to_rtlil, to_verilog
from hw.gateware.denoiser import Denoiser
from model.bundle.audio_constants import attenuation_floor
from model.bundle.bundle import Bundle
from model.bundle.front_end import FrontEnd
from model.reference.analysis import Analysis, Features
from model.reference.golden_model import GoldenModel
from model.reference.recording import Samples
from model.reference.synthesis import Mask, Synthesis
from model.reference.vectors import gains

__all__ = ["CLOCKS", "STREAMS", "Difference", "Heard", "Pauses", "SoundBench", "expected", "simulator_of"]

STREAMS, CLOCKS = (Path(__file__).with_name(name) for name in ("streams.h", "clocks.h"))
"""Common code of the C++ test benches."""

TOP = "sound"
DENOISER, FEEDERS = f"{TOP}.dut.denoiser", (f"{TOP}.dut", f"{TOP}.dut.memory_of_*")
"""What Amaranth calls the modules below the top."""

CYCLES_A_POINT = 400
"""Upper bound on cycles per frame and point of its window: a denoiser that takes more hangs."""


@dataclass(frozen=True)
class Pauses:
    """How often an end of the denoiser pauses after a sample, in percent, and for how many cycles at most."""

    percent: int = 0
    longest: int = 1


@dataclass(frozen=True)
class Difference:
    """The first word that differs from the reference."""

    what: str
    index: int
    expected: int | None
    got: int | None

    def __str__(self) -> str:
        return f"{self.what} {self.index}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True)
class Heard:
    """The result of a run.

    samples : the output
    taken, given : the cycle of each sample in, and of each sample out
    difference : the first word that differs from the reference, if any
    compared : how many words of each kind were compared: samples, features, mask bits or gains
    """

    samples: Samples
    taken: NDArray[np.int64]
    given: NDArray[np.int64]
    difference: Difference | None
    compared: dict[str, int]


def expected(
    bundle: Bundle, samples: Samples, bypass: bool = False, limit: float | None = None
) -> tuple[Features, Mask, Samples]:
    """Features, gains (frames, ...) and samples of an utterance that the hardware must give.

    limit : attenuate no bin by more decibels; None is no limit
    """
    spectrum, features = Analysis(bundle.front_end)(samples)
    model = GoldenModel(bundle)
    mask = model.masks(features) if len(features) else np.zeros((0, bundle.layers[-1].units), np.uint8)
    synthesis = Synthesis(bundle.front_end, attenuation_floor(limit, bundle.front_end))
    return features, mask, synthesis(spectrum, np.full_like(mask, bundle.front_end.unit_gain) if bypass else mask)


def simulator_of(verilog: Path, front_end: FrontEnd, quick: bool, sdram_cycles: int = 0) -> Path:
    """Verilate a denoiser's Verilog with its test bench; `quick` as in `SoundBench.build`.

    sdram_cycles : of the SDRAM's clock in one of the denoiser's, if it has one
    """
    define = f"-DMASK_BITS={front_end.bin_bits} -DFEATURE_BITS={front_end.feature_bits}"
    define += f" -DSDRAM_CYCLES={sdram_cycles}" if sdram_cycles else ""
    bench = Path(__file__).with_suffix(".cpp")
    return verilated(verilog, bench, TOP, headers=[STREAMS, CLOCKS], options=("-CFLAGS", define), quick=quick)


@dataclass(frozen=True)
class SoundBench:
    """A denoiser's simulator, built once for many runs.

    program, folder : the simulator, and the folder it runs in, with the contents of its memories
    bundle, attenuation : the bundle it is compared with, and its attenuation limit in dB
    start, stream : upper bounds on cycles until the first weights come from SDRAM, and in which a frame's come
    """

    program: Path
    folder: Path
    bundle: Bundle
    attenuation: float | None = None
    start: int = 0
    stream: int = 0

    @classmethod
    def build(
        cls,
        denoiser: Denoiser,
        folder: Path,
        *,
        netlist: bool = False,
        quick: bool = False,
        weights: StreamedWeights | None = None,
    ) -> "SoundBench":
        """Verilate a denoiser in a folder.

        netlist : synthesise it, and simulate its cells
        quick : do not optimise the simulator, which pays off for short runs
        weights : those of the streamed layers; the SDRAM has a whole number of cycles in one of the denoiser's
        """
        bundle = denoiser.network.bundle
        top = Flat(Fed(denoiser, weights))
        if netlist:
            family = denoiser.network.family.with_multipliers()
            verilog = write_netlist(to_rtlil(top, TOP), TOP, DENOISER, FEEDERS, family, folder)
        else:
            verilog = to_verilog(top, TOP, folder)
        sdram_cycles = max(1, int(weights.memory.clock_hz / weights.clock_hz)) if weights else 0
        program = simulator_of(verilog, bundle.front_end, quick, sdram_cycles)
        start, stream = (weights.start, 2 * weights.words) if weights else (0, 0)
        return cls(program, folder, bundle, denoiser.limit, start, stream)

    def run(
        self,
        utterances: Sequence[Samples],
        *,
        period: int = 0,
        pauses: tuple[Pauses, Pauses] = (Pauses(), Pauses()),
        bypass: bool = False,
        seed: int = 0,
        progress: Callable[[int], None] = lambda samples: None,
    ) -> Heard:
        """Run utterances one after the other, each begun by `start`, and compare with the reference.

        period : cycles from one input sample to the next; 0 offers it as soon as the last one is taken
        pauses : at the input and at the output
        """
        front_end, folder = self.bundle.front_end, self.folder
        wanted = [expected(self.bundle, one, bypass, self.attenuation) for one in utterances]
        features, masks, samples = (np.concatenate([one[place].ravel() for one in wanted]) for place in range(3))
        words = [(one.astype(np.int32) & 0xFFFF) | ((np.arange(len(one)) == 0) << 16) for one in utterances]
        offered = np.concatenate(words).astype(np.int32)
        frames = len(samples) // front_end.hop + 2
        limit = self.start + frames * (CYCLES_A_POINT * front_end.fft_size + self.stream) + period * len(offered)
        limit += sum(pause.longest * count for pause, count in zip(pauses, (len(offered), len(samples)), strict=True))
        offered.tofile(folder / "i.bin")
        ends = (number for one in pauses for number in (one.percent, one.longest))
        options = [seed, limit, int(bypass), period, *ends, len(samples), folder]
        with subprocess.Popen(
            [str(self.program), *map(str, options)], cwd=folder, stdout=subprocess.PIPE, text=True
        ) as running:
            for line in running.stdout or ():
                progress(int(line))
        got = {key: np.fromfile(folder / f"{key}.bin", np.int32) for key in ("feature", "mask", "o")}
        bits = (got["mask"][:, None] >> np.arange(front_end.bin_bits) & 1).astype(np.uint8)
        gain = "mask bit" if front_end.gain_bits == 1 else "gain"
        levels = {"level": (got["feature"], features.astype(np.int16) & (1 << front_end.feature_bits) - 1)}
        given = {"feature bit": (got["feature"], features)} if front_end.feature_bits == 1 else levels
        pairs: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
            **given,
            gain: (gains(bits, front_end).ravel(), masks),
            "sample": (got["o"], samples),
        }
        found = (_difference(what, *pair) for what, pair in pairs.items())
        return Heard(
            got["o"].astype(np.int16),
            np.fromfile(folder / "i_cycles.bin", np.int64),
            np.fromfile(folder / "o_cycles.bin", np.int64),
            next((one for one in found if one is not None), None),
            {what: len(want) for what, (_, want) in pairs.items()},
        )


def _difference(what: str, got: NDArray[np.integer], want: NDArray[np.integer]) -> Difference | None:
    count = min(len(got), len(want))
    wrong = np.flatnonzero(got[:count] != want[:count])
    if len(wrong):
        return Difference(what, int(wrong[0]), int(want[wrong[0]]), int(got[wrong[0]]))
    if len(got) != len(want):
        return Difference(what, count, *(int(words[count]) if count < len(words) else None for words in (want, got)))
    return None
