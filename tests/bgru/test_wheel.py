"""The wheel: complete, and at work in a new environment outside of the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy of the files that git knows, so that nothing else gets in."""
    folder = tmp_path_factory.mktemp("wheel")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("docs/", "tests/")):
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / "source" / name)
    build = "import setuptools.build_meta as it, sys; print(it.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=folder / "source", check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """A new environment with the wheel; its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # Only the folder, not what its .pth files add: the checkout's editable install stays out.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def bgru(environment: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(environment / "bin" / "python"), "-m", "bgru", *words],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
    )


def test_every_package_is_listed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    tops = ("bgru", "model", "hw", "jobs", "boards", "cosim", "proofs", "study")
    found = {path.parent.relative_to(ROOT) for top in tops for path in (ROOT / top).rglob("*.py")}
    assert {str(path).replace("/", ".") for path in found} == {
        name for name in listed if not name.startswith(("bgru.bundles", "bgru.samples"))
    }
    shipped = {f"bgru.bundles.{path.parent.name}" for path in (ROOT / "bundles").glob("*/manifest.json")}
    assert shipped == {name for name in listed if name.startswith("bgru.bundles.")}


def test_everything_that_is_no_python_travels_too(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        *("bgru/bundles/small/arrays.npz", "bgru/bundles/tiny/manifest.json", "bgru/samples/noisy.flac"),
        *("bgru/bundles/NOTICE.md", "hw/shape/calibration.json", "cosim/bench/cells/ecp5_ram.v"),
        *(
            "cosim/report/page.html.jinja",
            "cosim/chips/board.cpp",
            "cosim/bench/streams.h",
            "cosim/bench/clocks.h",
            "model/pages/layout.html.jinja",
        ),
    ):
        assert name in names
    entries = zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith("entry_points.txt")))
    assert b"bgru = bgru.cli:main" in entries


def test_it_works_from_any_folder(environment, tmp_path):
    where = bgru(environment, tmp_path, "--version")
    assert where.returncode == 0, where.stderr
    plan = bgru(environment, tmp_path, "plan", "--board", "icebreaker", "--frame-rate", "125")
    assert plan.returncode == 0, plan.stderr
    assert "tiny on icebreaker" in plan.stdout
    denoised = bgru(environment, tmp_path, "denoise", "--bundle", "small")
    assert denoised.returncode == 0, denoised.stderr
    assert (tmp_path / "build" / "denoised.wav").is_file()
    report = bgru(environment, tmp_path, "report", "--board", "icebreaker")
    assert report.returncode == 0, report.stderr
    assert (tmp_path / "build" / "icebreaker" / "tiny" / "report" / "index.html").is_file()
