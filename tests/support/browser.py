"""A page of the project as its reader gets it: its text, what it asks for, and how a real browser paints it."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr"),
)


def browse(page: Path, folder: Path, *options: str) -> tuple[str, str]:
    """What Chromium prints of a page, and what the page's console says; skipped where there is no Chromium."""
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH")
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [CHROMIUM, *QUIET, profile, *options, page.resolve().as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout, "\n".join(line for line in result.stderr.splitlines() if "CONSOLE" in line)


def text_of(source: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<style.*?</style>|<[^>]+>", " ", source, flags=re.DOTALL)))


def assert_asks_for_nothing(page: str) -> int:
    """No network, no script, no other file, and not too long; returns how many pictures and recordings are in it."""
    assert "default-src 'none'" in page
    without_data = re.sub(r'"data:[^"]*"', '""', page)
    assert not re.search(r"https?:|//\w|<script|<link|<iframe|@import|url\(|\bon\w+=", without_data)
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(re.match(r"data:(image/png|audio/flac);base64,", source) for source in sources)
    assert len(page) < 3_000_000
    return len(sources)


def assert_painted(path: Path, scheme: str, height: int, folder: Path) -> None:
    """Chromium paints a page, light or dark, leaves no part of it blank and complains of nothing."""
    picture = folder / "page.png"
    theme = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    _, console = browse(path, folder, *theme, f"--window-size=1200,{height}", f"--screenshot={picture}")
    assert console == ""
    with Image.open(picture) as image:
        assert image.size == (1200, height)
        pixels = np.asarray(image.convert("L"), dtype=float)
    assert (pixels[0, 0] > 200) == (scheme == "light")
    for begin in range(0, height, 600):
        assert pixels[begin : begin + 600].std() > 10


def content_width(page: str, width: int, folder: Path) -> int:
    """How wide a page is in a window of `width`: more where something sticks out."""
    # The page allows no script, so one around it measures it; a frame may be narrower than Chromium's windows.
    measuring = "document.title = frame.contentDocument.documentElement.scrollWidth"
    wrapper = folder / "wrapper.html"
    wrapper.write_text(
        f'<title></title><iframe id="frame" style="border:0;width:{width}px;height:900px" onload="{measuring}" '
        f'srcdoc="{html.escape(page)}"></iframe>'
    )
    dom, _ = browse(wrapper, folder, "--dump-dom")
    return int(re.search(r"<title>(.*?)</title>", dom)[1])
