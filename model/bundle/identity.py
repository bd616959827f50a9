"""The identity of a network: its arrays, their digests, and eight bytes for all of them."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from model.bundle.front_end import WINDOW, FrontEnd
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import Array, Layer

__all__ = ["digest", "identity", "network_arrays", "network_entries"]


def digest(array: Array) -> str:
    """Hexadecimal SHA-256 of the elements only, little-endian, in C order."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


def network_arrays(front_end: FrontEnd, layers: Sequence[Layer | IntegerLayer]) -> dict[str, Array]:
    """All arrays of a network, by their names in a bundle."""
    arrays: dict[str, Array] = {"front_end.keys": front_end.keys}
    for layer in layers:
        arrays |= {f"{layer.name}.{key}": array for key, array in layer.arrays.items()}
    return arrays


def network_entries(front_end: FrontEnd, layers: Sequence[Layer | IntegerLayer]) -> dict[str, Any]:
    """The manifest entries that define a network: front end, layers, arrays."""
    return {
        "front_end": {
            "sample_rate": front_end.sample_rate,
            "fft_size": front_end.fft_size,
            "hop": front_end.hop,
            "window": WINDOW,
            "rms": front_end.rms,
            "gain_frames": front_end.gain_frames,
            "qad_bits": front_end.bits,
            "qad_code": front_end.code,
            "mask_bits": front_end.mask_bits,
            "table_bits": front_end.table_bits,
            "fraction_bits": front_end.fraction_bits,
            "mantissa_bits": front_end.mantissa_bits,
            **({} if front_end.gain_bits == 1 else {"gain_bits": front_end.gain_bits}),
        },
        "layers": [layer.entry for layer in layers],
        "arrays": {
            name: {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": digest(array)}
            for name, array in network_arrays(front_end, layers).items()
        },
    }


def identity(front_end: FrontEnd, layers: Sequence[Layer | IntegerLayer]) -> bytes:
    """Eight bytes that differ between networks that differ in any bit, whatever their names and provenance.

    They are the first eight of the SHA-256 of `network_entries`.
    """
    return hashlib.sha256(json.dumps(network_entries(front_end, layers), sort_keys=True).encode()).digest()[:8]
