"""Figures in README and docs are those of the file or the command that they name."""

import json
import re
from functools import cache

import pytest

from boards.definitions.registry import find
from boards.flow.layout import choose
from boards.flow.shipped import SOUNDING
from boards.flow.sound import audio_parts
from boards.gateware.sample_rate import rate
from cosim.measure.skipping import shares, stored_bits
from hw.flow.components import LANES
from hw.shape.integer_estimate import estimate_of
from model.bundle.read import read_bundle
from study.run import UNTRAINED
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SOUND = (ROOT / "docs" / "sound.md").read_text(encoding="utf-8")
FORMATS = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
SWEEPS = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
REPORT = (ROOT / "docs" / "report" / "small.html").read_text(encoding="utf-8")
HARDWARE = (ROOT / "docs" / "hardware.md").read_text(encoding="utf-8")
STUDY = json.loads((ROOT / "docs" / "study" / "generalisation-presets.json").read_text())["scores"]["held out"]
BASELINES = json.loads((ROOT / "baselines.json").read_text())
PRESETS = [folder.parent.name for folder in sorted((ROOT / "bundles").glob("*/manifest.json"))]


def row(text: str, first: str) -> list[str]:
    """Cells of the first table row that begins with `first`."""
    (found,) = re.findall(rf"^\| {re.escape(first)} \|(.*)\|$", text, re.MULTILINE)[:1]
    return [cell.strip() for cell in found.split("|")]


def read(name: str):
    return read_bundle(ROOT / "bundles" / name)


@cache
def planned(name: str, board: str) -> dict[str, tuple[str, int]]:
    """What the planner chooses for each layer of a preset on a board: its folding and LUT4."""
    network = read(name)
    specs = choose(network, find(board).at_network_clock(network), {}).layers
    return {
        spec.name: (str(spec.folding), estimate_of(layer, spec.family).resources(spec.folding)["lut4"])
        for layer, spec in zip(network.layers, specs, strict=True)
    }


@pytest.mark.parametrize("name", PRESETS)
def test_the_readme_has_the_scores_of_the_study(name):
    cells = " | ".join(row(README, f"[`{name}`](bundles/{name}/README.md)"))
    before, after = (STUDY[system]["all"]["mean"] for system in ("mixture", f"`{name}`"))
    assert f"{before['sdr']:.1f} > {after['sdr']:.1f} dB" in cells
    stoi = f"{before['stoi']:.3f} > {after['stoi']:.3f}"
    assert stoi.replace("0.", ".") in cells
    assert f"{read(name).weights:,}" in cells


@pytest.mark.parametrize("name", ["small", "small-int4", "tiny", "tiny-int4", "swift", "swift-int4"])
def test_the_page_about_formats_has_the_scores_of_the_study(name):
    network, mean = read(name), STUDY[f"`{name}`"]["all"]["mean"]
    _, bits, _, si_sdr, sdr, stoi, _, harmed = row(FORMATS, f"`{name}`, {network.layers[0].units} units")
    packed = -(-network.weights * 8 // 5)
    assert bits == f"{network.weight_bits if name.endswith('int4') else packed:,}"
    assert (si_sdr, sdr, stoi) == (f"{mean['si_sdr']:.2f}", f"{mean['sdr']:.2f}", f"{mean['stoi']:.3f}"[1:])
    assert harmed == f"{100 * STUDY[f'`{name}`']['all']['harmed']:.0f} %"


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_the_readme_has_the_cycles_of_the_baselines(name):
    cycles = max(layer["cycles"] for layer in BASELINES["presets"][name].values() if "cycles" in layer)
    assert f"{cycles:,}" in row(README, f"[`{name}`](bundles/{name}/README.md)")


@pytest.mark.parametrize("name", list(SOUNDING))
def test_the_sound_page_has_the_denoisers_of_the_baselines(name):
    found, board = BASELINES["sound"][name], find(SOUNDING[name].board)
    lut4, ram, _, clock, *_, delay = row(SOUND, f"`{board.name}` | `{name}` | codec")
    assert lut4 == f"{found['lut4']:,} of {board.available['lut4']:,}"
    assert ram == f"{found['block_ram']} of {board.available['block_ram']}"
    assert clock == f"{board.sound_clock_hz / 1e6:g} MHz, {found['mhz']}"
    assert delay == f"{1e3 * found['delay'] / rate(board.sound_clock_hz, 16_000, mclk=True).hz:.1f} ms"


@pytest.mark.parametrize("unit", ["ternary static", "binary static", "ternary dynamic", "binary dynamic"])
def test_a_lane_costs_what_the_baselines_say(unit):
    lanes, mhz, *_ = row(HARDWARE, unit.replace(" ", ", "))
    found = BASELINES["units"][unit]["ecp5"]
    assert lanes == f"{found['lut4'] / LANES:.2f}"
    assert mhz == f"{found['mhz']:.0f}"


def test_the_readme_quotes_the_same_lane():
    lanes, mhz, *_ = row(HARDWARE, "ternary, static")
    assert f"takes {lanes} LUT4 at {mhz} MHz" in README.replace("\n", " ")


@pytest.mark.parametrize("layer", ["gru0", "mask"])
def test_the_readme_shows_the_layers_of_the_baselines(layer):
    (line,) = re.findall(rf"^{layer} .*packed.*$", README, re.MULTILINE)
    found = BASELINES["presets"]["small"][layer]
    words = line.split()
    assert all(f"{found[key]:,}" in words for key in ("lut4", "ff", "block_ram", "cycles"))
    lut4 = f"{planned('small', 'ulx3s_85f')[layer][1]:,}"
    assert lut4 in words
    assert f"{layer} {lut4}, " in REPORT


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_the_sound_page_has_the_planned_lut4_of_the_denoisers(name):
    shipped = SOUNDING[name]
    audio = sum(part["lut4"] for part in audio_parts(read(name), find(shipped.board)).values())
    network = sum(lut4 for _, lut4 in planned(name, shipped.board).values())
    assert f"| `{shipped.board}` | `{name}` | {network + audio:,} |" in SOUND


def test_the_page_about_the_hardware_has_the_baselines_of_a_rom():
    found = BASELINES["units"]["weight rom"]["ecp5"]
    assert f"instead of {found['lut4']} and {found['block_ram']} (`make bench`)" in HARDWARE.replace("\n  ", " ")


def test_block_rams_of_small_are_one_number():
    (of_readme,) = set(re.findall(r"block_ram +(\d+) of +208", README))
    assert f"takes {of_readme} of the ECP5-85F's 208 block RAMs" in HARDWARE
    assert f"{of_readme} of 208" in " ".join(row(README, "[`small`](bundles/small/README.md)"))


@pytest.mark.parametrize(("name", "column"), [("small", 0), ("tiny", 1)])
def test_what_could_be_skipped_is_what_the_command_measures(name, column, recording_features):
    network = read(name)
    measured = dict(shares(network, recording_features(network)))
    for what, by, values in (
        ("row groups kept by z", "PE", (1, 2, 4, 8)),
        ("steady words of x", "SIMD", (8, 16, 32, 64)),
        ("steady words of h", "SIMD", (8, 16, 32, 64)),
        ("idle words of r * h", "SIMD", (8, 16, 32, 64)),
    ):
        found = " / ".join(f"{100 * measured[f'gru0: {what}, {by} {value}']:.0f}" for value in values)
        cells = row(HARDWARE, f"{what}, {by} {' / '.join(map(str, values))}")
        assert cells[column] == f"{found} %", what
    assert f"{stored_bits(network.layers[0]):,} for `{name}`" in HARDWARE.replace(" bits for", " for")


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_the_readme_has_the_placed_tops_of_the_baselines(name):
    cells = " | ".join(row(README, f"[`{name}`](bundles/{name}/README.md)"))
    top = BASELINES["presets"][name]["top"]
    assert f"{top['lut4']:,} (" in cells
    assert f" MHz, {top['mhz']:.1f} |" in cells
    assert f"{top['cycles']:,}" in cells
    if name == "small":
        assert re.search(rf"lut4 +{top['lut4']:,} of +83,640", README)
        assert f"latency    {top['latency']:,} cycles" in README


def swept(preset: str) -> dict[str, dict]:
    """Of each board, the design that `bgru bitstream` takes: the first of a committed sweep."""
    designs = json.loads((ROOT / "docs" / "sweep" / preset / "sweep.json").read_text())["designs"]
    return {one["board"]: one for one in reversed(designs)}


SWEPT = [
    (path.parent.name, board)
    for path in sorted(ROOT.glob("docs/sweep/*/sweep.json"))
    for board in swept(path.parent.name)
]


@pytest.mark.parametrize(("preset", "board"), SWEPT)
def test_the_page_about_sweeps_has_the_designs_of_the_committed_sweeps(preset, board):
    found = swept(preset)[board]
    reached = found["mhz"].values()
    assert row(SWEEPS, f"[`{preset}`](sweep/{preset}/index.html), `{board}`") == [
        f"`{found['fold']}`",
        f"{found['estimate']['lut4']:,}",
        f"{found['synthesised']['lut4']:,}",
        f"{found['placed']['lut4']:,}",
        f"{found['clock_mhz']:g} MHz",
        f"{found['median_mhz']:.1f}",
        f"{min(reached):.1f}, {max(reached):.1f}",
        f"{found['best_seed']}",
        f"{found['toggles']['frame']:,}",
        f"{100 * found['toggles']['share']:.1f} %",
    ]


@pytest.mark.parametrize(("preset", "board"), SWEPT)
def test_the_committed_sweeps_have_todays_plan(preset, board):
    found, layers = swept(preset)[board], planned(preset, board)
    assert found["fold"] == " ".join(f"{name}={folding}" for name, (folding, _) in layers.items())
    assert found["estimate"]["lut4"] == sum(lut4 for _, lut4 in layers.values())


@pytest.mark.parametrize("preset", sorted({preset for preset, _ in SWEPT}))
def test_the_readme_has_the_best_seed_of_each_sweep(preset):
    best = json.loads((ROOT / "docs" / "sweep" / preset / "sweep.json").read_text())["designs"][0]["best_mhz"]
    assert row(README, f"[`{preset}`](bundles/{preset}/README.md)")[8] == f"{best:.1f}"


def test_the_readme_has_the_spread_of_tiny_over_the_seeds():
    found = swept("tiny")["icebreaker"]
    reached = found["mhz"].values()
    assert f"reaches {min(reached):.1f} to {max(reached):.1f} MHz on the iCEBreaker" in README
    assert f"{found['median_mhz']:.1f} in the median" in README


GAINS = {
    "twice the weight of the envelopes": "envelopes-2",
    "6 mask bits a bin": "mask-6",
    "no clean speech, no noise alone": "never-alone",
    "no reverberant speech": "no-rooms",
    "never two noises at once": "one-noise",
    "no synthetic noise": "no-synthetic",
    "60 % of the noises synthetic": "half-synthetic",
    "mixtures at -5 to 5 dB": "snr-5",
    "256 units": "256",
    "two layers of 72 units": "two-layers",
    "1024-point STFT, hop 256": "fft-1024",
    "256-point STFT, hop 64": "fft-256",
    "12 epochs more": "longer",
    "mixtures at 5 to 20 dB": "easy",
    "at 5 to 20 dB, then 12 epochs at -5 to 20 dB": "curriculum",
    "real-valued for half of the epochs": "warm",
    "the same, the loss SI-SDR": "si-sdr",
    "the same, a tenth of it distillation": "distilled",
}


@pytest.mark.parametrize("change", GAINS)
def test_the_study_says_what_each_part_of_the_mixtures_is_worth(change):
    def stoi(name: str) -> float:
        (scores,) = json.loads((ROOT / "docs" / "study" / f"general-{name}.json").read_text())["scores"].values()
        return float(scores["all"]["mean"]["stoi"])

    page = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    assert row(page, change) == [f"{stoi(GAINS[change]) - stoi('base'):+.3f}".replace("0.", ".")]


TRIED = json.loads((ROOT / "docs" / "study" / "tried-any-noise.json").read_text())["runs"]


@pytest.mark.parametrize("name", TRIED)
def test_the_study_has_the_levers_that_were_tried_on_any_noise(name):
    scores = TRIED[name]["scores"]["format-int4"]
    page = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    assert row(page, TRIED[name]["change"]) == [f"{scores['si_sdr']:.2f}", f"{scores['stoi']:.3f}".replace("0.", ".")]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs" / "study").glob("word-lengths-*.json")), ids=lambda path: path.stem
)
def test_word_lengths_cost_networks_of_integers_no_more_than_the_study_says(path):
    result = json.loads(path.read_text())
    most, interval = {"-20": (0.002, 0.003), "-50": (0.006, 0.007)}, 0.06
    for level, costs in result["differences"].items():
        for difference, half_width in (cost["sdr"] for cost in costs.values()):
            if path.stem.endswith(("int4", "mixed")):
                assert abs(difference) <= most[level][0] and half_width <= most[level][1]
            else:
                assert half_width <= interval


AT_THREE_SIZES = {
    "real values": "format-real-longer",
    **{f"`{name}` weights": f"format-{name}" for name in ("int8", "int4", "seo4", "int3")},
    **{f"{name} weights": f"format-{name}" for name in ("ternary", "binary")},
    **{f"`int4` weights, {bits}-bit states": f"format-int4-state-{bits}" for bits in (6, 4, 2)},
    "bitwise, one-bit states": "format-bitwise",
}


@pytest.mark.parametrize("label", AT_THREE_SIZES)
def test_the_page_about_formats_has_every_format_at_three_sizes(label):
    names = [f"{AT_THREE_SIZES[label]}{ending}" for ending in ("-48", "", "-256")]
    found = [json.loads((ROOT / "docs" / "study" / f"{name}.json").read_text()) for name in names]
    *scores, bits = row(FORMATS, label)
    for cell, result in zip(scores, found, strict=True):
        trained = next(iter(result["scores"].values()))["all"]["mean"]
        assert cell == f"{trained['si_sdr']:.2f}, {trained['stoi']:.3f}".replace(", 0.", ", .")
    assert bits == (" / ".join(f"{result['weight_bits']:,}" for result in found) if label != "real values" else "")


def si_sdr_and_stoi(name: str, system: str = "") -> tuple[float, float]:
    """Of a row of the study, or of another system that it scored."""
    scores = json.loads((ROOT / "docs" / "study" / f"{name}.json").read_text())["scores"]
    mean = scores[system or next(iter(scores))]["all"]["mean"]
    return mean["si_sdr"], mean["stoi"]


@pytest.mark.parametrize("ending", ["-48", "", "-256"])
@pytest.mark.parametrize(
    ("name", "decibels", "stoi"),
    [("int8", 0.07, 0.001), ("seo4", 0.07, 0.001), ("int4", 0.15, 0.002), ("int3", 0.25, 0.003)],
)
def test_formats_lose_no_more_than_their_page_says(name, decibels, stoi, ending):
    real, found = si_sdr_and_stoi(f"format-real-longer{ending}"), si_sdr_and_stoi(f"format-{name}{ending}")
    assert round(real[0] - found[0], 2) <= decibels
    assert round(real[1] - found[1], 3) <= stoi


def test_rounding_without_training_loses_what_the_page_about_formats_says():
    lost = [
        si_sdr_and_stoi("format-real")[0] - si_sdr_and_stoi(f"format-{name}", UNTRAINED)[0]
        for name in ("int8", "int4", "int3", "ternary", "binary")
    ]
    said = "{:.1f} dB with `int8`, {:.1f} with `int4`, {:.1f} with `int3`, {:.1f} with ternary and {:.1f} with binary"
    assert said.format(*lost) in FORMATS.replace("\n ", "")
