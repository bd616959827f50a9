"""What tests of several modules share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.reference import audio
from tests.support import runs
from tests.support.paths import ROOT

# No test depends on the time it takes, each runs the same examples every time, and a failure prints how to replay it.
settings.register_profile("project", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("project")

# Whatever a tool makes is keyed by all that went into it, so tests share it, with each other and with the next run.
os.environ.setdefault("BGRU_CACHE", str(ROOT / "build" / "cache"))

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: the workers share the cores as it is

SLOW = ("synthesis", "simulator", "training")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first, so that no worker is left alone with one at the end."""
    slow = {item.path for item in items if any(item.get_closest_marker(name) for name in SLOW)}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with speech and noise to train a tiny network on."""
    return runs.record(tmp_path_factory.mktemp("recordings"))


@pytest.fixture
def recording_features() -> Callable[[Bundle], Bits]:
    """Feature bits of the noisy recording in the repository, for a bundle's front end."""

    def features(network: Bundle) -> Bits:
        front_end = network.front_end
        return front_end.hear(audio.read(Path("samples/noisy.flac"), front_end.sample_rate))

    return features
