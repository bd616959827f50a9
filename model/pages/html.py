"""Common code of the project's pages: each is one HTML file that needs no network, no script and no other file.

`layout.html.jinja` is the layout, `macros.html.jinja` has shared parts; recordings become data URIs here.
"""

import base64
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib import colormaps
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from PIL import Image

from model.bundle.front_end import FrontEnd
from model.corpora.float_front_end import FloatFrontEnd
from model.files import replacing
from model.reference.audio import Signal

FLOOR_DB = -70.0
SHADES = 32
"""Colours of a spectrogram: a PNG of few is a quarter the size of one of many."""

FRAMES, BINS = 700, 300
"""Largest width and height of a picture in pixels."""


def write(path: Path, template: Path, facts: Mapping[str, Any]) -> None:
    """Write a page, whole or not at all: `template` may extend `layout.html.jinja` and import `macros.html.jinja`."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["number"] = number
    text = environment.get_template(template.name).render(facts)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands separators; unknown is a dash, and no zero is negative."""
    return "\u2013" if value is None else f"{round(value, digits) + 0.0:,.{digits}f}"


def sound(signal: Signal, sample_rate: int) -> str:
    """A signal as lossless FLAC for an `<audio>` element, about 25 kB a second at 16 kHz; turned down if too loud."""
    buffer = io.BytesIO()
    peak = max(1.0, float(np.abs(signal).max(initial=0.0)))
    soundfile.write(buffer, signal / peak, sample_rate, "PCM_16", format="FLAC")
    return _uri("audio/flac", buffer)


def loudest(front_end: FrontEnd, signal: Signal) -> float:
    """The largest magnitude in a signal's spectrum: `full_scale` for `spectrogram`."""
    return float(np.abs(FloatFrontEnd.of(front_end).stft(signal)).max())


def spectrogram(front_end: FrontEnd, signal: Signal, full_scale: float) -> str:
    """A signal's spectrogram; the magnitude `full_scale` is brightest, `FLOOR_DB` below it darkest."""
    magnitude = np.abs(FloatFrontEnd.of(front_end).stft(signal))
    level = 20 * np.log10(np.maximum(magnitude / full_scale, 10 ** (FLOOR_DB / 20)))
    shades = np.clip(np.rint((1 - level / FLOOR_DB) * (SHADES - 1)), 0, SHADES - 1).astype(np.uint8)
    return picture(shades, [to_hex(colour) for colour in colormaps["magma"](np.linspace(0, 1, SHADES))])


def picture(values: NDArray[np.uint8], colours: Iterable[str]) -> str:
    """Values (frames, bins), each a colour index, as a PNG: time to the right, frequency upwards."""
    across, up = (-(-size // most) for size, most in zip(values.shape, (FRAMES, BINS), strict=True))
    image = Image.fromarray(np.ascontiguousarray(values[::across, ::up].T[::-1]))
    image.putpalette(b"".join(bytes.fromhex(colour.removeprefix("#")) for colour in colours))
    buffer = io.BytesIO()
    image.save(buffer, "png", optimize=True)
    return _uri("image/png", buffer)


def _uri(kind: str, buffer: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
