"""Scores of systems on held-out mixtures."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("fast_bss_eval")
pytest.importorskip("pesq")
pytest.importorskip("pystoi")

from model.bundle.bundle import Bundle
from model.bundle.layers import Layer
from model.bundle.matrices import Matrix
from model.corpora.corpus import Corpus, Split
from model.corpora.float_front_end import FloatFrontEnd
from model.corpora.mixing import Mixture, ideal_binary_mask
from model.evaluation import metrics, scoring
from model.evaluation.scoring import Enhanced, Row
from model.reference import audio

pytestmark = pytest.mark.training

BINS = 129
RATE = 16000


def front_end() -> FloatFrontEnd:
    return FloatFrontEnd(RATE, 256, 64, "hann", 0.1, np.ones((BINS, 1), np.float32))


def bundle_of_constant_mask(bit: int) -> Bundle:
    """A network that ignores what it hears: every mask bit is `bit`."""
    weights = Matrix.from_values(np.zeros((BINS, BINS), np.int8))
    threshold = np.full(BINS, 0 if bit else 1, np.int32)
    return Bundle("constant", front_end().to_integers(), (Layer("mask", "dense", BINS, BINS, weights, threshold),))


def clean(signals: Mixture) -> Enhanced:
    return Enhanced(signals.clean)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Speakers a (test), b (test), c and d, each with two utterances, in two noises."""
    rng = np.random.default_rng(0)
    speech = audio.read(Path("samples/clean.flac"), RATE)
    utterances: dict[str, tuple[Path, ...]] = {}
    for name in "abcd":
        (tmp_path / name).mkdir()
        utterances[name] = tuple(tmp_path / name / f"{take}.wav" for take in ("sa1", "sx7"))
        for path in utterances[name]:
            start = int(rng.integers(20000))
            soundfile.write(path, speech[start : start + 24000], RATE)
    noises = {}
    for name in ("hiss", "hum"):
        noises[name] = tmp_path / f"{name}.wav"
        soundfile.write(noises[name], rng.normal(0, 0.1, 90000), RATE)
    return Corpus(utterances, noises, Split(("d",), ("c",), ("a", "b")))


@pytest.fixture
def trials(corpus: Corpus) -> list[scoring.Trial]:
    return scoring.trials(corpus, 0.0, RATE, 0.1)


def test_trials_are_every_utterance_of_the_parts_speakers_in_every_noise(
    corpus: Corpus, trials: list[scoring.Trial]
) -> None:
    names = [(trial.speaker, trial.utterance, trial.noise) for trial in trials]
    assert sorted(names) == [(s, u, n) for s in "ab" for u in ("sa1", "sx7") for n in ("hiss", "hum")]
    assert {trial.speaker for trial in scoring.trials(corpus, 0.0, RATE, 0.1, "validation")} == {"c"}


def test_an_excerpt_depends_on_names_only(corpus: Corpus, trials: list[scoring.Trial]) -> None:
    alone = dataclasses.replace(
        corpus,
        utterances={"b": corpus.utterances["b"][1:]},
        noises={"hum": corpus.noises["hum"]},
        split=Split((), (), ("b",)),
    )
    (trial,) = scoring.trials(alone, 0.0, RATE, 0.1)
    assert trial in trials
    assert np.array_equal(trial.mixture().noise, trials[trials.index(trial)].mixture().noise)
    others = [other.mixture().noise for other in trials if other != trial]
    assert not any(np.array_equal(trial.mixture().noise, other) for other in others)


def test_a_room_makes_speech_reverberant_and_leaves_snr_and_length(trials: list[scoring.Trial]) -> None:
    dry = trials[0].mixture()
    wet, other = (dataclasses.replace(trials[0], room=room).mixture() for room in (0, 1))
    assert len(wet.clean) == len(dry.clean)
    assert metrics.si_sdr(dry.clean, wet.clean) < 10
    assert not np.array_equal(wet.clean, other.clean)
    assert np.sum(np.square(wet.clean)) == pytest.approx(np.sum(np.square(wet.noise)), rel=1e-3)  # 0 dB


@pytest.mark.parametrize("shared", [False, True])
def test_noise_is_of_the_last_part_unless_all_of_it_is_shared(corpus: Corpus, shared: bool) -> None:
    """A noise that grows evenly tells by how much it grows in an excerpt where that began."""
    samples, length, earlier = 90000, 24000, 0
    ramp = np.linspace(0, 0.5, samples) * np.where(np.arange(samples) % 2, 1, -1)
    for path in corpus.noises.values():
        soundfile.write(path, ramp, RATE, subtype="FLOAT")
    for trial in scoring.trials(
        dataclasses.replace(corpus, stretches={"test": "whole"} if shared else {}), 0.0, RATE, 0.1
    ):
        noise = np.abs(trial.mixture().noise)
        growth = (noise[-1] - noise[0]) / (length - 1)
        earlier += noise[0] / growth < 0.7 * samples - 10
    assert (earlier > 0) == shared


def test_a_system_that_returns_the_clean_speech_is_above_all_others(trials: list[scoring.Trial]) -> None:
    systems = {**scoring.of_bundle(bundle_of_constant_mask(1)), "clean": clean}
    found = scoring.summary(scoring.score(systems, trials[:2]))
    for key in ("sdr", "sir", "si_sdr", "stoi", "pesq"):
        best = found["clean"]["all"]["mean"][key]
        assert all(best > found[name]["all"]["mean"][key] for name in systems if name != "clean")
    assert "mask_accuracy" not in found["clean"]["all"]["mean"]


def test_the_ideal_mask_is_that_of_mixing_and_always_right(trials: list[scoring.Trial]) -> None:
    signals, ears = trials[0].mixture(), front_end()
    ideal = scoring.IdealMask(ears)(signals).mask
    assert ideal is not None
    assert np.array_equal(ideal, ideal_binary_mask(ears.stft(signals.clean), ears.stft(signals.noise)))
    (row,) = scoring.score({"ibm": scoring.IdealMask(ears)}, trials[:1])
    assert row.scores["mask_accuracy"] == row.scores["weighted_mask_accuracy"] == 1.0
    assert row.scores["si_sdr"] is not None and row.scores["si_sdr"] > 3


def test_a_mask_that_keeps_all_scores_as_the_mixture(trials: list[scoring.Trial]) -> None:
    rows = scoring.score(scoring.of_bundle(bundle_of_constant_mask(1)), trials, ("sdr", "si_sdr", "stoi"))
    assert [row.system for row in rows[:3]] == ["mixture", "denoised", "ibm"]
    for mixture, denoised in zip(rows[0::3], rows[1::3], strict=True):
        assert denoised.scores == pytest.approx(mixture.scores, abs=0.01)
        assert mixture.scores["si_sdr"] == pytest.approx(0.0, abs=0.3)


def test_a_mask_that_keeps_nothing_has_finite_scores(trials: list[scoring.Trial]) -> None:
    (row,) = scoring.score({"denoised": scoring.Golden(bundle_of_constant_mask(0))}, trials[:1])
    assert row.scores["sdr"] == metrics.SILENCE
    assert row.scores["pesq"] == metrics.WORST_PESQ
    assert all(value is not None and np.isfinite(value) for value in row.scores.values())


def test_only_chosen_metrics_are_computed(trials: list[scoring.Trial]) -> None:
    systems = {"ibm": scoring.IdealMask(front_end())}
    (row,) = scoring.score(systems, trials[:1], ("si_sdr", "weighted_mask_accuracy"))
    assert row.scores.keys() == {"si_sdr", "weighted_mask_accuracy"}


def test_two_processes_find_the_same_in_the_same_order(trials: list[scoring.Trial]) -> None:
    systems: dict[str, scoring.System] = {
        "mixture": scoring.unprocessed,
        "denoised": scoring.Golden(bundle_of_constant_mask(1)),
        "clean": clean,
    }
    one, two = (scoring.score(systems, trials, ("si_sdr",), processes=count) for count in (1, 2))
    assert [dataclasses.replace(row, scores={}) for row in two] == [dataclasses.replace(row, scores={}) for row in one]
    # The last bits of a sum depend on where in memory its terms lie.
    assert [row.scores["si_sdr"] for row in two] == pytest.approx([row.scores["si_sdr"] for row in one], rel=1e-9)


def row(value: float | None, system: str = "x", utterance: str = "sx7", noise: str = "hum", speaker: str = "a") -> Row:
    return Row(system, speaker, utterance, noise, {"sdr": value})


def test_a_summary_is_the_mean_and_its_interval() -> None:
    entry = scoring.summary([row(value) for value in (1.0, 2.0, 3.0, 6.0)])["x"]["all"]
    error = np.sqrt((4 + 1 + 0 + 9) / 3 / 4)
    assert entry == {"mixtures": 4, "mean": {"sdr": 3.0}, "interval": {"sdr": pytest.approx(3.18245 * error, abs=1e-4)}}


def test_a_summary_has_every_noise_speaker_and_system_apart() -> None:
    rows = [row(1.0, noise="hiss"), row(2.0), row(6.0, speaker="b"), row(9.0, system="y", speaker="c")]
    found = scoring.summary(rows)
    assert found.keys() == {"x", "y"}
    means = {
        part: {name: (entry["mixtures"], entry["mean"]["sdr"]) for name, entry in found["x"][part].items()}
        for part in ("noises", "speakers")
    }
    assert means == {"noises": {"hiss": (1, 1.0), "hum": (2, 4.0)}, "speakers": {"a": (2, 1.5), "b": (1, 6.0)}}
    assert found["x"]["all"]["mean"] == {"sdr": 3.0}
    assert found["y"]["all"]["interval"] == {"sdr": None}


def test_a_summary_without_some_sentences_is_of_the_others() -> None:
    rows = [row(1.0, utterance="sa1"), row(3.0), row(5.0, utterance="sa2"), row(4.0, utterance="sa11")]
    found = scoring.summary(rows, without=("sa1", "sa2"))["x"]
    assert (found["without"]["mixtures"], found["without"]["mean"]) == (2, {"sdr": 3.5})
    assert found["all"]["mean"] == {"sdr": 3.25}


def test_mixtures_without_a_value_are_counted_and_not_in_the_mean() -> None:
    entry = scoring.summary([row(1.0), row(None), row(5.0), row(None)])["x"]["all"]
    assert (entry["mixtures"], entry["mean"], entry["missing"]) == (4, {"sdr": 3.0}, {"sdr": 2})


def test_rows_and_summary_are_json() -> None:
    rows = [row(1.5), row(None)]
    assert [Row(**entry) for entry in json.loads(json.dumps([dataclasses.asdict(item) for item in rows]))] == rows
    assert json.loads(json.dumps(scoring.summary(rows))) == scoring.summary(rows)


def test_a_sample_shares_mixtures_evenly_by_kind_and_snr(corpus: Corpus) -> None:
    noises = {name: corpus.noises["hum"] for name in ("rain__1", "rain__2", "hum__1", "wind")}
    several = dataclasses.replace(corpus, noises=noises, held_out=frozenset({"hum"}))
    known = scoring.sample(several, (0.0, 5.0), RATE, 0.1, 8, held_out=False)
    assert sorted(trial.noise.partition("__")[0] for trial in known) == ["rain"] * 4 + ["wind"] * 4
    assert sorted(trial.snr_db for trial in known) == [0.0] * 4 + [5.0] * 4
    assert len({(trial.speaker, trial.utterance, trial.noise) for trial in known}) == 8
    (hum,) = {trial.stretch for trial in scoring.sample(several, (0.0,), RATE, 0.1, 3, held_out=True)}
    assert hum == "second half"
    assert scoring.sample(corpus, (0.0,), RATE, 0.1, 3, held_out=True) == []


def test_what_is_sampled_of_a_kind_does_not_depend_on_other_kinds(corpus: Corpus) -> None:
    less = dataclasses.replace(corpus, noises={"hum": corpus.noises["hum"]})
    both = scoring.sample(corpus, (0.0,), RATE, 0.1, 4, held_out=False)
    assert set(scoring.sample(less, (0.0,), RATE, 0.1, 2, held_out=False)) == {t for t in both if t.noise == "hum"}


def test_clean_speech_is_a_mixture_at_infinite_snr(trials: list[scoring.Trial]) -> None:
    signals = dataclasses.replace(trials[0], snr_db=np.inf).mixture()
    np.testing.assert_array_equal(signals.mixture, signals.clean)
    assert not np.any(signals.noise)


def test_harm_is_the_share_of_mixtures_whose_stoi_falls() -> None:
    def of(system: str, snr_db: float, stoi: float) -> Row:
        return Row(system, "a", "sx7", "hum__1", {"stoi": stoi}, snr_db)

    rows = [of("mixture", 0.0, 0.7), of("mixture", 5.0, 0.8), of("x", 0.0, 0.6), of("x", 5.0, 0.9)]
    found = scoring.summary(rows)
    assert found["x"]["all"]["harmed"] == 0.5
    assert {snr: entry["harmed"] for snr, entry in found["x"]["snrs"].items()} == {"0": 1.0, "5": 0.0}
    assert found["x"]["kinds"]["hum"]["harmed"] == 0.5
    assert "harmed" not in found["mixture"]["all"]
    assert "harmed" not in scoring.summary(rows[2:])["x"]["all"]
