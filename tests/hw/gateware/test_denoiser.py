# amaranth: UnusedElaboratable=no
"""The whole denoiser against the reference: every feature bit, mask bit and sample, in Verilator."""

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.bench.sound import Pauses, SoundBench, expected
from hw.gateware.denoiser import Denoiser
from hw.gateware.network import Network
from hw.shape.family import FAMILIES
from hw.shape.folding import Source
from model.bundle.bundle import Bundle
from model.bundle.random_bundle import random_layer
from model.errors import BadInput
from model.reference.recording import Samples
from tests.support.audio_engine import random_front_end, random_samples
from tests.support.random_bundles import random_foldings, seeds

pytestmark = pytest.mark.simulator


def made(
    fft_size: int, mask_bits: int, units: int, seed: int, weights: Source = "rom", limit: float | None = None
) -> tuple[Bundle, Denoiser]:
    """A random network of any folding behind a random front end."""
    rng = np.random.default_rng(seed)
    front_end = random_front_end(rng, fft_size, mask_bits)
    gru = random_layer(rng, "bgru", front_end.features, units, name="gru0")
    mask = random_layer(rng, "dense", units, mask_bits * front_end.bins, name="mask")
    bundle = Bundle("random", front_end, (gru, mask))
    foldings = {name: dataclasses.replace(one, weights=weights) for name, one in random_foldings(rng, bundle).items()}
    return bundle, Denoiser(Network(bundle, foldings, FAMILIES["ecp5"], 1, mask_bits), limit=limit)


@pytest.fixture(scope="module")
def bench_of(tmp_path_factory) -> Callable[..., SoundBench]:
    """Of what `made` makes, each built once."""

    @cache
    def build(*args: Any, **options: Any) -> SoundBench:
        return SoundBench.build(made(*args, **options)[1], tmp_path_factory.mktemp("denoiser"), quick=True)

    return build


pauses = st.builds(Pauses, st.sampled_from([0, 20, 100]), st.sampled_from([1, 30, 2000]))
kinds = st.sampled_from(["noise", "silence", "dc", "square", "impulse"])


@given(
    shape=st.sampled_from([(16, 1, 5, 1), (16, 3, 7, 2), (32, 2, 9, 3), (64, 3, 6, 4)]),
    seed=seeds,
    signals=st.lists(kinds, min_size=1, max_size=3),
    both=st.tuples(pauses, pauses),
    bypass=st.booleans(),
)
@settings(max_examples=25)
def test_every_bit_and_sample_is_the_reference(bench_of, shape, seed, signals, both, bypass):
    bench, rng = bench_of(*shape), np.random.default_rng(seed)
    hop = bench.bundle.front_end.hop
    utterances = [random_samples(rng, int(rng.integers(1, 7)) * hop + int(rng.integers(hop)), kind) for kind in signals]
    heard = bench.run(utterances, pauses=both, bypass=bypass, seed=seed % 1000)
    assert heard.difference is None
    assert heard.compared["sample"] == sum(len(one) // hop * hop for one in utterances)


@pytest.mark.parametrize("limit", [6.0, 12.0, 200.0])
def test_a_limit_is_the_references(bench_of, limit):
    bench = bench_of(16, 3, 7, 2, limit=limit)
    samples = random_samples(np.random.default_rng(3), 64)
    heard = bench.run([samples])
    assert heard.difference is None
    assert np.array_equal(heard.samples, expected(bench.bundle, samples)[2]) == (limit == 200.0)


# The special cases of docs/audio.md, asked of the samples themselves; `exact` also compares them with the reference.


@pytest.fixture(scope="module")
def bench(bench_of) -> SoundBench:
    return bench_of(32, 2, 9, 3)


SIZE, HOP = 32, 8
LATE = SIZE - HOP


def exact(bench: SoundBench, *utterances: Samples, **how: Any) -> Samples:
    """The samples that come out."""
    heard = bench.run(utterances, **how)
    assert heard.difference is None
    return heard.samples


@given(kinds, seeds, st.integers(1, 30))
@settings(max_examples=30)
def test_bypassed_sound_is_the_input_within_4_and_late_by_a_window_less_a_hop(bench, kind, seed, hops):
    samples = random_samples(np.random.default_rng(seed), hops * HOP, kind)
    late = exact(bench, np.pad(samples, (0, LATE)), bypass=True)[LATE:]
    assert np.abs(late.astype(int) - samples).max() <= 4


def test_silence_is_silence(bench):
    assert not exact(bench, np.zeros(40 * HOP, np.int16)).any()


def test_masks_of_zeros_give_zeros_and_bypass_gives_the_sound_again(tmp_path):
    bundle, _ = made(32, 2, 9, 3)
    gru, mask = bundle.layers
    never = dataclasses.replace(mask, threshold=np.full_like(mask.threshold, mask.inputs + 1))
    deaf = dataclasses.replace(bundle, layers=(gru, never))
    foldings = random_foldings(np.random.default_rng(3), deaf)
    bench = SoundBench.build(Denoiser(Network(deaf, foldings, FAMILIES["ecp5"], 1, 2)), tmp_path, quick=True)
    for kind in ("noise", "square"):
        samples = random_samples(np.random.default_rng(5), 12 * HOP, kind)
        assert not exact(bench, samples).any()
        assert exact(bench, samples, bypass=True).any()


@given(kinds, seeds, st.booleans())
@settings(max_examples=20)
def test_after_sound_silence_ends_in_zeros_a_window_later(bench, kind, seed, bypass):
    sound = random_samples(np.random.default_rng(seed), 5 * HOP + seed % HOP, kind)
    heard = exact(bench, np.concatenate([sound, np.zeros(4 * SIZE, np.int16)]), bypass=bypass)
    assert not heard[len(sound) + LATE + SIZE :].any()  # late, and a window


@given(kinds, seeds, st.integers(1, 3))
@settings(max_examples=20)
def test_a_shift_by_hops_shifts_the_output_by_hops(bench, kind, seed, hops):
    """Bypassed: the slow gain, and with it the mask, depends on how many frames there were."""
    sound = random_samples(np.random.default_rng(seed), 9 * HOP, kind)
    first = exact(bench, sound, bypass=True)
    later = exact(bench, np.pad(sound, (hops * HOP, 0)), bypass=True)
    assert np.array_equal(later[hops * HOP :], first)


@given(seeds, st.integers(1, HOP - 1))
@settings(max_examples=20)
def test_a_restart_in_mid_hop_forgets_what_came_before(bench, seed, rest):
    rng = np.random.default_rng(seed)
    before, after = (random_samples(rng, count) for count in (6 * HOP + rest, 8 * HOP))
    alone = exact(bench, after)
    assert np.array_equal(exact(bench, before, after)[6 * HOP :], alone)


@pytest.mark.parametrize("end", ["source", "sink"])
def test_a_source_or_a_sink_that_stops_for_many_frames_changes_no_sample(bench, end):
    samples = random_samples(np.random.default_rng(5), 12 * HOP + 3)
    stops = Pauses(10, 50_000)
    pausing = (stops, Pauses()) if end == "source" else (Pauses(), stops)
    heard = bench.run([samples], pauses=pausing, seed=1)
    assert heard.difference is None
    assert np.diff(heard.given).max() > 20 * 2_000  # cycles: twenty frames and more
    assert np.array_equal(heard.samples, exact(bench, samples))


def test_weights_that_are_loaded_first_give_the_same(tmp_path):
    _, denoiser = made(32, 2, 9, 3, weights="loaded")
    assert denoiser.loads == ["load_gru0", "load_mask"]
    bench = SoundBench.build(denoiser, tmp_path, quick=True)
    assert bench.run([random_samples(np.random.default_rng(3), 64)]).difference is None


def test_a_wrong_network_is_found(bench_of):
    bench, (_, other) = bench_of(16, 1, 5, 1), made(16, 1, 5, 2)
    samples = random_samples(np.random.default_rng(3), 64)
    wrong = dataclasses.replace(bench.bundle, layers=other.network.bundle.layers)
    assert bench.run([samples]).difference is None
    difference = dataclasses.replace(bench, bundle=wrong).run([samples]).difference
    assert difference is not None and difference.what == "mask bit"


def test_another_width_of_words_is_refused():
    bundle, _ = made(16, 1, 5, 1)
    network = Network(bundle, random_foldings(np.random.default_rng(0), bundle), FAMILIES["ecp5"], 8, 8)
    with pytest.raises(BadInput, match="expected words of 1 and 1 bits behind an audio engine, got 8 and 8"):
        Denoiser(network)
