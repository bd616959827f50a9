"""The page that training ends with: it shows what the bundle and the run's epochs say, in one file."""

import base64
import dataclasses
import html
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from model.bundle.bundle import Bundle
from model.bundle.layers import Layer
from model.bundle.matrices import Matrix
from model.corpora.float_front_end import FloatFrontEnd
from model.corpora.mixing import Mixture, ideal_binary_mask, mix
from model.pages import training_page
from model.reference.denoise import denoise, hear
from model.reference.golden_model import GoldenModel
from model.reference.recording import to_samples, to_signal
from tests.support.browser import assert_asks_for_nothing, assert_painted, content_width, text_of
from tests.support.random_bundles import random_bundle

RATE = 16000
FRONT_END = FloatFrontEnd(RATE, 32, 8, "hann", 0.1, np.full((17, 1), 0.2, np.float32))


def figures(sdr: float, **changes: Any) -> dict[str, Any]:
    mean = {"sdr": sdr, "si_sdr": sdr - 1.5, "stoi": 0.7 + sdr / 100, "pesq": 1.25, "mask_accuracy": 0.8125} | changes
    return {"mixtures": 84, "mean": mean, "interval": dict.fromkeys(mean, 0.0625)}


def scores(sdr: float) -> dict[str, Any]:
    kinds = {"birds": figures(sdr + 1.25), "sea & wind": figures(sdr - 1.25)}
    return {"all": figures(sdr), "kinds": kinds, "snrs": {"0": figures(sdr)}}


ORIGIN = {
    "command": "bgru train --speech open/speech --noise open/noise --out runs/demo",
    "settings": {"seed": 5, "snr_test": [0.0], "hidden": [20], "window": "hann"},
    "corpus": {
        "speech": "open/speech",
        "noise": "open/noise",
        "noises": ["birds", "sea & wind"],
        "training_speakers": 239,
        "validation": ["v1"],
        "test": ["t1", "t2"],
    },
    "best": {"epoch": 4},
    "revision": "0123456789ab-dirty",
    "versions": {"python": "3.11.7", "numpy": "2.4.6"},
    "scores": {"mixture": scores(0.0), "denoised": scores(9.875), "ibm": scores(15.5)},
}

HISTORY = [
    {
        "epoch": epoch + 1,
        "weights": pi,
        "activations": pi**2,
        "loss": 0.5 / (epoch + 1),
        "mask_accuracy": 0.75 + pi / 50,
    }
    | {"sdr": 3.0 + epoch % 4, "si_sdr": 2.0 + epoch % 4, "learning_rate": 1e-3, "seconds": 9.0}
    for epoch, pi in enumerate((0.0, 0.25, 0.5, 1.0, 1.0, 1.0))
]


def trained(front_end: FloatFrontEnd = FRONT_END) -> Bundle:
    layers = random_bundle(np.random.default_rng(5), [("bgru", 20)], bins=front_end.bins).layers
    return Bundle("demo", front_end.to_integers(), layers, ORIGIN)


def example(seed: int, samples: int) -> Mixture:
    """A tone that comes and goes, in noise."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(samples) / RATE
    tone = np.sin(2 * np.pi * 1000 * seconds) * (np.sin(2 * np.pi * 2 * seconds) > 0)
    return mix(tone.astype(np.float32), rng.normal(0, 0.1, samples).astype(np.float32), 0.0, rng)


EXAMPLES = {"t1/one in birds": example(1, 8000), "t2/two in sea & wind": example(2, 4000)}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("run") / "report.html"
    training_page.write(made, trained(), Path("runs/demo/bundle"), HISTORY, EXAMPLES)
    return made


@pytest.fixture(scope="module")
def source(path) -> str:
    return path.read_text(encoding="utf-8")


def test_it_shows_the_scores_and_where_the_network_came_from(source):
    text = text_of(source)
    for shown in (
        "9.88 dB 0.00 in the mixture, 15.50 by the ideal mask; 95 % interval ± 0.06",
        "birds 84 1.25 11.12 16.75 -0.25 9.62 15.25",
        "all 84 0.00 9.88 15.50 -1.50 8.38 14.00 0.700 0.799 0.855 1.25 1.25 1.25 0.812",
        "84 mixtures at 0 dB",
        ORIGIN["command"],
        "open/speech: 239 speakers to train on",
        "0123456789ab-dirty",
        "numpy 2.4.6",
        "seed 5",
        "hidden 20",
        "t2/two in sea & wind",
        trained().identity.hex(),
    ):
        assert shown in text.replace("\u00a0", " "), shown


def test_it_ends_with_what_to_type_next(source):
    commands = re.findall(r'<p class="command"><code>(.*?)</code>', source)
    assert commands[-3:] == [
        "bgru denoise noisy.wav clean.wav --bundle runs/demo/bundle",
        "bgru sim --bundle runs/demo/bundle",
        "bgru report --bundle runs/demo/bundle",
    ]


def test_a_score_that_became_worse_is_marked(tmp_path):
    origin = ORIGIN | {"scores": ORIGIN["scores"] | {"denoised": scores(9.875) | {"all": figures(9.875, stoi=0.5)}}}
    training_page.write(
        tmp_path / "a.html", dataclasses.replace(trained(), provenance=origin), Path("b"), HISTORY, EXAMPLES
    )
    made = (tmp_path / "a.html").read_text()
    assert re.findall(r"<b class=worse>(.*?)</b>", made) == ["0.500"]
    assert [text_of(tile).split()[0] for tile in re.findall(r'<div class="tile bad">(.*?)</div>', made)] == [
        "STOI",
        "PESQ",
    ]


def test_a_metric_that_was_not_scored_is_left_out(tmp_path, source):
    def without(part: dict[str, Any]) -> dict[str, Any]:
        return {
            key: value if key != "mean" else {k: v for k, v in value.items() if k != "pesq"}
            for key, value in part.items()
        }

    fewer = {
        system: all_of
        | {"all": without(all_of["all"]), "kinds": {name: without(of) for name, of in all_of["kinds"].items()}}
        for system, all_of in ORIGIN["scores"].items()
    }
    changed = dataclasses.replace(trained(), provenance=ORIGIN | {"scores": fewer})
    training_page.write(tmp_path / "a.html", changed, Path("b"), HISTORY, EXAMPLES)
    assert "PESQ" in source and "PESQ" not in (tmp_path / "a.html").read_text()


def embedded(source: str, kind: str) -> list[bytes]:
    return [base64.b64decode(data) for data in re.findall(rf'src="data:{kind};base64,([^"]*)"', source)]


def test_its_recordings_are_the_mixture_the_speech_the_networks_and_the_ideal_masks(source):
    players = re.findall(r'aria-label="([\w ]+) recording"', source)
    assert players == ["mixture", "clean", "denoised", "by the ideal mask"] * 2
    heard = [soundfile.read(io.BytesIO(data), dtype="float32") for data in embedded(source, "audio/flac")]
    expected = []
    for signals in EXAMPLES.values():
        ideal = ideal_binary_mask(FRONT_END.stft(signals.clean), FRONT_END.stft(signals.noise))
        denoised = to_signal(denoise(trained(), to_samples(signals.mixture))[0])
        best = FRONT_END.istft(FRONT_END.stft(signals.mixture) * ideal, len(signals.mixture))
        expected += [signals.mixture, signals.clean, denoised, best]
    for (signal, rate), wanted in zip(heard, expected, strict=True):
        assert rate == RATE and len(signal) == len(wanted)
        assert np.abs(signal - wanted).max() < 2**-14


@pytest.mark.parametrize("mask_bits", [1, 3])
def test_the_masks_picture_says_of_every_bin_what_became_of_it(mask_bits, tmp_path):
    rng = np.random.default_rng(6)
    front_end = dataclasses.replace(FRONT_END, mask_bits=mask_bits)
    units = 17 * mask_bits
    weights = Matrix.from_values(rng.choice([-1, 1], (units, 17)))
    bundle = Bundle(
        "demo",
        front_end.to_integers(),
        (Layer("mask", "dense", 17, units, weights, np.zeros(units, np.int32)),),
        ORIGIN,
    )
    signals = example(3, 3200)
    training_page.write(tmp_path / "a.html", bundle, Path("b"), HISTORY, {"one": signals})
    with Image.open(io.BytesIO(embedded((tmp_path / "a.html").read_text(), "image/png")[-1])) as picture:
        painted = np.asarray(picture.convert("RGB"))[::-1].swapaxes(0, 1)  # (frames, bins, colour)
    speech = ideal_binary_mask(front_end.stft(signals.clean), front_end.stft(signals.noise)).astype(bool)
    mask = GoldenModel(bundle).masks(hear(bundle.front_end, to_samples(signals.mixture)))
    kept = front_end.gains(mask[: len(speech)]) > 0.5
    for words, which in {
        "noise, dropped": ~kept & ~speech,
        "speech, dropped by mistake": ~kept & speech,
        "noise, kept by mistake": kept & ~speech,
        "speech, kept": kept & speech,
    }.items():
        colour = tuple(bytes.fromhex(training_page.MASK_COLOURS[words][1:]))
        assert which.any() and np.array_equal(np.all(painted == colour, axis=-1), which), words
    right = 100 * np.mean(kept == speech)
    assert f"right in {right:.1f} % of the bins" in text_of((tmp_path / "a.html").read_text())


# The curves.

values = st.integers(-10_000, 10_000).map(lambda hundredths: hundredths / 100) | st.just(0.5)


@given(columns=st.lists(st.tuples(values, values), min_size=1, max_size=150))
@settings(max_examples=100)
def test_a_curve_keeps_the_order_and_the_proportions_of_its_values(columns):
    chart = training_page._chart("title", "", [{"a": a, "b": b} for a, b in columns], {"a": "one", "b": "other"})
    assert [line.name for line in chart.lines] == ["one", "other"]
    places = [[x for x, _ in line.points] for line in chart.lines]
    assert places[0] == places[1] == sorted(places[0]) and len(places[0]) == len(columns)
    flat = np.array([[y for _, y in line.points] for line in chart.lines])
    assert np.all((flat >= 0) & (flat <= 100))
    assert chart.up and all(0 <= tick.place <= 100 for tick in chart.up + chart.across)
    assert chart.across[0].place >= places[0][0] - 1e-9 and chart.across[-1].place <= places[0][-1] + 1e-9
    # Two ticks give the scale, and every point stands where it says.
    if len(chart.up) > 1:
        (low, first), (high, last) = ((tick.place, float(tick.text)) for tick in (chart.up[0], chart.up[-1]))
        read = first + (flat - low) * (last - first) / (high - low)
        assert np.allclose(read, np.array(columns).T, atol=1e-4 * (1 + np.ptp(columns)))


def test_the_mark_stands_at_the_best_epoch(source):
    mark = re.findall(r'<line class="mark" x1="([\d.]+)"', source)
    first = re.search(r'<path style="stroke:var\(--layer0\)" d="(.*?)"', source)[1]
    places = re.findall(r"[ML]([\d.]+) ", first)
    assert len(places) == len(HISTORY) and mark == [places[ORIGIN["best"]["epoch"] - 1]] * 4


def test_one_epoch_is_a_curve_too(tmp_path):
    bundle = dataclasses.replace(trained(), provenance=ORIGIN | {"best": {"epoch": 1}})
    training_page.write(tmp_path / "a.html", bundle, Path("b"), HISTORY[:1], EXAMPLES)
    assert re.search(r'd="M50\.00 [\d.]+h0"', (tmp_path / "a.html").read_text())  # a dot, as lines have round ends


# The file.


def test_it_asks_no_network_and_no_other_file(source):
    assert assert_asks_for_nothing(source) == len(EXAMPLES) * (5 + 4)  # pictures and recordings


def test_the_longest_and_loudest_examples_of_the_largest_front_end_stay_below_3_mb(tmp_path):
    front_end = FloatFrontEnd(RATE, 1024, 256, "hann", 0.1, np.full((513, 1), 1.0, np.float32))
    examples = {str(seed): example(seed, 20 * RATE) for seed in range(3)}
    training_page.write(tmp_path / "a.html", trained(front_end), Path("b"), HISTORY, examples)
    assert 1_000_000 < (tmp_path / "a.html").stat().st_size < 3_000_000


def test_names_can_not_break_out_of_the_page_nor_folders_of_the_commands(tmp_path):
    name = "<script>alert(1)</script>"
    training_page.write(
        tmp_path / "a.html", trained(), Path("my runs/demo"), HISTORY, {name: EXAMPLES["t1/one in birds"]}
    )
    made = (tmp_path / "a.html").read_text()
    assert "<script" not in made and f"<h3>{html.escape(name)}</h3>" in made
    assert "bgru sim --bundle 'my runs/demo'" in text_of(made)


def test_what_is_seen_is_also_said(source):
    assert all('alt="' in tag for tag in re.findall(r"<img[^>]*>", source))
    assert all('aria-label="' in tag for tag in re.findall(r"<audio[^>]*>|<[^>]* role=[^>]*>", source))
    assert source.count("<caption>") == source.count("<table") == 1
    assert re.findall(r"<h1", source) == ["<h1"] and '<html lang="en">' in source


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_it_is_painted_without_a_complaint(scheme, path, tmp_path):
    assert_painted(path, scheme, 3000, tmp_path)


@pytest.mark.parametrize("width", [390, 768, 1200])
def test_nothing_sticks_out_of_a_window(width, source, tmp_path):
    assert content_width(source, width, tmp_path) == width
