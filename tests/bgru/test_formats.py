"""Formats that cannot be: one sentence, exit code 2, and nothing written, whatever command meets them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.bundle.bundle import Bundle
from model.bundle.formats import WEIGHT_FORMATS, Format
from model.bundle.random_bundle import random_integer_layer, sized_front_end
from model.bundle.write import write_bundle
from tests.support.bundle_folders import array_of, change_arrays, change_manifest
from tests.support.command import bgru
from tests.support.integer_bundles import small_integer_bundle


def wide(folder: Path) -> None:
    """A layer of 513 inputs and 700 units; its weights are 0, so that they are codes of any format."""
    rng, int8 = np.random.default_rng(0), WEIGHT_FORMATS["int8"]
    keys = rng.integers(20_000, 30_000, (513, 1), dtype=np.int32)
    front_end = dataclasses.replace(sized_front_end(keys), code="level", feature_bits=8, gain_bits=8)
    gru = random_integer_layer(rng, "gru", 513, 700, Format(8, 8, int8, int8), "gru0")
    assert gru.u is not None
    gru = dataclasses.replace(gru, w=0 * gru.w, u=0 * gru.u)
    mask = random_integer_layer(rng, "dense", 700, 513, Format(8, 8, int8), "mask")
    write_bundle(Bundle("wide", front_end, (gru, mask)), folder)
    for matrix in "wu":
        change_manifest(folder, f"layers.0.format.{matrix}", "seo6")


def small(change: Callable[[Path], None]) -> Callable[[Path], None]:
    """A small network, changed."""

    def made(folder: Path) -> None:
        write_bundle(small_integer_bundle(), folder)
        change(folder)

    return made


def halved(folder: Path) -> None:
    change_arrays(folder, gru0__tanh=array_of(folder, "gru0.tanh")[:128])


def mixed(folder: Path) -> None:
    """W of seo next to U of int8."""
    change_arrays(folder, gru0__w=np.sign(array_of(folder, "gru0.w")))
    change_manifest(folder, "layers.0.format.w", "seo4")


BAD = {
    "sums that overflow": (wide, "layer gru0: expected sums of at most 64 bits, got 6"),
    "no lanes for both": (small(mixed), "layer gru0: expected W and U both seo or both int, got seo4 and int8"),
    "a table cut in half": (small(halved), "array gru0.tanh: expected int8 (256,), got int8 (128,)"),
    "another version": (small(lambda folder: change_manifest(folder, "version", 4)), "expected version 3, got 4"),
    "no such format": (
        small(lambda folder: change_manifest(folder, "layers.0.format.w", "float16")),
        "layers[0].format.w: expected one of binary, ternary, int3, int4",
    ),
    "vectors too wide": (
        small(lambda folder: change_manifest(folder, "layers.0.format.output_bits", 9)),
        "layers[0].format.output_bits: expected an integer from 1 to 8, got 9",
    ),
    "codes beyond the format": (
        small(lambda folder: change_manifest(folder, "layers.0.format.u", "int3")),
        "array gru0.u: expected int3 codes from -3 to 3, got",
    ),
    "a shift beyond the word": (
        small(lambda folder: change_arrays(folder, mask__shift=np.full(9, 64, np.uint8))),
        "array mask.shift: expected 0 to 63, got 64",
    ),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("command", [["plan"], ["verilog"], ["bitstream", "--board", "icebreaker"]])
def test_a_bundle_of_a_format_that_cannot_be_is_refused(what: str, command: list[str], tmp_path: Path) -> None:
    make, sentence = BAD[what]
    make(tmp_path / "net")
    result = bgru(*command, "--bundle", tmp_path / "net", "--build", tmp_path / "build")
    assert result.exit_code == 2, result.exception
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "build").exists()


@pytest.mark.training
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["slope=inf"], "setting slope: expected a value like 8.0, got inf"),
        (["slope=nan"], "setting slope: expected a value like 8.0, got nan"),
        (["state_bits=9"], "setting state_bits: expected 1 to 8, got 9"),
        (["format=int9"], "setting format: expected one of bitwise, binary, ternary, int3"),
        (["format=int4,int4,int4"], "setting format: expected one for all layers, or 2 formats of integers"),
        (["distillation=0.1"], "setting distillation: expected 0 with loss mask, got 0.1"),
        (["loss=snr"], "setting loss: expected mask or si_sdr, got snr"),
        (["format=seo6", "fft_size=1024", "hop=256", "hidden=700"], "expected sums of at most 64 bits, got 6"),
    ],
)
def test_a_format_that_cannot_be_is_refused_before_training(
    settings: list[str], sentence: str, recordings: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    words = ["train", "--speech", recordings / "speech", "--noise", recordings / "noise", "--out", tmp_path / "mine"]
    result = bgru(*words, "--preset", "tiny-int4", *(word for one in settings for word in ("--set", one)))
    assert result.exit_code == 2, result.exception
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "mine").exists()
