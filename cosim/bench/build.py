"""Build a simulator once per design, and run it without leaving processes behind.

A simulator's key is the Verilog text, the tool versions and the options. It reads memory contents (`$readmemb`) when it
starts, so networks of one shape share it whatever their weights.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from threading import current_thread, main_thread

import cocotb_tools.config
import find_libpython

from cosim.bench.simulators import simulator_path
from hw.flow.cache import cached

__all__ = ["cocotb_environment", "cocotb_simulator", "run", "verilated"]

# Widths are exact by construction, so Verilator's lint is not needed for generated text.
VERILATOR = ("-Wno-fatal", "-Wno-WIDTH", "-O3", "--x-assign", "fast", "--x-initial", "fast")

COCOTB_MAIN = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"


def cocotb_simulator(
    simulator: str, verilog: Path, top: str, *, waves: bool, quick: bool, clocks: int = 1, delays: bool = False
) -> list[str]:
    """The command that simulates a Verilog file under cocotb; see `cocotb_environment` for its variables.

    clocks : with several, time has steps of a picosecond
    delays : parts of the file are not generated, and may have delays
    quick : do not optimise, which pays off for short runs
    waves : it writes `waves.fst` in the folder it runs in
    """
    timescale = "1ns/1ns" if clocks == 1 else "1ns/1ps"
    if simulator == "icarus":
        program = _icarus(verilog, top, waves, timescale)
        return ["vvp", "-m", cocotb_tools.config.lib_entry("vpi", "icarus"), str(program), "-fst" if waves else "-none"]
    libraries = cocotb_tools.config.libs_dir
    options = [
        *("--prefix", "Vtop", "--vpi", "--timescale", timescale, *(["--timing"] if delays else [])),
        *("-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"),
        *(["--trace-fst"] if waves else []),
    ]
    # Verilator does not optimise public signals, and cocotb needs only those of the top.
    public = f'`verilator_config\npublic_flat_rw -module "{top}" -var "*"\n'
    program = verilated(verilog, COCOTB_MAIN, top, options=options, config=public, quick=quick)
    return [str(program), *(["--trace", "--trace-file", "waves.fst"] if waves else [])]


COCOTB = re.compile(r"(COCOTB|GPI|PYGPI)_|(MODULE|TESTCASE|TOPLEVEL|TOPLEVEL_LANG|RANDOM_SEED)$")
"""Variables that cocotb reads, by their present and former names."""


def cocotb_environment(top: str, module: str, results: Path) -> dict[str, str]:
    """Variables, as cocotb's own runner sets them, to run the tests in `module` and write verdicts to `results`."""
    return {
        "COCOTB_TEST_MODULES": module,
        "COCOTB_TOPLEVEL": top,
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",  # Verilator applies written values as inertial ones
        "TOPLEVEL_LANG": "verilog",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "GPI_USERS": f"{find_libpython.find_libpython()};{cocotb_tools.config.pygpi_entry_point()}",
    }


def verilated(
    verilog: Path,
    main: Path,
    top: str,
    *,
    headers: Sequence[Path] = (),
    options: Sequence[str] = (),
    config: str = "",
    quick: bool = False,
) -> Path:
    """The program that Verilator builds from `verilog` and `main` (C++, with `headers`).

    `config` is in Verilator's control language.
    """
    environment = simulator_path("verilator", waves="--trace-fst" in options)
    flags = ["OPT_FAST=-O0", "OPT_SLOW=-O0"] if quick else ["OPT_FAST=-O2"]
    tools = [_version("verilator", environment.get("PATH")), _version("g++")]
    command = ["verilator", "--cc", "--exe", "--Mdir", "objects", "--top-module", top, "-o", "simulator"]
    command += [*VERILATOR, *options, main.name, *(["config.vlt"] if config else []), "design.v"]
    sources = [main, *headers]

    def make(entry: Path) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "design.v").write_bytes(verilog.read_bytes())
            (folder / "config.vlt").write_text(config)
            for source in sources:
                (folder / source.name).write_bytes(source.read_bytes())
            _build(command, folder, environment)
            objects = folder / "objects"
            make = ["make", "-C", str(objects), "-f", f"{_prefix(options, top)}.mk", f"-j{min(4, os.cpu_count() or 1)}"]
            make += [f"VM_TRACE={int('--trace-fst' in options)}", *flags]
            _add_runtime(objects, make, environment, tools)
            _build(make, folder, environment)
            shutil.copy2(objects / "simulator", entry)

    parts: list[str | bytes] = [
        verilog.read_bytes(),
        *(source.read_bytes() for source in sources),
        config,
        *tools,
        *command,
        *flags,
    ]
    return (cached("simulator", parts, make) / "simulator").resolve()


def _prefix(options: Sequence[str], top: str) -> str:
    return options[options.index("--prefix") + 1] if "--prefix" in options else f"V{top}"


def _add_runtime(objects: Path, make: Sequence[str], environment: Mapping[str, str], tools: Sequence[str]) -> None:
    """Put the objects of Verilator's own library where its makefile expects them; compiling them takes 8 s."""
    (classes,) = objects.glob("*_classes.mk")
    text = classes.read_text()
    names = [f"{name}.o" for name in re.findall(r"^ +(verilated\w*) ", text, re.MULTILINE)]
    settings = re.findall(r"^VM_(?:C11|TIMING|COVERAGE|TRACE\w*) = .*$", text, re.MULTILINE)

    def compile_(entry: Path) -> None:
        _build([*make, *names], objects, environment)
        for name in names:
            shutil.move(objects / name, entry)

    root = environment.get("VERILATOR_ROOT", "")
    for path in cached("verilator", [*tools, root, *names, *settings], compile_).iterdir():
        shutil.copy(path, objects)  # newer than the makefile, as that demands


def _icarus(verilog: Path, top: str, waves: bool, timescale: str) -> Path:
    simulator_path("icarus", waves)
    files = {"design.v": verilog.read_text(encoding="utf-8"), "options": f"+timescale+{timescale}\n"}
    if waves:
        files["waves.v"] = f'module waves; initial begin $dumpfile("waves.fst"); $dumpvars(0, {top}); end endmodule\n'
    command = ["iverilog", "-g2012", "-o", "simulator", "-s", top, *(["-s", "waves"] if waves else []), "-f", "options"]
    command += [name for name in files if name.endswith(".v")]

    def make(entry: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            _build(command, Path(folder), {})
            shutil.copy2(Path(folder) / "simulator", entry)

    parts = [_version("iverilog", option="-V"), *command, *files.values()]
    return (cached("simulator", parts, make) / "simulator").resolve()


@cache
def _version(program: str, path: str | None = None, option: str = "--version") -> str:
    """A program's version and path: two builds may have the same version."""
    found = shutil.which(program, path=path) or program
    return found + subprocess.run([found, option], capture_output=True, text=True).stdout


def _build(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    log = folder / "build.log"
    if run(command, folder, environment, log):
        raise RuntimeError(f"{command[0]} failed; its output ends with:\n{log.read_text(errors='replace')[-3000:]}")


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Interrupts come at the end of the block, so that none leaves a program that was just being started."""
    handler = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or not callable(handler):
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> int:
    """Run a program in a folder with these variables added, its output into `log`; returns its exit status.

    cocotb's variables in the caller's environment are not passed on: they belong to another simulation.
    It runs in its own process group, which is killed on an interrupt: Ctrl-C leaves no simulator behind.
    """
    with log.open("w") as output, ExitStack() as started:
        started.enter_context(_interrupts_wait())
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**{name: value for name, value in os.environ.items() if not COCOTB.match(name)}, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        try:
            started.close()
            return process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
