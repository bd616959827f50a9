"""What tests of several modules share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.reference import audio
from tests.support import runs


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
