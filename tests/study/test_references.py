"""The command that scores what needs no training, on a corpus of the paper's shape."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

for package in ("fast_bss_eval", "pesq", "pystoi", "torch", "pyrnnoise"):
    pytest.importorskip(package)

from model.bundle.write import write_bundle  # noqa: E402 (after importorskip)
from study import protocol, references  # noqa: E402 (after importorskip)
from tests.support.random_bundles import random_bundle  # noqa: E402 (after importorskip)


def test_it_scores_mixture_ideal_masks_rnnoise_and_bundles_on_the_same_mixtures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    time = np.arange(16000) / 16000
    for index, name in enumerate(("dr1-fvmh0", *protocol.VALIDATION, *protocol.TEST)):
        (tmp_path / "paper" / "speech" / name).mkdir(parents=True)
        voice = np.sin(2 * np.pi * (150 + 30 * index) * time) * (np.sin(2 * np.pi * 4 * time) > 0)
        soundfile.write(tmp_path / "paper" / "speech" / name / "sa1.flac", 0.3 * voice, 16000)
    (tmp_path / "paper" / "noise").mkdir()
    soundfile.write(tmp_path / "paper" / "noise" / "birds.flac", rng.normal(0, 0.1, 32000), 16000)
    write_bundle(random_bundle(rng, [("bgru", 6)], bins=9, qad_bits=2), tmp_path / "random")
    references.run(tmp_path, [tmp_path / "random"], tmp_path / "results", "disjoint")
    found = json.loads((tmp_path / "results" / "references-disjoint.json").read_text())["scores"]
    sdr = {name: scores["all"]["mean"]["sdr"] for name, scores in found.items()}
    assert all(scores["all"]["mixtures"] == 4 for scores in found.values())
    assert sdr["unprocessed mixture"] == pytest.approx(0.0, abs=1.0)
    assert sdr["ideal binary mask, 512-point STFT, hop 128"] > 10.0
    assert {"RNNoise (trained on other data)", "bundle random"} <= set(sdr)
