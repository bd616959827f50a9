"""Reports name what happened and nothing of the machine it happened on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.bundle.bundle import Bundle
from model.bundle.layers import Layer
from model.bundle.matrices import Matrix
from model.bundle.random_bundle import sized_front_end
from model.corpora.corpus import Corpus, Split
from model.corpora.notices import read_notice
from model.errors import BadInput
from model.training import run_report
from model.training.config import Config

EPOCHS: list[dict[str, Any]] = [
    {"epoch": 1, "weights": 0.0, "activations": 0.0, "loss": 0.5, "sdr": 1.0},
    {"epoch": 2, "weights": 1.0, "activations": 1.0, "loss": 0.4, "sdr": 2.0},
]


def test_the_command_has_short_paths_and_only_what_was_given() -> None:
    command = run_report.command_line(
        [("--speech", Path("/data/open/speech")), ("--bundle", ""), ("--seed", "3"), ("--set", "rho=0.5")]
    )
    assert command == "bgru train --speech open/speech --seed 3 --set rho=0.5"


def test_provenance_is_json_without_absolute_paths(tmp_path: Path) -> None:
    for package in run_report.PACKAGES:  # whose versions it records
        pytest.importorskip(package)
    noise, split = tmp_path / "noise", Split(training=("a", "b"), validation=("c",), test=("d",))
    source = Corpus({name: (tmp_path / f"{name}.wav",) for name in "abcd"}, {"x": noise / "x.wav"}, split)
    folders = [tmp_path / "open" / "speech", tmp_path / "more" / "speech"]
    origin = run_report.provenance("train", Config(), folders, [noise], source, EPOCHS[1])
    text = json.dumps(origin)
    assert str(tmp_path) not in text
    assert origin["corpus"]["speech"] == "open/speech, more/speech"
    assert origin["corpus"]["noises"] == ["x"]
    assert origin["corpus"]["training_speakers"] == 2
    assert origin["best"] == EPOCHS[1]
    assert origin["settings"]["stages"] == [str(stage) for stage in Config().stages]
    assert origin["settings"]["rho"] == Config().rho
    assert origin["versions"].keys() >= {"python", "torch", "numpy"}


def test_report_holds_sizes_provenance_and_every_epoch(tmp_path: Path) -> None:
    weights = Matrix.from_values(np.ones((9, 9), np.int8))
    front_end = sized_front_end(np.ones((9, 1), np.int32))
    layer = Layer("mask", "dense", 9, 9, weights, np.zeros(9, np.int32))
    run_report.write_report(Bundle("b", front_end, (layer,), {"command": "train"}), EPOCHS, tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["epochs"] == EPOCHS
    assert found["command"] == "train"
    assert found["weights"] == 81
    assert found["layers"] == {"mask": {"kind": "dense", "inputs": 9, "units": 9}}


def test_a_notice_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert read_notice(None) == ""
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\xff")
    for path in (tmp_path / "nowhere.md", binary):
        with pytest.raises(BadInput, match="expected a text file with the recordings' licence"):
            read_notice(path)
