"""What skipping work would save without changing a bit of the result, on real recordings: `bgru skipping`.

In every frame the hardware goes through a BGRU layer's `3 * groups * words` steps, one row group and one word in
each, whatever the data. Three kinds of step change nothing, and recordings show how many there are:

1. if z = 1 a unit keeps its old h and needs no candidate: a row group of the candidate pass whose `pe` units
   all have z = 1 is *kept*;
2. a word of an operand (x, h or r * h) is *steady* if it equals the last frame's at the same place; it adds the same
   sum. With the last frame's sums stored (`stored_bits`), only the other words must be processed;
3. a word of r * h without an active lane is *idle* and adds nothing.

The shares don't add up: an idle word is often steady, and a skipped sum of h~ is not available in the next frame.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.hdl import Shape
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from hw.shape.words import words
from model.bundle.bits import Bits, pack, unpack
from model.bundle.bundle import Bundle
from model.bundle.layers import Layer
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.reference import audio
from model.reference.denoise import hear
from model.reference.golden_model import GoldenModel

PES = (1, 2, 4, 8)
SIMDS = (8, 16, 32, 64)


@dataclass(frozen=True, eq=False)
class Operands:
    """A BGRU layer's operands in each frame, and its z: bits, x (frames, inputs), the others (frames, units).

    `h` is the state at the start of the frame; `r` says which of its lanes are active in r * h.
    """

    x: Bits
    h: Bits
    r: Bits
    z: Bits


def operands(network: Bundle, features: Bits) -> dict[str, Operands]:
    """Every BGRU layer's operands over one utterance, by the golden model: features (frames, features)."""
    model = GoldenModel(network)
    traces = [trace for _, trace in model.steps(pack(features))]
    found, x = {}, features
    for layer in network.bitwise:
        y, *gates = (
            unpack(np.stack([trace[layer.name][name] for trace in traces]), layer.units)
            for name in (("h", "r", "z") if layer.kind == "bgru" else ("y",))
        )
        if layer.initial_state is not None:
            before = np.concatenate([unpack(layer.initial_state, layer.units)[None], y[:-1]])
            found[layer.name] = Operands(x, before, *gates)
        x = y
    return found


def kept_groups(z: Bits, pe: int) -> float:
    """Share of row groups (frames x groups) whose units all have z = 1; padding rows need no candidate either."""
    return float(_cut(z, pe, padding=1).all(axis=-1).mean())


def steady_words(vector: Bits, simd: int) -> float:
    """Share of words (frames x words) equal to the last frame's; none in the first frame."""
    cut = _cut(vector, simd)
    return float((cut[1:] == cut[:-1]).all(axis=-1).sum() / (cut.shape[0] * cut.shape[1]))


def idle_words(r: Bits, simd: int) -> float:
    """Share of words (frames x words) without an active lane."""
    return float(1 - _cut(r, simd).any(axis=-1).mean())


def _cut(vector: Bits, width: int, padding: int = 0) -> NDArray[np.uint8]:
    """(frames, length) to (frames, words, width), the last word padded with `padding`."""
    spare = words(vector.shape[1], width) * width - vector.shape[1]
    padded = np.pad(vector, ((0, 0), (0, spare)), constant_values=padding)
    return padded.reshape(len(vector), -1, width)


def savings(of: Operands) -> dict[str, float]:
    """What could be skipped, and its share of the layer's cycles.

    A word of x is used in all three matrices, a word of h in those of r and z, a word of r * h in that of h~.
    """
    masked = of.r * (1 + of.h)  # the three values of a lane: 0 if it is off, 1 for -1, 2 for +1
    shares = {f"row groups kept by z, PE {pe}": kept_groups(of.z, pe) / 3 for pe in PES}
    for simd in SIMDS:
        x, h = words(of.x.shape[1], simd), words(of.h.shape[1], simd)
        into, own = x / (x + h), h / (x + h)
        shares |= {
            f"steady words of x, SIMD {simd}": steady_words(of.x, simd) * into,
            f"steady words of h, SIMD {simd}": steady_words(of.h, simd) * own * 2 / 3,
            f"steady words of r * h, SIMD {simd}": steady_words(masked, simd) * own / 3,
            f"idle words of r * h, SIMD {simd}": idle_words(of.r, simd) * own / 3,
        }
    # A whole frame as one word: if x and h are both steady, so is everything derived from them.
    both = np.concatenate([of.x, of.h], axis=1)
    inputs, columns = of.x.shape[1], both.shape[1]
    return shares | {
        "steady frames of x": steady_words(of.x, inputs) * inputs / columns,
        "steady frames of x and h": steady_words(both, columns),
    }


def stored_bits(layer: Layer) -> int:
    """Bits to store for skipping steady words: the last frame's sum of every row, and its x, h and r.

    A word that is not steady then adds the change of its lanes.
    """
    columns = layer.inputs + layer.units
    return 3 * layer.units * Shape.cast(range(-columns, columns + 1)).width + layer.inputs + 2 * layer.units


def shares(network: Bundle, features: Bits) -> list[tuple[str, float]]:
    """For a benchmark: (what could be skipped in which layer, share of that layer's cycles), one recording."""
    return [
        (f"{name}: {what}", share)
        for name, of in operands(network, features).items()
        for what, share in savings(of).items()
    ]


def run(bundle_folder: Path, recordings: list[Path]) -> None:
    """Measure how much of a network's work could be skipped without changing a bit: `bgru skipping`."""
    network = read_bundle(bundle_folder)
    recurrent = [layer for layer in network.bitwise if layer.kind == "bgru"]
    if not recurrent:
        raise BadInput(f"{bundle_folder}: expected a BGRU layer, got none")
    front_end = network.front_end
    measured: dict[str, list[float]] = {}
    for path in recordings:
        for name, share in shares(network, hear(front_end, audio.read_samples(path, front_end.sample_rate))):
            measured.setdefault(name, []).append(share)

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("share of the layer's cycles", "mean", "least", "most"):
        table.add_column(column, justify="left" if not table.columns else "right")
    for name, values in measured.items():
        table.add_row(name, *(f"{value:.1%}" for value in (np.mean(values), min(values), max(values))))
    console.print(table)
    for layer in recurrent:
        console.print(f"{layer.name}: skipping steady words takes {stored_bits(layer):,} bits of memory")
