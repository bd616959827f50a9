"""The model card says what the bundle's provenance says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fast_bss_eval")
pytest.importorskip("pesq")
pytest.importorskip("pystoi")

from model.bundle.bundle import Bundle
from model.bundle.layers import Layer
from model.bundle.matrices import Matrix
from model.bundle.random_bundle import sized_front_end
from model.pages import model_card


def entry(sdr: float, masked: bool) -> dict[str, Any]:
    mean = {
        "sdr": sdr,
        "si_sdr": sdr - 1,
        "stoi": 0.8125,
        "pesq": 1.875,
        **({"mask_accuracy": 0.8123} if masked else {}),
    }
    interval = {**dict.fromkeys(mean, 0.25), "pesq": None}
    return {"mixtures": 40, "mean": mean, "interval": interval, **({"harmed": 0.125} if masked else {})}


def scores(system: str, offset: float) -> dict[str, Any]:
    all_of_it, birds, rain = (entry(sdr + offset, system != "mixture") for sdr in (8.765, 9.876, 7.654))
    return {"all": all_of_it, "kinds": {"birds": birds, "rain": rain}, "snrs": {"10": all_of_it, "5": all_of_it}}


@pytest.fixture
def bundle() -> Bundle:
    front_end = sized_front_end(np.ones((9, 1), np.int32))
    weights = Matrix.from_values(np.ones((9, 9), np.int8) * np.array([1, 1, 1, 1, 1, 1, 1, 0, 0]))
    provenance = {
        "command": "bgru train --speech open/speech",
        "settings": {"seed": 5, "snr_test": [5.0, 10.0]},
        "corpus": {
            "speech": "open/speech",
            "noise": "open/noise",
            "noises": ["birds__a", "birds__b", "rain"],
            "held_out": ["hum"],
            "training_speakers": 239,
            "validation": ["v"],
            "test": ["t", "u"],
        },
        "best": {"epoch": 12, "sdr": 7.654, "si_sdr": 7.112, "stoi": 0.8125},
        "revision": None,
        "versions": {"torch": "2.13.0"},
        "scores": {name: scores(name, offset) for name, offset in (("mixture", -8), ("denoised", 0), ("ibm", 6))},
        "held_out": {name: scores(name, offset) for name, offset in (("mixture", -8), ("denoised", -3), ("ibm", 6))},
        "clean": {"denoised": {"all": entry(20.0, True)}},
    }
    return Bundle("small", front_end, (Layer("mask", "dense", 9, 9, weights, np.zeros(9, np.int32)),), provenance)


def test_a_card_states_data_command_scores_sizes_and_licence(bundle: Bundle, tmp_path: Path) -> None:
    model_card.write(bundle, tmp_path, "Speech by X under CC BY 4.0.\n")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    for part in (
        "# Bundle `small`",
        "`mask` dense 9 -> 9",
        "81 ternary (78% not zero), 162 bits",
        "speech `open/speech`, 239 speakers",
        "tested on: t, u",
        "bgru train --speech open/speech",
        "git revision unknown; torch 2.13.0",
        "(epoch 12: validation SI-SDR 7.11 dB, STOI 0.812)",
        "the first 60% of each file (birds, rain)",
        "Never trained on, to choose and score by: noise of the kinds hum.",
        "Mixtures at 5, 10 dB.",
        "### Kinds of noise that it was never trained on: 40 mixtures",
        "40 utterances without noise: SI-SDR (dB) 19.00, STOI 0.812, PESQ 1.88.",
        "- Level: any.",
        "brings a recording to an RMS of 0.1 as it goes",
        "| kind | SDR (dB) | SI-SDR (dB) | STOI | PESQ | mask accuracy | harmed |",
        "| birds | 1.88 / **9.88** / 15.88 | 0.88 / **8.88** / 14.88 | 0.812 / **0.812** / 0.812 |",
        "| **all** | 0.77 / **8.77** / 14.77 |",
        "1.88 / **1.88** / 1.88 | 0.812 | 12% |",
        "SDR (dB) 8.77 ± 0.25, SI-SDR (dB) 7.77 ± 0.25, STOI 0.812 ± 0.250, PESQ 1.88 ± -",
        "Speech by X under CC BY 4.0.",
    ):
        assert part in text


def test_a_card_without_a_notice_says_so(bundle: Bundle) -> None:
    assert "No licence of the recordings was stated" in model_card.text(bundle, "")


def test_every_row_of_the_table_has_the_width_of_its_heading(bundle: Bundle) -> None:
    for part in ("kind", "snr"):
        lines = model_card.table(bundle.provenance["scores"], part)
        assert {line.count("|") for line in lines} == {lines[0].count("|")}
        assert len(lines) == 2 + 3
    assert [line.split(" ")[1] for line in lines[2:4]] == ["5", "10"]  # by number, not by text


def test_a_card_of_a_bundle_without_held_out_kinds_has_known_ones_only(bundle: Bundle) -> None:
    del bundle.provenance["held_out"]
    bundle.provenance["corpus"]["held_out"] = []
    text = model_card.text(bundle, "")
    assert "Kinds of noise that it knows" in text and "never trained on" not in text.lower()
