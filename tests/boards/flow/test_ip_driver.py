# amaranth: UnusedElaboratable=no
"""The drivers that come with a core, in C and Python, against the core itself in Verilator."""

import ctypes
import importlib.util
import os
import re
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from cocotb_tools.check_results import get_results
from hypothesis import given
from hypothesis import strategies as st

from boards.flow import ip, ip_driver
from cosim.bench.build import cocotb_environment, cocotb_simulator, run
from cosim.bench.simulators import simulator_path
from hw.gateware.axi import MAGIC, AxiNetwork
from hw.gateware.axi_denoiser import AxiDenoiser
from hw.gateware.denoiser import Denoiser
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from model.bundle.bits import pack, unpack
from model.bundle.bundle import Bundle
from model.reference.denoise import denoise
from model.reference.golden_model import GoldenModel
from tests.support.audio_engine import random_front_end
from tests.support.paths import ROOT
from tests.support.random_bundles import random_bundle, random_features, random_layer, seeds
from tests.support.simulators import QUICKEST

EXAMPLE = ROOT / "examples" / "axi"
STRICT = ["-std=c99", "-O2", "-fPIC", "-ffreestanding", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]


def network(weights="rom"):
    """Features and mask fill neither their last words nor their last bytes."""
    made = random_bundle(np.random.default_rng(1), [("bgru", 7)], bins=9, qad_bits=2)
    return AxiNetwork(Network(made, {"gru0": Folding(3, 4, weights), "mask": Folding(2, 3, weights)}, ECP5, 16, 8))


def denoiser():
    rng = np.random.default_rng(3)
    front_end = random_front_end(rng, 32, 2)
    gru = random_layer(rng, "bgru", front_end.features, 9, name="gru0")
    made = Bundle("random", front_end, (gru, random_layer(rng, "dense", 9, 2 * front_end.bins, name="mask")))
    folding = {"gru0": Folding(3, 4), "mask": Folding(2, 3)}
    return AxiDenoiser(Denoiser(Network(made, folding, ECP5, 1, 2)))


READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
EXCHANGE = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_size_t,
)


class Bus(ctypes.Structure):
    """`struct bgru`; as an object, the bus of the driver in Python."""

    _fields_ = (
        ("read", READ),
        ("write", WRITE),
        ("registers", ctypes.c_void_p),
        ("exchanging", EXCHANGE),
        ("streams", ctypes.c_void_p),
    )

    def read32(self, offset):
        return self.read(self.registers, offset)

    def write32(self, offset, value):
        self.write(self.registers, offset, value)

    def exchange(self, packet, size, start):
        received = ctypes.create_string_buffer(size)
        assert self.exchanging(self.streams, packet, len(packet), start, received, size) == 0
        return received.raw


def of_registers(values):
    """A bus with these registers, by name, and no streams."""
    bus = Bus(READ(lambda _, offset: values[offset // 4]), WRITE(lambda *_: None), None, EXCHANGE(lambda *_: 0), None)
    return bus


def write(core, folder):
    for name, text in ip_driver.files(core, "bgru").items():
        (folder / name).write_text(text)


def compile_c(folder, *options):
    return subprocess.run(
        ["gcc", *STRICT, *options, "-c", "bgru_driver.c", "-o", "bgru_driver.o"],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def driver_in_python(folder):
    spec = importlib.util.spec_from_file_location("bgru_driver", folder / "bgru_driver.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verilate(folder, *sources, **flags):
    """Build the core with the example's bus in Verilator, as docs/axi.md says."""
    environment = os.environ | simulator_path("verilator", False)
    command = [
        "verilator",
        "--cc",
        "--exe",
        "--build",
        "-Wno-fatal",
        "--top-module",
        "bgru",
        "-CFLAGS",
        f"-I{folder} -fPIC",
    ]
    for flag, value in flags.items():
        command += [f"-{flag}", value]
    files = [folder / "bgru.v", folder / "bgru_driver.o", EXAMPLE / "simulated_core.cpp", *sources]
    built = subprocess.run([*command, *map(str, files)], cwd=folder, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "obj_dir" / "Vbgru"


@pytest.fixture(scope="module", params=["network", "denoiser"])
def shipped(request, tmp_path_factory):
    """A core with both drivers, those in C compiled, without hardware."""
    core = {"network": network, "denoiser": denoiser}[request.param]()
    folder = tmp_path_factory.mktemp(request.param)
    write(core, folder)
    compiled = compile_c(folder)
    assert compiled.returncode == 0, compiled.stderr
    subprocess.run(["gcc", "-shared", "-o", "driver.so", "bgru_driver.o"], cwd=folder, check=True)
    return SimpleNamespace(core=core, folder=folder, c=ctypes.CDLL(folder / "driver.so"), py=driver_in_python(folder))


@pytest.fixture(scope="module")
def frames_core(tmp_path_factory):
    return simulated(network(), tmp_path_factory.mktemp("frames"))


def simulated(core, folder):
    """A core with both drivers, in Verilator: a library for this process."""
    write(core, folder)
    (folder / "bgru.v").write_text(ip.verilog(core, "bgru"))
    compiled = compile_c(folder)
    assert compiled.returncode == 0, compiled.stderr
    library = ctypes.CDLL(verilate(folder, LDFLAGS="-shared"))
    library.simulated_core.restype = Bus
    return SimpleNamespace(core=core, c=library, py=driver_in_python(folder))


def test_the_header_and_the_page_have_the_map(shipped):
    text, core = (shipped.folder / "bgru_driver.h").read_text(), shipped.core
    page = (ROOT / "docs" / "axi.md").read_text(encoding="utf-8")
    for address, register in enumerate(core.registers):
        assert f"#define BGRU_{register.name.upper()} 0x{4 * address:02x}u" in text
        assert f"| `0x{4 * address:02x}` | `{register.name}` | {register.meaning} |" in page
        assert shipped.py.REGISTERS[register.name] == 4 * address
    identity = int.from_bytes(core.network.bundle.identity, "little")
    assert f"#define BGRU_IDENTITY_VALUE 0x{identity:016x}ull" in text
    assert f"#define BGRU_VERSION_VALUE {core.version}u" in text


def test_the_c_driver_needs_no_library(shipped):
    names = subprocess.run(["nm", "-u", "bgru_driver.o"], cwd=shipped.folder, capture_output=True, text=True).stdout
    assert re.findall(r"U (\S+)", names) in ([], ["_GLOBAL_OFFSET_TABLE_"])


def test_the_header_is_cplusplus_as_well(shipped):
    command = ["g++", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-x", "c++", "bgru_driver.h"]
    assert subprocess.run(command, cwd=shipped.folder).returncode == 0


def test_two_cores_of_two_names_are_in_one_program(tmp_path):
    for name in ("left", "right"):
        for file, text in ip_driver.files(network(), name).items():
            (tmp_path / file).write_text(text)
    main = "int main(void) { struct left l = {0}; struct right r = {0}; return l.registers != r.registers; }\n"
    (tmp_path / "main.c").write_text('#include "left_driver.h"\n#include "right_driver.h"\n' + main)
    subprocess.run(["gcc", "main.c", "left_driver.c", "right_driver.c"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "a.out"]).returncode == 0


@pytest.mark.parametrize(
    ("wrong", "code"), [(None, 0), ("magic", -1), ("version", -2), ("identity_low", -3), ("identity_high", -3)]
)
def test_another_core_is_told_from_this_one(shipped, wrong, code):
    identity = int.from_bytes(shipped.core.network.bundle.identity, "little")
    values = {"magic": MAGIC, "version": shipped.core.version}
    values |= {"identity_low": identity & 0xFFFFFFFF, "identity_high": identity >> 32}
    if wrong:
        values[wrong] ^= 1 << 31
    bus = of_registers(list(values.values()))
    assert shipped.c.bgru_check(ctypes.byref(bus)) == code
    if wrong:
        with pytest.raises(ValueError, match=f"^{wrong.split('_')[0]}: expected 0x"):
            shipped.py.Core(bus)
    else:
        shipped.py.Core(bus)


def test_without_weights_nothing_is_sent(shipped):
    identity = shipped.core.network.bundle.identity
    values = [MAGIC, shipped.core.version, *np.frombuffer(identity, "<u4").tolist(), 1, 1, 4]
    bus, data = of_registers(values), bytes(4096)
    core = shipped.py.Core(bus, exchange=None)
    assert core.loading and not core.busy
    if isinstance(shipped.core, AxiDenoiser):
        assert shipped.c.bgru_denoise(ctypes.byref(bus), data, data, ctypes.c_size_t(1)) == -4
        with pytest.raises(RuntimeError, match="weights"):
            core.denoise(data)
    else:
        assert shipped.c.bgru_frame(ctypes.byref(bus), data, 1, data) == -4
        with pytest.raises(RuntimeError, match="weights"):
            core.frame([0] * shipped.py.FEATURES)


def test_registers_in_memory(shipped, tmp_path):
    """Of a file instead of a device, from an address within a page on."""
    values = np.random.default_rng(0).integers(0, 2**32, 4096, dtype=np.uint32)
    values.tofile(tmp_path / "memory")
    mapped = shipped.py.Mapped(tmp_path / "memory", 4096 + 64)
    memory = values[1024 + 16 :].copy()
    shipped.c.bgru_mapped_read32.restype = ctypes.c_uint32
    for offset in shipped.py.REGISTERS.values():
        assert mapped.read32(offset) == memory[offset // 4]
        assert shipped.c.bgru_mapped_read32(memory.ctypes.data_as(ctypes.c_void_p), offset) == memory[offset // 4]
    mapped.write32(0x18, 7)
    shipped.c.bgru_mapped_write32(memory.ctypes.data_as(ctypes.c_void_p), 0x18, 7)
    assert np.fromfile(tmp_path / "memory", np.uint32)[1024 + 16 + 6] == memory[6] == 7


@pytest.mark.simulator
@pytest.mark.synthesis
class TestFrames:
    @given(seed=seeds, starts=st.lists(st.booleans(), min_size=1, max_size=4))
    def test_a_frame_gives_the_golden_models_mask_through_both(self, frames_core, seed, starts):
        bundle = frames_core.core.network.bundle
        bits = random_features(np.random.default_rng(seed), bundle, len(starts))
        starts[0] = True
        for through in ("c", "python"):
            bus, model = frames_core.c.simulated_core(), GoldenModel(bundle)
            core = frames_core.py.Core(bus, bus.exchange)
            assert frames_core.c.bgru_check(ctypes.byref(bus)) == 0
            for features, start in zip(bits, starts, strict=True):
                if start:
                    model.reset()
                expected = unpack(model.step(pack(features))[0], bundle.layers[-1].units).tolist()
                if through == "c":
                    mask = ctypes.create_string_buffer(len(expected))
                    assert frames_core.c.bgru_frame(ctypes.byref(bus), features.tobytes(), int(start), mask) == 0
                    assert list(mask.raw) == expected
                else:
                    assert core.frame(features.tolist(), start) == expected
            assert core["frames"] == core["masks"] == len(starts) and not core.busy and not core.error

    def test_an_error_is_seen_and_cleared_by_both(self, frames_core):
        class Status(ctypes.Structure):
            counters = ("frames", "masks", "errors", "stalled", "latency")
            _fields_ = [(bit, ctypes.c_int) for bit in ("busy", "error", "loading")] + [
                (name, ctypes.c_uint32) for name in counters
            ]

        bus, status = frames_core.c.simulated_core(), Status()
        core = frames_core.py.Core(bus, bus.exchange)
        clears = (core.clear_error, lambda: frames_core.c.bgru_clear_error(ctypes.byref(bus)))
        for errors, clear in enumerate(clears, 1):
            core.exchange(bytes(2), frames_core.py.MASK_BYTES, True)  # a frame of one word
            frames_core.c.bgru_read_status(ctypes.byref(bus), ctypes.byref(status))
            assert core.error and status.error and core["errors"] == status.errors == errors
            clear()
            frames_core.c.bgru_read_status(ctypes.byref(bus), ctypes.byref(status))
            assert not core.error and not status.error
        assert status.latency == core["latency"] > 0 and status.frames == 2

    def test_features_of_a_wrong_number_are_refused(self, frames_core):
        with pytest.raises(ValueError, match="features"):
            frames_core.py.pack([0])


@pytest.mark.simulator
@pytest.mark.synthesis
def test_a_recording_gives_the_references_samples_through_both(tmp_path):
    made = simulated(denoiser(), tmp_path)
    bus, rng = made.c.simulated_core(), np.random.default_rng(5)
    core = made.py.Core(bus, bus.exchange)
    total = 0
    for count in (1, 20, 83):
        samples = rng.integers(-(2**15), 2**15, count).astype(np.int16)
        expected = denoise(made.core.network.bundle, samples)[0]
        denoised = np.empty_like(samples)
        arguments = (one.ctypes.data_as(ctypes.c_void_p) for one in (samples, denoised))
        assert made.c.bgru_denoise(ctypes.byref(bus), *arguments, ctypes.c_size_t(count)) == 0
        assert denoised.tolist() == expected.tolist()
        assert core.denoise(samples.astype("<i2").tobytes()) == expected.astype("<i2").tobytes()
        total += 2 * count
    assert core["samples_in"] == core["samples_out"] == total and core["recordings"] == 6


@pytest.mark.simulator
@pytest.mark.synthesis
def test_the_example_denoises_a_recording(tmp_path):
    core = denoiser()
    write(core, tmp_path)
    (tmp_path / "bgru.v").write_text(ip.verilog(core, "bgru"))
    assert compile_c(tmp_path).returncode == 0
    compiled = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{tmp_path}", "-c", str(EXAMPLE / "denoise.c")]
    subprocess.run(compiled, cwd=tmp_path, check=True)
    program = verilate(tmp_path, tmp_path / "denoise.o")
    samples = np.random.default_rng(5).integers(-(2**15), 2**15, 100).astype("<i2")
    ran = subprocess.run([program], input=samples.tobytes(), capture_output=True)
    assert any(ran.stdout)
    assert ran.returncode == 0 and ran.stderr == b"100 samples in, 100 out\n"
    assert np.frombuffer(ran.stdout, "<i2").tolist() == denoise(core.network.bundle, samples)[0].tolist()


@pytest.mark.simulator
@pytest.mark.synthesis
def test_the_driver_in_python_finds_its_core_in_a_cocotb_bench(tmp_path):
    core = network()
    write(core, tmp_path)
    (tmp_path / "bgru.v").write_text(ip.verilog(core, "bgru"))
    command = cocotb_simulator(QUICKEST, tmp_path / "bgru.v", "bgru", waves=False, quick=True)
    variables = cocotb_environment("bgru", "registers", tmp_path / "results.xml")
    variables["PYTHONPATH"] += f"{os.pathsep}{tmp_path}{os.pathsep}{EXAMPLE}"
    assert run(command, tmp_path, variables, tmp_path / "log") == 0
    assert get_results(tmp_path / "results.xml") == (1, 0), (tmp_path / "log").read_text()
