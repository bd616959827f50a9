"""Shares of work that changes nothing: counted by hand, and by going through the schedule step by step."""

import subprocess
import sys
from itertools import product as product_of
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.measure.skipping import (
    Operands,
    idle_words,
    kept_groups,
    operands,
    savings,
    shares,
    steady_words,
    stored_bits,
)
from model.bundle.bits import Bits, unpack
from model.bundle.write import write_bundle
from tests.support.random_bundles import random_bundle, random_features, random_layer, seeds


def bits(*rows: str) -> Bits:
    return np.array([[int(bit) for bit in row] for row in rows], dtype=np.uint8)


def test_a_row_group_is_kept_where_all_of_its_units_are():
    z = bits("1101", "1111", "0000")
    assert kept_groups(z, 1) == 7 / 12
    assert kept_groups(z, 2) == 3 / 6
    assert kept_groups(z, 4) == 1 / 3


def test_rows_of_padding_need_no_candidate():
    assert kept_groups(bits("0001", "1110"), 3) == 2 / 4


def test_a_word_is_steady_where_it_equals_the_last_frames():
    vector = bits("0110", "0101", "0101")
    assert steady_words(vector, 1) == 6 / 12
    assert steady_words(vector, 2) == 3 / 6
    assert steady_words(vector, 4) == 1 / 3


def test_a_short_last_word_is_a_word():
    assert steady_words(bits("00001", "11111"), 4) == 1 / 4


def test_a_single_frame_has_nothing_to_be_steady_with():
    assert steady_words(bits("0000"), 2) == 0


def test_a_word_is_idle_where_no_lane_is_active():
    assert idle_words(bits("00010", "00000"), 2) == 5 / 6


def test_a_lane_that_is_switched_off_is_not_one_of_minus_one():
    of = Operands(
        x=bits("0" * 8, "0" * 8), h=bits("0" * 8, "0" * 8), r=bits("0" * 8, "1" * 8), z=bits("0" * 8, "0" * 8)
    )
    assert savings(of)["steady words of h, SIMD 8"] == pytest.approx(1 / 2 * 1 / 2 * 2 / 3)
    assert savings(of)["steady words of r * h, SIMD 8"] == 0


def test_frames_that_repeat_are_all_saved():
    frame = Operands(*(np.ones((4, 24), dtype=np.uint8) for _ in range(4)))
    share = savings(frame)
    assert share["steady frames of x"] == pytest.approx(3 / 4 * 1 / 2)
    assert share["steady frames of x and h"] == pytest.approx(3 / 4)
    assert sum(share[f"steady words of {name}, SIMD 8"] for name in ("x", "h", "r * h")) == pytest.approx(3 / 4)


@settings(max_examples=25)
@given(
    seeds,
    st.integers(1, 4),
    st.integers(1, 40),
    st.integers(1, 20),
    st.sampled_from((1, 2, 4, 8)),
    st.sampled_from((8, 16, 32, 64)),
)
def test_shares_are_those_of_the_schedule(seed, frames, inputs, units, pe, simd):
    rng = np.random.default_rng(seed)
    # Often rare or common bits, so that every kind of share is met.
    x, h, r, z = (
        (rng.random((frames, n)) < rng.choice([0.02, 0.5, 0.98])).astype(np.uint8) for n in (inputs, *[units] * 3)
    )
    product = r * (2 * h.astype(np.int8) - 1)
    found = dict.fromkeys(("kept", "idle", "x", "h", "r * h"), 0)
    steps = 0
    for t, matrix, group in product_of(range(frames), "rzc", range(0, units, pe)):
        sources = {"x": x, "h": h} if matrix != "c" else {"x": x, "r * h": product}
        for source, vector in sources.items():
            for word in range(0, vector.shape[1], simd):
                lanes = slice(word, word + simd)
                steps += 1
                found["kept"] += bool(matrix == "c" and np.all(z[t, group : group + pe] == 1))
                found["idle"] += source == "r * h" and not np.any(vector[t, lanes])
                found[source] += t > 0 and np.array_equal(vector[t, lanes], vector[t - 1, lanes])
    share = savings(Operands(x, h, r, z))
    assert share[f"row groups kept by z, PE {pe}"] == pytest.approx(found["kept"] / steps)
    assert share[f"idle words of r * h, SIMD {simd}"] == pytest.approx(found["idle"] / steps)
    for name in ("x", "h", "r * h"):
        assert share[f"steady words of {name}, SIMD {simd}"] == pytest.approx(found[name] / steps)


def test_operands_are_the_golden_models():
    rng = np.random.default_rng(5)
    made = random_bundle(rng, [("bgru", 12), ("dense", 5), ("bgru", 9)], bins=7)
    features = random_features(rng, made, 20)
    first, second = operands(made, features).values()
    assert np.array_equal(first.x, features)
    assert second.x.shape == (20, 5)
    for of, layer in ((first, made.bitwise[0]), (second, made.bitwise[2])):
        assert layer.initial_state is not None
        assert np.array_equal(of.h[0], unpack(layer.initial_state, layer.units))
        kept = of.z[:-1] == 1
        assert np.array_equal(of.h[1:][kept], of.h[:-1][kept])
        assert not np.array_equal(of.h[1:], of.h[:-1])


def test_every_bgru_layer_has_its_shares():
    rng = np.random.default_rng(0)
    made = random_bundle(rng, [("bgru", 6), ("bgru", 5)], bins=4)
    names = [name for name, _ in shares(made, random_features(rng, made, 3))]
    assert len(names) == len(set(names)) == 2 * 22
    assert {name.split(": ")[0] for name in names} == {"gru0", "gru1"}


def test_what_is_stored_is_a_sum_a_row_and_the_last_operands():
    layer = random_layer(np.random.default_rng(0), "bgru", 1028, 256)
    assert stored_bits(layer) == 3 * 256 * 12 + 1028 + 2 * 256  # sums from -1284 to 1284


def skipping(tmp_path: Path, hidden: str) -> subprocess.CompletedProcess[str]:
    rng = np.random.default_rng(0)
    write_bundle(random_bundle(rng, [("bgru", 8)] if hidden == "bgru" else [], bins=9), tmp_path / "net")
    words = [sys.executable, "-m", "bgru", "skipping", "--bundle", str(tmp_path / "net")]
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, rng.normal(0, 0.1, 800), 16000)
        words += ["--recording", str(tmp_path / name)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_the_command_prints_every_share(tmp_path):
    done = skipping(tmp_path, "bgru")
    assert done.returncode == 0, done.stderr
    assert sum("gru0: " in line and "%" in line for line in done.stdout.splitlines()) == 22
    assert "gru0: skipping steady words takes 169 bits of memory" in done.stdout


def test_a_network_without_a_state_is_refused(tmp_path):
    done = skipping(tmp_path, "none")
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path / 'net'}: expected a BGRU layer, got none\n"
