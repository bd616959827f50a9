"""What tests of several modules share."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.reference import audio
from model.reference.denoise import hear
from tests.support import runs
from tests.support.paths import ROOT

# No test depends on the time it takes, each runs the same examples every time, and a failure prints how to replay it.
settings.register_profile("project", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("project")

# Whatever a tool makes is keyed by all that went into it, so tests share it, with each other and with the next run.
os.environ.setdefault("BGRU_CACHE", str(ROOT / "build" / "cache"))

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: the workers share the cores as it is

SLOW = ("synthesis", "simulator", "training")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="of the slow tests, only those of files with changes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow files first, so that no worker is left alone with one at the end; `--quick` leaves most of them out."""
    slow = {item: any(item.get_closest_marker(name) for name in SLOW) for item in items}
    if config.getoption("quick"):
        wanted = set(tests_of_changes())
        kept = [item for item in items if not slow[item] or item.path in wanted]
        config.hook.pytest_deselected(items=[item for item in items if slow[item] and item.path not in wanted])
        items[:] = kept
    files = {item.path for item in items if slow[item]}
    items.sort(key=lambda item: item.path not in files)


def tests_of_changes() -> list[Path]:
    """The test files with changes since the last commit, and those of the modules with changes."""
    command = ["git", "status", "--porcelain", "--untracked-files=all", "--no-renames"]
    status = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    changed = [Path(line[3:]) for line in status.splitlines() if line.endswith(".py")]
    mirrored = [path if path.parts[0] == "tests" else "tests" / path.with_name(f"test_{path.name}") for path in changed]
    return [ROOT / path for path in mirrored]


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with speech and noise to train a tiny network on."""
    return runs.record(tmp_path_factory.mktemp("recordings"))


@pytest.fixture
def recording_features() -> Callable[[Bundle], Bits]:
    """Feature bits of the noisy recording in the repository, for a bundle's front end."""

    def features(network: Bundle) -> Bits:
        front_end = network.front_end
        return hear(front_end, audio.read_samples(Path("samples/noisy.flac"), front_end.sample_rate))

    return features
