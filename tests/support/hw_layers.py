"""Simulate a layer or a whole network and check every vector of every frame against the golden model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.gateware.layers import LayerComponent
from hw.gateware.network import Network, make_layer
from hw.shape.family import ECP5, Family
from hw.shape.folding import Folding, Source
from hw.shape.layer_spec import computed_of, vectors_of
from hw.shape.words import words
from model.bundle.bits import pack
from model.bundle.bundle import Bundle
from model.reference.golden_model import GoldenModel, Trace
from model.reference.vectors import carried_bits, element_bits, output_of, traced_bits
from tests.support.hw_bench import Bench, bits_of, from_words, to_words

Frames = list[tuple[NDArray[Any], NDArray[np.uint8], Trace]]
"""Features, bits of the mask, and all vectors of each frame."""


def golden_frames(bundle: Bundle, features: NDArray[Any], starts: Sequence[int]) -> Frames:
    """A frame whose start is 1 begins from the initial state."""
    model, frames = GoldenModel(bundle), []
    for bits, start in zip(features, starts, strict=True):
        if start:
            model.reset()
        mask, trace = model.step(pack(bits) if bundle.front_end.feature_bits == 1 else bits)
        frames.append((bits, carried_bits(bundle.layers[-1], mask), trace))
    return frames


class LayerWatch:
    """A layer's probe: compares its vectors, counts its cycles per frame as the co-simulation does."""

    def __init__(self, bench: Bench, probe: Any, hardware: LayerComponent, frames: int) -> None:
        self.layer, self.spec = hardware.layer, hardware.spec
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
        names, count = computed_of(self.layer.kind), self.spec.results
        results = [entry for entry in self.log if entry[0]]
        assert len(results) == len(frames) * count * len(names)
        for index, (_, _, trace) in enumerate(frames):
            for order, (name, together) in enumerate(names.items()):
                first = (index * len(names) + order) * count
                chunks = results[first : first + count]
                assert {vector for _, vector, *_ in chunks} == {order}
                self._compare(index, name, [data for _, _, data, *_ in chunks], trace)
                if together is not None:
                    self._compare(index, together, [h for _, _, _, h, *_ in chunks], trace)

    def _compare(self, frame: int, name: str, chunks: list[int], trace: Trace) -> None:
        expected = traced_bits(self.layer, trace[self.layer.name][name])
        bits = np.concatenate([bits_of(chunk, self.spec.result_bits) for chunk in chunks])[: len(expected)]
        assert np.array_equal(bits, expected), f"{self.layer.name}, frame {frame}, {name}: {expected} expected, {bits}"


def weights_sent(layer: Any, frames: int) -> list[int]:
    """Words for a layer's `load`: its weights once, or once for every frame."""
    return layer.engine.matrix.weight_words * (frames if layer.folding.weights == "streamed" else 1)


def run_layer(
    bundle: Bundle,
    folding: Folding,
    features: NDArray[Any],
    starts: Sequence[int],
    rng: np.random.Generator,
    idle: float = 0.0,
    stall: float = 0.0,
    abort: int = 0,
    weights: Source = "rom",
    family: Family = ECP5,
) -> tuple[Any, LayerWatch, list[int], list[int]]:
    """The bundle's first layer by itself: the component, its watch, and the cycles of all words in and out."""
    layer = bundle.layers[0]
    dut = make_layer(layer, replace(folding, weights=weights), family)
    loads = [dut.load] if weights != "rom" else []
    bench = Bench(dut, rng)
    if abort:
        bench.aborted_run(abort, [dut.i, *loads], [dut.o])
    frames = golden_frames(bundle, features, starts)
    watch = LayerWatch(bench, dut.probe, dut, len(frames))
    for load in loads:
        bench.feed(load, weights_sent(dut, len(frames)), idle)
    bits, spec = element_bits(features, bundle.front_end.feature_bits), dut.spec
    fed = bench.feed(dut.i, to_words(rng, bits, starts, spec.in_width), idle)
    length = layer.units * spec.output_bits
    got = bench.drain(dut.o, len(features) * words(length, spec.out_width), stall)
    bench.run()
    watch.assert_equals(frames)
    output, output_starts = from_words(got, length, spec.out_width)
    last = vectors_of(layer.kind)[-1]
    expected = [output_of(layer, trace[layer.name][last]) for _, _, trace in frames]
    assert np.array_equal(output, expected)
    assert output_starts == list(starts)
    return dut, watch, fed, [cycle for cycle, _ in got]


def run_network(
    bundle: Bundle,
    foldings: Mapping[str, Folding],
    features: NDArray[Any],
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
        name: LayerWatch(bench, getattr(dut, f"probe_{name}"), layer, len(frames)) for name, layer in dut.layers.items()
    }
    for name, load in loads.items():
        bench.feed(load, weights_sent(dut.layers[name], len(frames)), idle)
    bench.feed(dut.i, to_words(rng, element_bits(features, bundle.front_end.feature_bits), starts, in_width), idle)
    length = bundle.layers[-1].units * dut.spec.layers[-1].output_bits
    got = bench.drain(dut.o, len(features) * words(length, out_width), stall)
    bench.run()
    masks, output_starts = from_words(got, length, out_width)
    assert np.array_equal(masks, [mask for _, mask, _ in frames])
    assert output_starts == list(starts)
    for watch in watches.values():
        watch.assert_equals(frames)
    return dut, watches
