"""What tests of several modules share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from model import audio
from model.bits import Bits
from model.bundle import Bundle


@pytest.fixture
def recording_features() -> Callable[[Bundle], Bits]:
    """Feature bits of the noisy recording in the repository, for a bundle's front end."""

    def features(network: Bundle) -> Bits:
        front_end = network.front_end
        noisy = audio.read(Path("samples/noisy.flac"), front_end.sample_rate)
        return front_end.encode(front_end.stft(front_end.normalise(noisy)[0]))

    return features
