"""Where a network's streamed weights lie in SDRAM, and the words that lie there.

Each streamed layer has whole chunks of 16-bit words, one layer after another from address 0 on:

| 16-bit words | what |
|---|---|
| `data` | the layer's weight words in order of use, joined without gaps, lowest bit first |
| to the end of the last chunk but two | zeros |
| 2 | CRC-32 (as in zlib) of everything above, low half first |

So a layer's words checked in order of address leave the CRC register at its residue, wherever they are read.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from hw.gateware.network import Network
from hw.shape.network_spec import NetworkSpec
from hw.shape.repack import RepackShape
from hw.shape.words import words as pieces

__all__ = ["CHUNK", "SDRAM_BITS", "Part", "parts_of", "stored"]

SDRAM_BITS = 16
"""Bits of an SDRAM word."""

CHUNK = 256
"""SDRAM words that one layer gets before the next one's turn: a power of two, and at least one burst."""

CRC_WORDS = 2


@dataclass(frozen=True)
class Part:
    """One layer's part of the SDRAM.

    name : the layer
    width, words : bits of a weight word, and how many a frame takes
    first : its first chunk
    chunk : SDRAM words of a chunk
    """

    name: str
    width: int
    words: int
    first: int
    chunk: int = CHUNK

    @property
    def data(self) -> int:
        """SDRAM words with weights."""
        return pieces(self.words * self.width, SDRAM_BITS)

    @property
    def chunks(self) -> int:
        """Chunks, padding and CRC included: what the layer reads in every frame."""
        return pieces(self.data + CRC_WORDS, self.chunk)

    @property
    def size(self) -> int:
        """SDRAM words, padding and CRC included."""
        return self.chunks * self.chunk

    @property
    def repack(self) -> RepackShape:
        """From SDRAM words to weight words. Full speed needs a width that divides 16, or a multiple of it."""
        return RepackShape(self.words * self.width, SDRAM_BITS, self.width)

    def contents(self, words: list[int]) -> bytes:
        """What lies there for a layer's weight words, the low byte of each SDRAM word first."""
        octets = pieces(self.width, 8)
        table = np.frombuffer(b"".join(word.to_bytes(octets, "little") for word in words), np.uint8)
        bits = np.unpackbits(table.reshape(-1, octets), axis=1, count=self.width, bitorder="little")
        body = np.packbits(bits, bitorder="little").tobytes().ljust(2 * (self.size - CRC_WORDS), b"\0")
        return body + zlib.crc32(body).to_bytes(4, "little")


def parts_of(spec: NetworkSpec, chunk: int = CHUNK) -> tuple[Part, ...]:
    """The parts of a network's streamed layers, in the order of its layers; empty if it streams none."""
    found: list[Part] = []
    for layer in spec.layers:
        if layer.folding.weights == "streamed":
            first = found[-1].first + found[-1].chunks if found else 0
            found.append(Part(layer.name, layer.engine.weight_width, layer.engine.weight_words, first, chunk))
    return tuple(found)


def stored(network: Network, parts: tuple[Part, ...]) -> bytes:
    """Contents of the SDRAM from address 0 on."""
    return b"".join(part.contents(network.layers[part.name].engine.matrix.weight_words) for part in parts)
