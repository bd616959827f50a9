"""Simulate a layer or a whole network and check every vector of every frame against the golden model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.gateware.network import Network, make_layer
from hw.shape.family import ECP5
from hw.shape.folding import Folding, Source
from hw.shape.layer_spec import vectors_of
from hw.shape.words import words
from model.bundle.bits import pack, unpack
from model.bundle.bundle import Bundle
from model.bundle.layers import Layer
from model.reference.golden_model import GoldenModel, Trace
from tests.support.hw_bench import Bench, bits_of, from_words, to_words

Frames = list[tuple[NDArray[np.uint8], NDArray[np.uint8], Trace]]
"""Features, mask and all vectors of each frame."""


def golden_frames(bundle: Bundle, features: NDArray[np.uint8], starts: Sequence[int]) -> Frames:
    """A frame whose start is 1 begins from the initial state."""
    model, frames = GoldenModel(bundle), []
    for bits, start in zip(features, starts, strict=True):
        if start:
            model.reset()
        mask, trace = model.step(pack(bits))
        frames.append((bits, unpack(mask, bundle.layers[-1].units), trace))
    return frames


class LayerWatch:
    """A layer's probe: compares its vectors, counts its cycles per frame as the co-simulation does."""

    def __init__(self, bench: Bench, probe: Any, layer: Layer, folding: Folding, frames: int) -> None:
        self.layer, self.pe = layer, folding.pe
        self.log = bench.watch(probe.valid, probe.vector, probe.data, probe.h, probe.busy, probe.released)
        bench.script(self._wait_for(bench, probe, frames))

    @staticmethod
    def _wait_for(bench: Bench, probe: Any, frames: int) -> Any:
        """A layer releases the last frame after its last word is out: the bench runs until then."""

        async def script(ctx: Any) -> None:
            await bench.begun(ctx)
            for _ in range(frames):
                await ctx.tick().until(probe.released)

        return script

    @property
    def cycles(self) -> list[int]:
        counts, busy_for = [], 0
        for *_, busy, released in self.log:
            busy_for += busy
            if released:
                counts.append(busy_for)
                busy_for = 0
        return counts

    def assert_equals(self, frames: Frames) -> None:
        names = [name for name in vectors_of(self.layer.kind) if name != "h"]
        groups = words(self.layer.units, self.pe)
        results = [entry for entry in self.log if entry[0]]
        assert len(results) == len(frames) * groups * len(names)
        for index, (_, _, trace) in enumerate(frames):
            for order, name in enumerate(names):
                first = (index * len(names) + order) * groups
                chunks = results[first : first + groups]
                assert {vector for _, vector, *_ in chunks} == {order}
                self._compare(index, name, [data for _, _, data, *_ in chunks], trace)
                if name == "candidate":
                    self._compare(index, "h", [h for _, _, _, h, *_ in chunks], trace)

    def _compare(self, frame: int, name: str, chunks: list[int], trace: Trace) -> None:
        bits = np.concatenate([bits_of(chunk, self.pe) for chunk in chunks])[: self.layer.units]
        expected = unpack(trace[self.layer.name][name], self.layer.units)
        assert np.array_equal(bits, expected), f"{self.layer.name}, frame {frame}, {name}: {expected} expected, {bits}"


def weights_sent(layer: Any, frames: int) -> list[int]:
    """Words for a layer's `load`: its weights once, or once for every frame."""
    return layer.engine.matrix.weight_words * (frames if layer.folding.weights == "streamed" else 1)


def run_layer(
    bundle: Bundle,
    folding: Folding,
    features: NDArray[np.uint8],
    starts: Sequence[int],
    rng: np.random.Generator,
    idle: float = 0.0,
    stall: float = 0.0,
    abort: int = 0,
    weights: Source = "rom",
) -> tuple[Any, LayerWatch, list[int], list[int]]:
    """The bundle's first layer by itself: the component, its watch, and the cycles of all words in and out."""
    layer = bundle.bitwise[0]
    dut = make_layer(layer, replace(folding, weights=weights), ECP5)
    loads = [dut.load] if weights != "rom" else []
    bench = Bench(dut, rng)
    if abort:
        bench.aborted_run(abort, [dut.i, *loads], [dut.o])
    frames = golden_frames(bundle, features, starts)
    watch = LayerWatch(bench, dut.probe, layer, folding, len(frames))
    for load in loads:
        bench.feed(load, weights_sent(dut, len(frames)), idle)
    fed = bench.feed(dut.i, to_words(rng, features, starts, folding.simd), idle)
    got = bench.drain(dut.o, len(features) * words(layer.units, folding.pe), stall)
    bench.run()
    watch.assert_equals(frames)
    output, output_starts = from_words(got, layer.units, folding.pe)
    last = vectors_of(layer.kind)[-1]
    expected = [unpack(trace[layer.name][last], layer.units) for _, _, trace in frames]
    assert np.array_equal(output, expected)
    assert output_starts == list(starts)
    return dut, watch, fed, [cycle for cycle, _ in got]


def run_network(
    bundle: Bundle,
    foldings: Mapping[str, Folding],
    features: NDArray[np.uint8],
    starts: Sequence[int],
    rng: np.random.Generator,
    in_width: int = 8,
    out_width: int = 8,
    idle: float = 0.0,
    stall: float = 0.0,
    abort: int = 0,
) -> tuple[Network, dict[str, LayerWatch]]:
    """A whole network: every vector of every layer, the masks, and the padding of the words out."""
    dut = Network(bundle, foldings, ECP5, in_width, out_width)
    bench = Bench(dut, rng)
    loads = {name: getattr(dut, f"load_{name}") for name, fold in foldings.items() if fold.weights != "rom"}
    if abort:
        bench.aborted_run(abort, [dut.i, *loads.values()], [dut.o])
    frames = golden_frames(bundle, features, starts)
    watches = {
        name: LayerWatch(bench, getattr(dut, f"probe_{name}"), layer.layer, layer.folding, len(frames))
        for name, layer in dut.layers.items()
    }
    for name, load in loads.items():
        bench.feed(load, weights_sent(dut.layers[name], len(frames)), idle)
    bench.feed(dut.i, to_words(rng, features, starts, in_width), idle)
    got = bench.drain(dut.o, len(features) * words(bundle.layers[-1].units, out_width), stall)
    bench.run()
    masks, output_starts = from_words(got, bundle.layers[-1].units, out_width)
    assert np.array_equal(masks, [mask for _, mask, _ in frames])
    assert output_starts == list(starts)
    for watch in watches.values():
        watch.assert_equals(frames)
    return dut, watches
