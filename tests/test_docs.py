"""What the documentation says is run: its examples, and the tests that it names."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.bundle.read import read_bundle
from model.reference.golden_model import GoldenModel
from tests.support.paths import ROOT

DOCS = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])
pages = pytest.mark.parametrize("page", DOCS, ids=[page.name for page in DOCS])


def examples(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_example_of_the_bundle_page_writes_a_bundle_with_numpy_alone(tmp_path):
    (example,) = examples(ROOT / "docs" / "bundle.md")
    imported = set(re.findall(r"^(?:import|from) (\w+)", example, re.MULTILINE))
    assert imported == {"hashlib", "json", "pathlib", "numpy"}
    subprocess.run([sys.executable, "-c", example], cwd=tmp_path, check=True, timeout=60)
    network = read_bundle(tmp_path / "example")
    assert [(layer.name, layer.inputs, layer.units) for layer in network.layers] == [("gru0", 18, 12), ("mask", 12, 9)]
    features = np.random.default_rng(0).integers(0, 2, (20, 18), dtype=np.uint8)
    assert 0 < GoldenModel(network).masks(features).mean() < 1


@pages
def test_every_test_that_a_page_names_exists(page):
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)", page.read_text(encoding="utf-8")):
        source = ROOT / file
        assert source.is_file(), file
        assert re.search(rf"^(?:async )?def {name}\(", source.read_text(encoding="utf-8"), re.MULTILINE), name


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
    for folder in ("model", "hw", "cosim", "boards"):
        for source in (ROOT / folder).glob("*.py"):
            text = source.read_text(encoding="utf-8")
            assert set(re.findall(r"exact-meaning\.md, rule (\d+)", text)) <= numbers, source
            for page in re.findall(r"docs/([\w-]+\.md)", text):
                assert (ROOT / "docs" / page).is_file(), f"{source.name} names {page}"
