# amaranth: UnusedElaboratable=no
"""The synthesised denoiser against the reference, on both families: a fault of the synthesis can't hide."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from boards.definitions.registry import find
from boards.flow.sound import lay_out_sound
from cosim.bench.sound import TOP, Heard, Pauses, SoundBench, simulator_of
from hw.gateware.denoiser import Denoiser
from hw.gateware.network import Network
from hw.shape.family import FAMILIES
from hw.shape.folding import Folding
from model.bundle.bundle import Bundle
from model.bundle.formats import WEIGHT_FORMATS, Format
from model.bundle.random_bundle import random_integer_layer, random_layer
from model.bundle.read import read_bundle
from model.reference import audio
from tests.support.audio_engine import random_front_end, random_level_front_end, random_samples

pytestmark = [pytest.mark.simulator, pytest.mark.synthesis]


def made(family: str) -> Denoiser:
    """A small one whose weights are loaded, into SPRAM where the family has it."""
    rng = np.random.default_rng(5)
    front_end = random_front_end(rng, 32, 2)
    gru = random_layer(rng, "bgru", front_end.features, 6, name="gru0")
    mask = random_layer(rng, "dense", 6, 2 * front_end.bins, name="mask")
    bundle = Bundle("random", front_end, (gru, mask))
    folding = {"gru0": Folding(1, 4, weights="loaded"), "mask": Folding(2, 3)}
    of = FAMILIES[family]
    return Denoiser(Network(bundle, folding, of, 1, 2), single_port=of.single_port_ram is not None)


def noise(hops: int, hop: int) -> np.ndarray:
    return random_samples(np.random.default_rng(2), hops * hop + 3)


@pytest.fixture(scope="module")
def benches(tmp_path_factory) -> dict[str, SoundBench]:
    folder = tmp_path_factory.mktemp("netlists")
    return {
        family: SoundBench.build(made(family), folder / family, netlist=True, quick=True)
        for family in ("ecp5", "ice40")
    }


@pytest.mark.parametrize("family", ["ecp5", "ice40"])
@pytest.mark.parametrize("bypass", [False, True])
def test_a_random_netlist_gives_every_sample_with_pauses_and_restarts(family, bypass, benches):
    rng = np.random.default_rng(7)
    utterances = [random_samples(rng, count, kind) for count, kind in ((50, "noise"), (27, "square"), (35, "impulse"))]
    both = Pauses(20, 300), Pauses(20, 2000)
    heard = benches[family].run(utterances, pauses=both, bypass=bypass)
    assert heard.difference is None
    assert heard.compared["sample"] == 48 + 24 + 32


@pytest.mark.parametrize(("gain_bits", "kind"), [(1, "mask bit"), (8, "gain")])
def test_a_network_of_integers_hears_levels_and_gives_every_sample(gain_bits, kind, tmp_path):
    rng, (int4, binary) = np.random.default_rng(6), (WEIGHT_FORMATS[name] for name in ("int4", "binary"))
    front_end = random_level_front_end(rng, 32, 8)
    gru = random_integer_layer(rng, "gru", front_end.bins, 6, Format(8, 8, int4, int4), "gru0")
    mask = random_integer_layer(rng, "dense", 6, front_end.bins, Format(8, gain_bits, binary), "mask")
    bundle = Bundle("levels", dataclasses.replace(front_end, gain_bits=gain_bits), (gru, mask))
    network = Network(bundle, {"gru0": Folding(2, 4), "mask": Folding(1, 3)}, FAMILIES["ecp5"], 8, gain_bits)
    bench = SoundBench.build(Denoiser(network), tmp_path, quick=True)
    utterances = [random_samples(rng, count, kind) for count, kind in ((83, "noise"), (27, "square"), (35, "silence"))]
    heard = bench.run(utterances, pauses=(Pauses(20, 300), Pauses(20, 2000)))
    assert heard.difference is None
    assert heard.compared == {"level": 17 * 17, kind: 17 * 17, "sample": 17 * 8}


def complement(table: str) -> str:
    return f"{int(table, 16) ^ 0xFFFF:04x}"


@pytest.mark.parametrize(
    ("family", "cell", "change"),
    [
        ("ecp5", r"MULT18X18D .*?\.SIGNEDA\((1'h1)\)", lambda _: "1'h0"),
        ("ecp5", r"LUT4 #\(\s*\.INIT\(16'h(\w{4})", complement),
        ("ice40", r"\.A_SIGNED\((32'd1)\)", lambda _: "32'd0"),
        ("ice40", r"SB_LUT4 #\(\s*\.LUT_INIT\(16'h(\w{4})", complement),
    ],
    ids=["ecp5 multiplier", "ecp5 LUT", "ice40 multiplier", "ice40 LUT"],
)
def test_a_wrong_cell_is_found(family, cell, change, benches, tmp_path):
    def faulty(where: float) -> Heard:
        bench = benches[family]
        text = (bench.folder / f"{TOP}.v").read_text()
        places = list(re.finditer(cell, text, re.DOTALL))
        place = places[int(len(places) * where)]
        folder = tmp_path / str(where)
        folder.mkdir()
        verilog = folder / f"{TOP}.v"
        verilog.write_text(text[: place.start(1)] + change(place[1]) + text[place.end(1) :])
        program = simulator_of(verilog, bench.bundle.front_end, quick=True)
        return dataclasses.replace(bench, program=program, folder=folder).run([noise(12, 8)])

    # Some cells never matter, such as in an interlock that never has to hold: another one is tried then.
    assert any(faulty(where).difference is not None for where in (0.5, 0.25, 0.75))


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_25f"])  # weights in SPRAM; in block RAM
def test_tiny_is_exact_as_the_netlist_for_a_board(name, tmp_path):
    tiny, board = read_bundle(Path("bundles/tiny")), find(name).at_sound_clock(None)
    denoiser = Denoiser(lay_out_sound(tiny, board, {}), single_port=board.family.single_port_ram is not None)
    hop = tiny.front_end.hop
    samples = audio.read_samples(Path("samples/noisy.flac"), tiny.front_end.sample_rate)[40 * hop : 44 * hop]
    heard = SoundBench.build(denoiser, tmp_path, netlist=True, quick=True).run([samples])
    assert heard.difference is None
    assert heard.compared == {"feature bit": 4 * 1028, "mask bit": 4 * 257, "sample": 4 * hop}
