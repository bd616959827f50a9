"""A format for each layer under a budget: what is chosen, kept and refused."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from bgru.cli import main  # noqa: E402 (after importorskip)
from boards.definitions.registry import find  # noqa: E402 (after importorskip)
from boards.flow.layout import design, options_of  # noqa: E402 (after importorskip)
from model.bundle.bundle import Bundle  # noqa: E402 (after importorskip)
from model.bundle.read import read_bundle  # noqa: E402 (after importorskip)
from model.corpora import corpus  # noqa: E402 (after importorskip)
from model.corpora.corpus import Corpus  # noqa: E402 (after importorskip)
from model.errors import BadInput  # noqa: E402 (after importorskip)
from model.training import config, mixed_precision, trainer  # noqa: E402 (after importorskip)
from model.training.config import Config  # noqa: E402 (after importorskip)
from model.training.distributed import Team  # noqa: E402 (after importorskip)
from model.training.mixed_precision import FORMATS, Fit  # noqa: E402 (after importorskip)
from model.training.sensitivity import METHODS  # noqa: E402 (after importorskip)
from tests.support import runs  # noqa: E402 (after importorskip)

pytestmark = pytest.mark.training

QUICK = runs.as_options(stages="30:0:0:1e-2:1e-3,1:1:1:1e-3:1e-3", qad_bits="8", hidden="12", envelope_weight="0")


def settings(*changes: str) -> Config:
    return config.with_settings("tiny-int4", [*QUICK, *changes])


@pytest.fixture(scope="module")
def source(recordings: Path) -> Corpus:
    return corpus.find([recordings / "speech"], [recordings / "noise"], ["a"], ["b"])


@pytest.fixture(scope="module")
def run(source: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real-valued run."""
    out = tmp_path_factory.mktemp("real")
    trainer.train(source, settings("stages=30:0:0:1e-2:1e-3"), out, Team())
    return out


def at_most(bits: int) -> mixed_precision.Budget:
    """A budget of weight bits."""

    def budget(bundle: Bundle) -> Mapping[str, tuple[int, int]]:
        if bundle.weight_bits > bits:
            raise BadInput(f"bundle {bundle.name}: expected at most {bits:,} weight bits, got {bundle.weight_bits:,}")
        return {"block_ram": (bundle.weight_bits, bits)}

    return budget


GRU, MASK = 3 * 12 * (33 + 12), 12 * 33
"""Weights of the two layers."""


@pytest.mark.parametrize("method", METHODS)
def test_the_best_assignment_fits_and_comes_first(source: Corpus, run: Path, method: str) -> None:
    how = Fit("four bits", method, at_most(4 * (GRU + MASK)))
    found = mixed_precision.choose(run, source, settings(), Team(), how)
    assert found == mixed_precision.choose(run, source, settings(), Team(), how)
    predicted = [one.predicted for one in found]
    assert predicted == sorted(predicted)
    bits = {"binary": 1, "ternary": 2, **{f"int{bits}": bits for bits in range(3, 9)}}
    assert {one.formats for one in found} == {
        (first, last)
        for first in FORMATS
        for last in FORMATS
        if GRU * bits[first] + MASK * bits[last] <= 4 * (GRU + MASK)
    }
    assert all(one.weight_bits == GRU * bits[one.formats[0]] + MASK * bits[one.formats[1]] for one in found)
    assert found[0].formats != ("binary", "binary")


def test_a_budget_that_nothing_fits_says_what_the_narrowest_lacks(source: Corpus, run: Path) -> None:
    how = Fit("nothing", "divergence", at_most(GRU))
    with pytest.raises(BadInput, match=f"expected at most {GRU:,} weight bits, got {GRU + MASK:,}"):
        mixed_precision.choose(run, source, settings(), Team(), how)


def options(recordings: Path, out: Path, *more: str) -> list[str]:
    words = ["train", "--speech", str(recordings / "speech"), "--noise", str(recordings / "noise"), "--out", str(out)]
    words += ["--preset", "tiny-int4", "--test-speakers", "a", "--validation-speakers", "b", *more]
    return words + [word for setting in QUICK for word in ("--set", setting)]


def call(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> int:
    monkeypatch.setattr("sys.argv", ["bgru", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_command_trains_a_bundle_that_the_board_holds(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    words = options(recordings, out, "--fit", "icebreaker", "--method", "divergence")
    assert call(monkeypatch, words) == 0
    assert "formats that fit icebreaker, by divergence" in capsys.readouterr().out
    record = json.loads((out / mixed_precision.RECORD).read_text())
    made, board = read_bundle(out / "bundle"), find("icebreaker")
    best = record["assignments"][0]
    assert [layer.format.w.name for layer in made.layers] == best["formats"]
    assert made.weight_bits == best["weight_bits"]
    planned = design(options_of(made, board, {}), made, board, made.front_end.frame_rate)
    assert planned.needs["block_ram"] <= best["needs"]["block_ram"][0] <= best["needs"]["block_ram"][1]
    assert "--fit icebreaker --method divergence" in made.provenance["command"]
    assert call(monkeypatch, words) == 0  # goes on from what is kept
    assert call(monkeypatch, options(recordings, out, "--fit", "icebreaker", "--method", "search")) == 2
    error = capsys.readouterr().err
    assert "expected formats for icebreaker, by search, got those for icebreaker, by divergence" in error


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--fit", "icebreaker", "--method", "guess"], "--method: expected one of curvature, divergence, search"),
        (["--fit", "teapot"], "teapot"),
        (["--fit", "icebreaker", "--preset", "tiny"], "setting format: expected integers with --fit"),
        (["--fit", "icebreaker", "--set", "stages=1:1:1:0.01:0.01"], "setting stages: expected real-valued ones"),
        (["--fit", "icebreaker", "--set", "hidden=4,4,4,4"], "setting hidden: expected at most 3 layers with --fit"),
    ],
)
def test_what_cannot_be_fitted_is_one_sentence(
    more: list[str],
    sentence: str,
    recordings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = options(recordings, tmp_path / "mine")
    assert call(monkeypatch, [*words, *more]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "mine").exists()
