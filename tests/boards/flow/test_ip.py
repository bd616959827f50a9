# amaranth: UnusedElaboratable=no
"""The core for other systems as it is shipped: FuseSoC lints and runs it, and the example around it works."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from boards.definitions.registry import find
from boards.flow import ip, ip_testbench
from boards.flow.layout import lay_out
from cosim.bench.simulators import require, simulator_path
from hw.flow.rtl import yosys
from hw.gateware.axi import AxiNetwork
from hw.gateware.axi_denoiser import AxiDenoiser
from hw.gateware.denoiser import Denoiser
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from hw.shape.integer_estimate import ram_blocks
from model.bundle.bits import pack, unpack
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.bundle.write import write_bundle
from model.errors import BadInput
from model.reference.golden_model import GoldenModel
from tests.support.audio_engine import random_front_end
from tests.support.random_bundles import random_bundle, random_features, random_layer

ONE = Folding(1, 1)
EXAMPLES = Path("examples").resolve()


def run(*command, cwd, **environment):
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, env=os.environ | environment, stdin=subprocess.DEVNULL
    )


def make(folder, made, *options, board="ulx3s_85f"):
    """`make ip` of a bundle, under `folder`/build; returns the core's folder."""
    write_bundle(made, folder / "net")
    where = ["--bundle", str(folder / "net"), "--board", board, "--build", str(folder / "build")]
    result = run(sys.executable, "-m", "bgru", "ip", *where, *options, cwd=".")
    assert result.returncode == 0, result.stderr
    return folder / "build" / board / made.name / ("ip_audio" if "--audio" in options else "ip")


def fusesoc(folder, target, core):
    """FuseSoC on the cores below `folder` and the examples; it works in `folder` and asks no network."""
    command = [sys.executable, "-m", "fusesoc.main", "--cores-root", str(folder), "--cores-root", str(EXAMPLES)]
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    return run(*command, "run", "--target", target, core, cwd=folder, **home, **simulator_path("verilator", False))


def network(weights="rom"):
    made = random_bundle(np.random.default_rng(1), [("bgru", 7)], bins=9, qad_bits=2)
    foldings = {"gru0": Folding(3, 4, weights), "mask": Folding(2, 3, weights)}
    return AxiNetwork(Network(made, foldings, ECP5, 8, 8))


@pytest.mark.simulator
@pytest.mark.synthesis
@pytest.mark.parametrize("board, streamed", [("ulx3s_85f", False), ("ulx3s_85f", True), ("icebreaker", False)])
def test_fusesoc_lints_and_runs_the_core(board, streamed, tmp_path):
    """Without a warning, and every mask is the golden model's; on an iCEBreaker the weights are loaded first."""
    require("iverilog", "vvp")
    made = random_bundle(np.random.default_rng(2), [("bgru", 10)], bins=9, qad_bits=2)
    first, *others = made.layers
    made = replace(made, layers=(replace(first, name="x"), *others))  # modules of the core have signals of that name
    options = ["--fold", "x=2x8", "--streamed", "x", "--width", "16"] if streamed else ["--width", "8"]
    folder = make(tmp_path, made, *options, board=board)
    assert ("s_axis_x_tdata" in (folder / "bgru.v").read_text()) == (streamed or board == "icebreaker")

    lint = fusesoc(tmp_path, "lint", f"bgru:core:{board}_random")
    assert lint.returncode == 0, lint.stdout + lint.stderr
    assert "%Warning" not in lint.stdout + lint.stderr
    simulated = fusesoc(tmp_path, "sim", f"bgru:core:{board}_random")
    assert simulated.returncode == 0, simulated.stdout + simulated.stderr
    assert re.search(r"PASS: \d+ words of 4 frames are the reference's", simulated.stdout)


@pytest.mark.simulator
@pytest.mark.synthesis
@pytest.mark.parametrize("layers", [("features", "masks"), ("word", "tvalid"), ("limit", "core")])
def test_layers_named_as_what_the_bench_has_itself(layers, tmp_path):
    require("iverilog", "vvp")
    made = random_bundle(np.random.default_rng(1), [("bgru", 7)], bins=9, qad_bits=2)
    named = tuple(replace(layer, name=name) for layer, name in zip(made.layers, layers, strict=True))
    folding = dict(zip(layers, (Folding(3, 4, "loaded"), Folding(2, 3, "loaded")), strict=True))
    core = AxiNetwork(Network(replace(made, layers=named), folding, ECP5, 8, 8))
    ip.write(core, "bgru", "named", tmp_path)
    simulated = fusesoc(tmp_path, "sim", "bgru:core:named")
    assert simulated.returncode == 0, simulated.stdout + simulated.stderr


@pytest.mark.simulator
@pytest.mark.synthesis
def test_the_bench_finds_one_wrong_weight_and_says_so(tmp_path):
    require("iverilog", "vvp")
    core = network()
    ip.write(core, "bgru", "broken", tmp_path)
    text = (tmp_path / "bgru.v").read_text()
    found = list(re.finditer(r"localparam \[\d+:0\] (bits_\d+)_from_0 = (\d+)'h(\w+);", text))
    wide = max(found, key=lambda match: int(match[2]))
    whole = int(wide[3], 16) ^ (1 << int(wide[2])) - 1
    (tmp_path / "bgru.v").write_text(text.replace(wide[0], wide[0].replace(wide[3], f"{whole:x}")))
    simulated = fusesoc(tmp_path, "sim", "bgru:core:broken")
    assert simulated.returncode != 0
    assert re.search(r"FAIL: word \d+ of bench-masks.mem: expected \w+, got \w+", simulated.stdout)


@pytest.mark.simulator
@pytest.mark.synthesis
def test_two_cores_are_in_one_system_under_two_names(tmp_path):
    """Each passes its own bench, built together with the other."""
    require("iverilog", "vvp")
    for name, weights in (("left", "rom"), ("right", "loaded")):
        (tmp_path / name).mkdir()
        ip.write(network(weights), name, f"system_{name}", tmp_path / name)
    sources = [str(tmp_path / name / f"{name}.v") for name in ("left", "right")]
    for name in ("left", "right"):
        where = tmp_path / name
        built = run("iverilog", "-g2012", "-s", "bench", "-o", "run.vvp", *sources, "bench.v", cwd=where)
        assert built.returncode == 0, built.stderr
        assert "PASS: " in run("vvp", "-n", "run.vvp", cwd=where).stdout


def denoiser():
    """A small bundle whose front end the audio engine takes, and its core."""
    rng = np.random.default_rng(3)
    front_end = random_front_end(rng, 32, 2)
    gru = random_layer(rng, "bgru", front_end.features, 9, name="gru0")
    made = Bundle("random", front_end, (gru, random_layer(rng, "dense", 9, 2 * front_end.bins, name="mask")))
    folding = {"gru0": Folding(3, 4), "mask": Folding(2, 3)}
    return made, AxiDenoiser(Denoiser(Network(made, folding, ECP5, 1, 2)))


@pytest.mark.simulator
@pytest.mark.synthesis
@pytest.mark.parametrize("board, streamed", [("ulx3s_85f", False), ("ulx3s_85f", True), ("icebreaker", False)])
def test_fusesoc_lints_and_runs_the_denoisers_core(board, streamed, tmp_path):
    """Without a warning, and every sample of two recordings is the reference's."""
    require("iverilog", "vvp")
    made, _ = denoiser()
    options = ["--fold", "gru0=2x8", "--streamed", "gru0"] if streamed else []
    make(tmp_path, made, "--audio", *options, board=board)
    lint = fusesoc(tmp_path, "lint", f"bgru:core:{board}_random_audio")
    assert lint.returncode == 0, lint.stdout + lint.stderr
    assert "%Warning" not in lint.stdout + lint.stderr
    simulated = fusesoc(tmp_path, "sim", f"bgru:core:{board}_random_audio")
    assert simulated.returncode == 0, simulated.stdout + simulated.stderr
    assert "PASS: 16 words of 2 recordings are the reference's" in simulated.stdout


@pytest.mark.simulator
@pytest.mark.synthesis
def test_the_denoisers_bench_finds_one_wrong_bit_and_says_so(tmp_path):
    require("iverilog", "vvp")
    _, core = denoiser()
    ip.write(core, "bgru", "broken", tmp_path)
    right = tmp_path / "bench-denoised.mem"
    words = right.read_text().split()
    assert len(set(words)) > 8  # no silence
    words[5] = f"{int(words[5], 16) ^ 1:x}"
    right.write_text("".join(f"{word}\n" for word in words))
    simulated = fusesoc(tmp_path, "sim", "bgru:core:broken")
    assert simulated.returncode != 0
    assert re.search(r"FAIL: word 5 of bench-denoised.mem: expected \w+, got \w+", simulated.stdout)


RUN_EXAMPLE = """
`timescale 1ns / 1ns
module run;
  reg clk = 0, resetn = 0;
  always #5 clk = !clk;
  wire led, error;
  top #(.FRAMES(3), .PERIOD(4000)) dut (.clk(clk), .resetn(resetn), .led(led), .error(error));
  integer masks = 0, bright = 0, cycles = 0;
  always @(posedge clk) begin
    if (dut.mask_valid && dut.mask_last) masks <= masks + 1;
    if (masks == 4) begin
      cycles <= cycles + 1;
      if (cycles > 1 && cycles < 2 + 1024) bright <= bright + led;
      if (cycles == 1030) $display("%0d %0d", dut.speech, bright);
    end
    if (cycles == 1030) $finish;
  end
  initial begin
    #95 resetn = 1;
    #1000000 $display("late");
    $finish;
  end
endmodule
"""


def as_small(rng):
    """A network with a few units, and all else as large as the shipped `small`; most of its mask bits are ones."""
    front_end = read_bundle(Path("bundles/small")).front_end
    features, bits = front_end.features, front_end.bins * front_end.mask_bits
    mask = random_layer(rng, "dense", 4, bits, name="mask")
    mask = replace(mask, threshold=np.minimum(mask.threshold, -1))
    return Bundle("small", front_end, (random_layer(rng, "bgru", features, 4, name="gru0"), mask))


@pytest.mark.simulator
@pytest.mark.synthesis
def test_the_example_has_no_warning_and_its_led_shows_the_golden_models_mask(tmp_path):
    require("iverilog", "vvp")
    rng = np.random.default_rng(3)
    made = as_small(rng)
    bits = made.layers[-1].units
    folder = make(tmp_path, made, "--fold", "gru0=2x64", "--fold", "mask=1x4")
    lint = fusesoc(tmp_path, "lint", "bgru:example:axi")
    assert lint.returncode == 0 and "%Warning" not in lint.stdout + lint.stderr, lint.stdout + lint.stderr

    features = random_features(rng, made, 3)
    padded = np.pad(features, ((0, 0), (0, -features.shape[1] % 32))).reshape(-1, 32)
    rows = (int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little") for row in padded)
    (tmp_path / "frames.mem").write_text("".join(f"{row:x}\n" for row in rows))
    (tmp_path / "run.v").write_text(RUN_EXAMPLE)
    sources = [folder / "bgru.v", EXAMPLES / "axi" / "top.v", "run.v"]
    command = ["iverilog", "-g2005", "-s", "run", "-I", str(folder), "-o", "run.vvp", *map(str, sources)]
    built = run(*command, cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    said = run("vvp", "-n", "run.vvp", cwd=tmp_path).stdout.split()

    model = GoldenModel(made)
    ones = [int(unpack(mask, bits).sum()) for mask, _ in model.steps(pack(features))]
    assert ones[0] > 511  # more than nine bits count
    model.reset()  # after its three frames, the recording and the utterance begin again
    assert int(unpack(model.step(pack(features[0]))[0], bits).sum()) == ones[0]
    assert said == [str(ones[0]), str(ones[0])]


def test_the_verilog_header_has_the_sizes_and_the_pace_of_the_network():
    core = AxiNetwork(Network(as_small(np.random.default_rng(0)), {"gru0": Folding(1, 8), "mask": ONE}, ECP5, 32, 32))
    defined = dict(re.findall(r"^`define (\w+) (\d+)$", ip.verilog_header(core, "bgru"), re.MULTILINE))
    assert defined == {
        "BGRU_FRAME_WORDS": "33",
        "BGRU_MASK_WORDS": "25",
        "BGRU_FEATURES": "1028",
        "BGRU_BINS": "771",
        "BGRU_IN_WIDTH": "32",
        "BGRU_OUT_WIDTH": "32",
        "BGRU_SAMPLE_RATE": "16000",
        "BGRU_HOP": "128",
    }


def test_contents_that_do_not_fit_their_memory_are_refused(tmp_path):
    (tmp_path / "top-0.mem").write_text("0000\n0000\n000\n")
    (found,) = ip.MEMORY.finditer('  reg [3:0] words [2:0];\n  initial $readmemb("top-0.mem", words);\n')
    with pytest.raises(RuntimeError, match=r"top-0\.mem: expected 3 words of 4 bits"):
        ip.contents(found, tmp_path)


def test_a_core_may_use_the_memory_that_a_board_gives_to_its_link(monkeypatch, tmp_path):
    """The smallest device that the core fits has no block RAM to spare, and so none for a link."""
    made = random_bundle(np.random.default_rng(2), [("bgru", 10)], bins=9, qad_bits=2)
    write_bundle(made, tmp_path / "net")
    board = find("ulx3s_85f")
    foldings = {"gru0": Folding(2, 8), "mask": Folding(1, 4)}
    laid_out = lay_out(made, board, foldings).layers
    needed = sum(ram_blocks(layer, laid_out[layer.name].spec)["block_ram"] for layer in made.bitwise)
    tight = replace(board, part=replace(board.part, available={**board.available, "block_ram": needed}))
    with pytest.raises(BadInput, match="next to the link"):
        lay_out(made, tight, foldings)
    monkeypatch.setattr(ip, "find", lambda name: tight)
    fold = [f"{name}={folding.pe}x{folding.simd}" for name, folding in foldings.items()]
    ip.run(tmp_path / "net", board.name, fold, None, 32, "bgru", False, tmp_path / "build")
    assert (tmp_path / "build" / board.name / made.name / "ip" / "bgru.v").is_file()


@pytest.mark.synthesis
@pytest.mark.parametrize(
    "make_core",
    [network, lambda: network("loaded"), lambda: denoiser()[1]],
    ids=["rom", "loaded", "denoiser"],
)
def test_yosys_reads_the_same_contents_fast_and_slow(make_core, tmp_path):
    """The benches above run with the slow way's. The denoiser has a memory named as a keyword."""
    core = make_core()
    (tmp_path / "bgru.v").write_text(ip.verilog(core, "bgru"))
    texts = []
    for name, options in (("slow", ""), ("fast", "-icells -D BGRU_ICELLS")):
        yosys(
            [
                f"read_verilog {options} bgru.v",
                "hierarchy -top bgru",
                "proc -norom",
                "memory_collect",
                f"dump -o {name} t:$mem_v2",
            ],
            tmp_path,
        )
        kept = re.findall(r"parameter (?:signed )?\\(?:MEMID|INIT|SIZE|WIDTH) .*", (tmp_path / name).read_text())
        texts.append(kept)
    assert texts[0] == texts[1] and sum("INIT" in line for line in texts[0]) > 4


NAME_RULE = "--name: expected 1 to 64 letters, digits and _, a letter first"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("2nd-core", f"{NAME_RULE}, got 2nd-core"),
        ("_core", f"{NAME_RULE}, got _core"),
        ("n" * 65, f"{NAME_RULE}, got {'n' * 65}"),
        ("", f"{NAME_RULE}, got "),
        ("bench", "--name: expected another name than the test bench's modules, got bench"),
        ("Source", "--name: expected another name than the test bench's modules, got Source"),
        ("always", "--name: expected no keyword of Verilog or SystemVerilog, got always"),
        ("logic", "--name: expected no keyword of Verilog or SystemVerilog, got logic"),
        ("double", "--name: expected no keyword of C or C++, got double"),
        ("mutable", "--name: expected no keyword of C or C++, got mutable"),
    ],
)
def test_a_name_that_a_core_cannot_have(name, message):
    with pytest.raises(BadInput, match=f"^{re.escape(message)}$"):
        ip.check_name(name)


@pytest.mark.parametrize("name", ["bgru", "left", "Core2", "bench_1", "n" * 64])
def test_a_name_that_a_core_can_have(name):
    ip.check_name(name)


def test_the_names_that_are_kept_for_the_bench_are_those_of_its_modules():
    assert set(re.findall(r"^module (\w+)", ip_testbench.BENCH, re.MULTILINE)) == set(ip_testbench.MODULES)


@pytest.mark.parametrize("width", [0, -8, 12, 8192])
def test_a_width_that_a_core_cannot_have(width, tmp_path):
    with pytest.raises(BadInput, match=f"^--width: expected a multiple of 8 bits from 8 to 4096, got {width}$"):
        ip.run(Path("bundles/tiny"), "ulx3s_85f", None, None, width, "bgru", False, tmp_path / "build")
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--streamed", "gru0"], "--streamed gru0: expected its folding too, as in --fold gru0=1x8"),
        (["--audio", "--width", "16"], "--width: expected none with --audio, whose samples have 16 bits, got 16"),
        (["--name", "bench"], "--name: expected another name than the test bench's modules, got bench"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(options, message, tmp_path):
    where = ["--bundle", "bundles/tiny", "--build", str(tmp_path / "build")]
    result = run(sys.executable, "-m", "bgru", "ip", *where, *options, cwd=".")
    assert result.returncode == 2
    assert result.stderr.strip() == f"error: {message}"
    assert not (tmp_path / "build").exists()
