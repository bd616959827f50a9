"""Denoising: what a mask does to a recording, whole, in pieces and as a stream."""

import dataclasses
import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.bundle.front_end import WORD_LENGTHS
from model.reference.denoise import Denoiser, Stream, apply_mask, hear, speed
from model.reference.denoise import denoise as denoise_whole
from model.reference.golden_model import GoldenModel
from model.reference.recording import Samples, to_samples, to_signal
from tests.support.denoising import BINS, FRONT_END, LATE, RATE, constant_network, distance, noise
from tests.support.integer_bundles import integer_bundles
from tests.support.random_bundles import audible, bundles, random_bundle, seeds


def mask_like(recording: Samples, value: int) -> Bits:
    return np.full(hear(FRONT_END, recording).shape, value, dtype=np.uint8)


@given(samples=st.integers(1, 700), seed=seeds)
def test_mask_of_ones_returns_any_recording_within_4_lsb(samples, seed):
    recording = np.random.default_rng(seed).integers(-(2**15), 2**15, samples).astype(np.int16)
    got = apply_mask(FRONT_END, recording, mask_like(recording, 1))
    assert got.shape == recording.shape and got.dtype == np.int16
    assert distance(got, recording) <= 4


def test_mask_of_zeros_returns_silence():
    recording = noise()
    assert not apply_mask(FRONT_END, recording, mask_like(recording, 0)).any()


def test_mask_of_some_bins_leaves_those():
    seconds = np.arange(1600) / RATE
    low, high = np.sin(2 * np.pi * 1000 * seconds), np.sin(2 * np.pi * 6000 * seconds)
    recording = to_samples((0.4 * (low + high)).astype(np.float32))
    mask = mask_like(recording, 0)
    mask[:, :7] = 1  # bins are 500 Hz apart
    kept = to_signal(apply_mask(FRONT_END, recording, mask))
    assert np.allclose(kept[100:-100], 0.4 * low[100:-100], atol=0.01)


@given(limit=st.floats(0.5, 60), seed=seeds)
def test_a_limit_leaves_what_is_masked_out_at_that_level(limit, seed):
    recording = np.random.default_rng(seed).integers(-(2**15), 2**15, 500).astype(np.int16)
    got = apply_mask(FRONT_END, recording, mask_like(recording, 0), limit)
    assert distance(got, np.rint(recording * 10 ** (-limit / 20))) <= 5


def test_a_limit_far_below_the_least_sample_is_none():
    recording = noise()
    mask = np.random.default_rng(0).integers(0, 2, mask_like(recording, 0).shape, dtype=np.uint8)
    assert np.array_equal(apply_mask(FRONT_END, recording, mask, 200), apply_mask(FRONT_END, recording, mask))


limits = st.one_of(st.none(), st.floats(0.1, 60))


# A recording in pieces.


@st.composite
def networks(draw: st.DrawFn) -> Bundle:
    """Any network behind any front end of its bins."""
    made = draw(bundles(audible) | integer_bundles(audible))
    words = draw(st.sampled_from(WORD_LENGTHS))
    front_end = dataclasses.replace(
        made.front_end,
        gain_frames=2 ** draw(st.integers(0, 5)),
        table_bits=words[0],
        fraction_bits=words[1],
        mantissa_bits=words[2],
    )
    return dataclasses.replace(made, front_end=front_end)


def cut(whole: Samples, cuts: int, seed: int) -> list[Samples]:
    places = np.random.default_rng(seed).integers(0, len(whole) + 1, cuts)
    return np.split(whole, np.sort(places))


def swelling(samples: int) -> Samples:
    """Noise with a level for the gain to follow."""
    return (noise(samples) * np.linspace(0.1, 2, samples)).astype(np.int16)


def test_in_pieces_it_is_the_whole_bit_by_bit():
    shares = []

    @given(network=networks(), samples=st.integers(1, 2500), cuts=st.integers(0, 9), seed=seeds, limit=limits)
    @settings(max_examples=60)
    def same(network: Bundle, samples: int, cuts: int, seed: int, limit: float | None) -> None:
        whole = swelling(samples)
        front_end = network.front_end
        mask = GoldenModel(network).masks(hear(front_end, whole))
        expected = apply_mask(front_end, whole, mask, limit)
        assert np.array_equal(denoise_whole(network, whole, limit)[0], expected)
        denoise = Denoiser(network, limit=limit)
        got = np.concatenate(list(denoise(cut(whole, cuts, seed))))
        assert got.dtype == np.int16
        assert np.array_equal(got, expected)
        assert (denoise.stream.frames, denoise.stream.kept) == (len(mask), int(mask.sum()))
        shares.append(mask.mean() / front_end.unit_gain)

    same()
    assert np.mean([0.05 < share < 0.95 for share in shares]) > 0.25  # masks of ones or zeros alone would show little


@given(network=networks(), hops=st.integers(1, 60), cuts=st.integers(0, 9), seed=seeds)
@settings(max_examples=40)
def test_the_stream_is_the_recording_denoised_and_late_by_all_but_a_hop_of_a_window(network, hops, cuts, seed):
    whole, stream = swelling(hops * network.front_end.hop), Stream(network)
    got = np.concatenate([stream(piece) for piece in cut(whole, cuts, seed)])
    late = network.front_end.fft_size - network.front_end.hop
    assert (len(got), stream.delay) == (len(whole), late)
    assert np.array_equal(got[late:], np.concatenate(list(Denoiser(network)([whole])))[: max(0, len(whole) - late)])


@given(network=networks(), samples=st.integers(1, 900), seed=seeds)
@settings(max_examples=30)
def test_a_hop_of_silence_first_makes_the_output_a_hop_later(network, samples, seed):
    """Without the network, whose state and gain would hear the silence."""
    front_end, recording = network.front_end, noise(samples)
    later = np.pad(recording, (front_end.hop, 0))
    shape = len(hear(front_end, recording)), network.layers[-1].units
    mask = np.random.default_rng(seed).integers(0, front_end.unit_gain + 1, shape, dtype=np.uint8)
    first = np.zeros((1, mask.shape[1]), np.uint8)
    got = apply_mask(front_end, later, np.concatenate([first, mask]))
    assert np.array_equal(got[front_end.hop :], apply_mask(front_end, recording, mask))


def test_after_sound_silence_ends_in_exact_zeros():
    network = constant_network(keep=True)
    stream = Stream(network)
    assert stream(noise(800)).any()
    stream(np.zeros(LATE, np.int16))
    assert not stream(np.zeros(4000, np.int16)).any()


@given(network=integer_bundles(audible))
@settings(max_examples=20)
def test_bypass_of_gains_is_the_recording(network):
    recording = noise()
    assert distance(np.concatenate(list(Denoiser(network, bypass=True)([recording]))), recording) <= 4


def test_bypass_is_the_recording_whatever_the_network_says():
    recording = noise()
    (got,) = [np.concatenate(list(Denoiser(constant_network(keep=False), bypass=True)([recording])))]
    assert distance(got, recording) <= 4
    assert not np.concatenate(list(Denoiser(constant_network(keep=False))([recording]))).any()


def test_memory_does_not_grow_with_the_recording():
    network = Bundle("random", FRONT_END, random_bundle(np.random.default_rng(5), [("bgru", 20)], BINS).layers)

    def peak(pieces: int) -> int:
        tracemalloc.start()
        for _ in Denoiser(network)(noise(2048) for _ in range(pieces)):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(12) < 1.1 * peak(4)


def test_speed_is_measured_on_any_network():
    assert speed(constant_network(keep=True), 0.5) > 0
