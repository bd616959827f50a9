"""Write a network's memory contents into a design that is already placed and routed.

Synthesis and placement do not depend on the contents of block RAM, unless a bit is the same in all words of a memory:
Yosys would remove it. So a *stand-in* is placed, a network of the same shape with pseudo-random contents, and every
network's contents, including the first one's, are written over it. Networks of one shape share one stand-in.

Its contents also locate each memory: a block RAM belongs to a memory if all its words match that part of it.
Nothing is written unless every part of every memory is found. (`ecpbram` is no substitute: it replaces bit by bit, in
memories of multiples of 512 words, and ignores what it does not find.)
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boards.gateware.flash import identity_rom
from boards.gateware.link_format import LinkFormat
from hw.gateware.bgru_state import initial_words
from hw.gateware.engine import FoldedMatrix
from hw.gateware.network import Network
from hw.shape.family import Family
from hw.shape.network_spec import NetworkSpec
from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.bundle.layers import Layer
from model.bundle.random_bundle import layer_of, sized_front_end
from model.errors import BadInput

__all__ = ["Place", "contents", "insert", "placeholder", "places", "rewrite"]

Contents = Mapping[str, Bits]
"""Memory to the bits of its words, (words, width), lowest first."""


def contents(bundle: Bundle, spec: NetworkSpec) -> dict[str, Bits]:
    """Initial contents of block RAM of a board's core with a network of this shape, by memory.

    These are weights and biases in ROMs, initial states, and the identity in the link and the flash loader, but not
    weights that are loaded or streamed.
    """
    found: dict[str, Bits] = {}
    for layer, shape in zip(bundle.bitwise, spec.layers, strict=True):
        memories = FoldedMatrix.of(layer, shape).rom_slices()
        if shape.recurrent:
            memories |= initial_words(layer, shape)
        found |= {f"{layer.name}.{name}": _bits(width, words) for name, (width, words) in memories.items()}
    found["link"] = _bits(8, LinkFormat.of(bundle, spec.family).rom)
    if any(layer.folding.weights != "rom" for layer in spec.layers):
        found["loader"] = _bits(8, identity_rom(bundle.identity))
    return found


def _bits(width: int, words: Sequence[int]) -> Bits:
    octets = -(-width // 8)
    packed = np.frombuffer(b"".join(word.to_bytes(octets, "little") for word in words), dtype=np.uint8)
    return np.unpackbits(packed.reshape(-1, octets), axis=1, count=width, bitorder="little")


# The stand-in for all networks of a shape.


def _is_written_later(network: Network) -> bool:
    """Whether a stand-in is placed, in which the network's memory contents replace its own: not for integers."""
    return all(isinstance(layer, Layer) for layer in network.bundle.layers)


def placeholder(network: Network) -> Network:
    """What is placed for a network: the stand-in, of the same shape with pseudo-random contents, or itself."""
    return Network.of(stand_in(network.bundle), network.spec) if _is_written_later(network) else network


def _draw(what: str, *dimensions: int) -> NDArray[np.uint32]:
    octets = hashlib.shake_256(what.encode()).digest(4 * int(np.prod(dimensions)))
    return np.frombuffer(octets, dtype="<u4").reshape(dimensions)


def stand_in(bundle: Bundle) -> Bundle:
    """A bundle of the same sizes, with binary or ternary weights as before, layer by layer."""
    layers = []
    for layer in bundle.bitwise:
        recurrent = layer.kind == "bgru"
        columns = layer.inputs + (layer.units if recurrent else 0)
        rows = (3, layer.units) if recurrent else (layer.units,)
        drawn = _draw(f"{layer.name} weights", *rows, columns)
        weights = (drawn & 1).astype(np.int8) * 2 - 1
        if not layer.binary:
            weights *= (drawn >> 1 & 1).astype(np.int8)
            weights.flat[0] = 0
        # Thresholds from always to never reached, many at both ends: otherwise some bias bits would be constant.
        kept = np.count_nonzero(weights, axis=-1)
        drawn, never = _draw(f"{layer.name} thresholds", *rows), 2 * columns + 1
        limit = np.choose(np.minimum(drawn % 8, 2), [0, never, (drawn >> 3) % (never + 1)])
        theta = limit.astype(np.int64) - kept
        state = _draw(f"{layer.name} initial state", layer.units) & 1
        state[0] = 1
        layers.append(layer_of(layer.name, layer.kind, layer.inputs, weights, theta, state if recurrent else None))
    front_end = bundle.front_end
    keys = np.zeros((front_end.bins, 2**front_end.bits - 1), dtype=np.int32)
    return Bundle("placeholder", sized_front_end(keys, front_end.mask_bits), tuple(layers))


# Block RAM in the text of a placed design.


@dataclass(frozen=True)
class Format:
    """How the text of a placed design writes block RAM, by family.

    block : matches one block RAM: its name in group 1, its contents in group 2
    decode, encode : contents to bits, (rows, bits of a row), and back
    order : by word width, the positions of the words' bits in a row, lowest bit of the first word first
    """

    block: re.Pattern[str]
    decode: Callable[[str], Bits]
    encode: Callable[[Bits], str]
    order: Callable[[int], list[int]]


def _trellis_decode(text: str) -> Bits:
    values = np.array([int(digits, 16) for digits in text.split()], dtype=np.uint16)
    return (values[:, None] >> np.arange(9) & 1).astype(np.uint8)


def _trellis_encode(bits: Bits) -> str:
    values = bits @ (1 << np.arange(9))
    return "".join(" ".join(f"{value:03x}" for value in line) + "\n" for line in values.reshape(-1, 8))


def _icestorm_decode(text: str) -> Bits:
    rows = np.frombuffer(b"".join(bytes.fromhex(line)[::-1] for line in text.split()), dtype=np.uint8)
    return np.unpackbits(rows.reshape(-1, 2), axis=1, bitorder="little")


def _icestorm_encode(bits: Bits) -> str:
    lines = np.packbits(bits, axis=1, bitorder="little").reshape(-1, 32)
    return "".join(line[::-1].tobytes().hex() + "\n" for line in lines)


def _gowin_decode(text: str) -> Bits:
    lines = [np.frombuffer(digits[::-1].encode(), dtype=np.uint8) for digits in re.findall(r'"([01]+)"', text)]
    return np.array(lines[::-1]).reshape(32 * len(lines), -1) - np.uint8(ord("0"))


def _gowin_encode(bits: Bits) -> str:
    lines = [(line + np.uint8(ord("0"))).tobytes().decode()[::-1] for line in bits.reshape(64, -1)]
    return "".join(f'            "INIT_RAM_{index:02X}": "{line}",\n' for index, line in [*enumerate(lines)][::-1])


FORMATS = {
    # 2048 rows of nine bits; words of fewer leave the ninth out.
    "ecp5": Format(
        re.compile(r"^\.bram_init (\d+)\n((?:[0-9a-f ]+\n)+)", re.MULTILINE),
        _trellis_decode,
        _trellis_encode,
        lambda width: list(range(9 if width >= 9 else 8)),
    ),
    # The same, but words of fewer than nine bits have rows of eight; in JSON, the last row first.
    "gowin": Format(
        re.compile(
            r'^        "([^\n]+)": \{\n(?:          [^\n]+\n){2}          "parameters": \{\n'
            r'(?:            "(?!INIT_RAM)[^\n]+\n)*((?:            "INIT_RAM_[0-9A-F]{2}": "[01]+",\n){64})',
            re.MULTILINE,
        ),
        _gowin_decode,
        _gowin_encode,
        lambda width: list(range(9 if width >= 9 else 8)),
    ),
    # 256 rows of 16 bits, sixteen rows in a line; the order is Yosys', which reverses the index of a bit.
    "ice40": Format(
        re.compile(r"^\.ram_data (\d+ \d+)\n((?:[0-9a-f]+\n)+)", re.MULTILINE),
        _icestorm_decode,
        _icestorm_encode,
        lambda width: [int(f"{bit:04b}"[::-1], 2) for bit in range(16)],
    ),
}


def _parts(bits: Bits, width: int, family: Family) -> list[Bits]:
    """A memory cut into block RAMs with words of `width` bits: the bits of each, word by word.

    Of a memory that is deeper than a block RAM, Yosys puts the words of one address in all depths next to each other.
    """
    (depth,) = (words for words, each in family.block_ram.items() if each == width)
    deep = -(-bits.shape[0] // depth)
    wide = -(-deep * bits.shape[1] // width)
    stacked = np.zeros((deep * depth, bits.shape[1]), dtype=np.uint8)
    stacked[: bits.shape[0]] = bits
    filled = np.zeros((depth, wide * width), dtype=np.uint8)
    filled[:, : deep * bits.shape[1]] = stacked.reshape(deep, depth, -1).transpose(1, 0, 2).reshape(depth, -1)
    return list(filled.reshape(depth, wide, width).transpose(1, 0, 2).reshape(wide, -1))


@dataclass(frozen=True)
class Place:
    """Where a memory is: the width of its words in block RAM, and the name of the block RAM of each part.

    A part that is all zeros has none, in every network of that shape.
    """

    width: int
    blocks: tuple[str | None, ...]


def places(design: str, family: Family, memories: Contents) -> dict[str, Place]:
    """Find memories in a placed design by their contents; raises `BadInput` for one that is not there."""
    form = FORMATS[family.name]
    blocks = {match[1]: form.decode(match[2]) for match in form.block.finditer(design)}
    by_contents: dict[int, dict[bytes, list[str]]] = {}
    for width in family.block_ram.values():
        order, named = form.order(width), by_contents.setdefault(width, {})
        for name, bits in blocks.items():
            if max(order) >= bits.shape[1]:
                continue
            named.setdefault(bits[:, order].tobytes(), []).append(name)
    found = {}
    for name, bits in memories.items():
        for width, named in by_contents.items():
            candidates = [named.get(part.tobytes(), []) if part.any() else None for part in _parts(bits, width, family)]
            if [] not in candidates:
                break
        else:
            raise BadInput(
                f"placed design: expected {name} in block RAM, {bits.shape[0]} words of {bits.shape[1]} bits, "
                "found them nowhere: it was placed for another shape or by another version"
            )
        if any(names is not None and len(names) > 1 for names in candidates):
            raise BadInput(f"placed design: expected parts of {name} in one block RAM each, found one in several")
        found[name] = Place(width, tuple(names[0] if names else None for names in candidates))
    return found


def insert(design: str, network: Network) -> str:
    """A placed design with the network's memory contents.

    `design` is what nextpnr wrote for `placeholder`; raises `BadInput` for another.
    """
    if not _is_written_later(network):
        return design
    return rewrite(
        design, network.family, contents(stand_in(network.bundle), network.spec), contents(network.bundle, network.spec)
    )


def rewrite(design: str, family: Family, old: Contents, new: Contents) -> str:
    """A placed design with new contents in its memories; raises `BadInput` if it does not hold the old ones.

    A block RAM that is all zeros in the old contents must be all zeros in the new ones.
    """
    form = FORMATS[family.name]
    parts: dict[str, tuple[int, Bits]] = {}
    for name, place in places(design, family, old).items():
        for block, part in zip(place.blocks, _parts(new[name], place.width, family), strict=True):
            if block is None:
                if part.any():
                    raise BadInput(
                        f"placed design: expected {name} to be zero where its block RAM was left out, got ones"
                    )
            else:
                parts[block] = place.width, part

    def rewritten(match: re.Match[str]) -> str:
        if match[1] not in parts:
            return match[0]
        width, part = parts[match[1]]
        bits, order = form.decode(match[2]), form.order(width)
        bits[:, order] = part.reshape(-1, len(order))
        return match[0][: match.start(2) - match.start()] + form.encode(bits)

    return form.block.sub(rewritten, design)
