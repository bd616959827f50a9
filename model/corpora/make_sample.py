"""Make the noisy recording that `make sim` and the examples denoise.

`bgru sample --speech DIR ...`

One utterance of a test speaker in the test part of a noise; networks trained on `--speech` have heard neither.
"""

from pathlib import Path

import numpy as np

from model.console import console
from model.corpora import corpus
from model.corpora.mixing import mix
from model.corpora.notices import read_notice, short
from model.errors import BadInput
from model.files import replacing
from model.reference import audio

RATE = 16000
SHORTEST, LONGEST = 3.5, 5.0


def run(
    speech: Path, noise: Path, speaker: str, noise_name: str, out: Path, snr: float, seed: int, notice: Path | None
) -> None:
    """Mix a sample recording, 16 kHz, and write it with its clean speech and a README: `bgru sample`."""
    licence = read_notice(notice)
    people, noises = corpus.speakers(speech), corpus.noises(noise)
    for what, name, known in (("speaker", speaker, people), ("noise", noise_name, noises)):
        if name not in known:
            raise BadInput(f"{what} {name}: expected one of {', '.join(list(known)[:5])}, ..., got another")
    utterance = next((path for path in people[speaker] if SHORTEST <= _seconds(path) <= LONGEST), None)
    if utterance is None:
        raise BadInput(f"speaker {speaker}: expected an utterance of {SHORTEST} to {LONGEST} s, got none")
    part = corpus.read_noise(noises[noise_name], "test", RATE)
    made = mix(corpus.read_speech(utterance, RATE), part, snr, np.random.default_rng(seed))
    gain = min(1.0, 0.99 / float(np.max(np.abs(made.mixture))))  # one gain for both, so they can be compared
    audio.write(out / "noisy.flac", np.float32(gain) * made.mixture, RATE)
    audio.write(out / "clean.flac", np.float32(gain) * made.clean, RATE)
    with replacing(out / "README.md") as temporary:
        temporary.write_text(
            f"""# Sample recording

`noisy.flac` is `clean.flac` plus noise at {snr:g} dB, {len(made.mixture) / RATE:.2f} s at {RATE} Hz. The speech is
`{utterance.relative_to(speech)}` of `{short(speech)}`, the noise an excerpt of the last part of
`{noises[noise_name].name}` of `{short(noise)}`: neither the speaker nor that stretch of noise was used in training.

```
bgru sample --speech {short(speech)} --noise {short(noise)} --speaker {speaker} \\
    --noise-name {noise_name} --snr {snr:g} --seed {seed}
```

{licence.strip()}
""",
            encoding="utf-8",
        )
    console.print(f"{out}: {utterance.name} in {noise_name} at {snr:g} dB")


def _seconds(path: Path) -> float:
    return len(audio.read(path, RATE)) / RATE
