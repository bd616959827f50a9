"""What the documentation says is run: its examples, and the tests that it names."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.bundle.read import read_bundle
from model.bundle.tables import sigmoid_table, tanh_table
from model.reference.golden_model import GoldenModel
from tests.support.integer_bundles import any_features
from tests.support.paths import ROOT

DOCS = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])
pages = pytest.mark.parametrize("page", DOCS, ids=[page.name for page in DOCS])


def examples(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_bundle_page_write_bundles_with_numpy_alone(tmp_path):
    code = "".join(examples(ROOT / "docs" / "bundle.md"))
    imported = set(re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE))
    assert imported == {"hashlib", "json", "pathlib", "numpy"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=60)
    for name, inputs in (("example", 18), ("integers", 9)):
        network = read_bundle(tmp_path / name)
        sizes = [(layer.name, layer.inputs, layer.units) for layer in network.layers]
        assert sizes == [("gru0", inputs, 12), ("mask", 12, 9)]
        features = any_features(np.random.default_rng(0), network.front_end, 20)
        assert 0 < GoldenModel(network).masks(features).mean() < network.front_end.unit_gain
    recurrent = read_bundle(tmp_path / "integers").layers[0].arrays
    assert np.array_equal(recurrent["tanh"], tanh_table(8)) and np.array_equal(recurrent["sigmoid"], sigmoid_table(8))


TESTS = {
    source: set(re.findall(r"^def (test_\w+)\(", source.read_text(encoding="utf-8"), re.MULTILINE))
    for source in (ROOT / "tests").rglob("test_*.py")
}
"""The tests of each file."""


@pages
def test_every_test_that_a_page_names_exists(page):
    """In the file that it names, if any, with its folders or without. `test_mixtures` is a setting of training."""
    for file, name in re.findall(r"`(?:([\w/]+\.py)::)?(test_(?!mixtures`)\w+)`", page.read_text(encoding="utf-8")):
        files = [names for source, names in TESTS.items() if f"/{source.relative_to(ROOT)}".endswith(f"/{file}")]
        assert any(name in names for names in (files if file else TESTS.values())), f"{file}::{name}"


@pages
def test_every_file_that_a_page_names_or_links_exists(page):
    text = page.read_text(encoding="utf-8")
    linked = [page.parent / link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)]
    named = [ROOT / name for name in re.findall(r"`((?:model|hw|cosim|boards|tests|docs)/[\w/]+\.\w+)`", text)]
    for path in linked + named:
        assert path.exists(), path


def test_every_rule_that_the_code_refers_to_exists():
    numbers = set(re.findall(r"^## (\d+)\.", (ROOT / "docs" / "exact-meaning.md").read_text("utf-8"), re.MULTILINE))
    assert numbers == {str(number) for number in range(1, len(numbers) + 1)}
    for folder in ("model", "hw", "jobs", "cosim", "boards", "proofs", "study", "bgru"):
        for source in (ROOT / folder).rglob("*.py"):
            text = source.read_text(encoding="utf-8")
            named = " ".join(re.findall(r"exact-meaning\.md, rules? (\d+(?: and \d+)?)", text))
            assert set(re.findall(r"\d+", named)) <= numbers, source
            for page in re.findall(r"docs/([\w-]+\.md)", text):
                assert (ROOT / "docs" / page).is_file(), f"{source.name} names {page}"
