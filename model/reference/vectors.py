"""The golden model's vectors as the bits of the hardware's words and probes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.bundle.bits import Bits, unpack
from model.bundle.formats import top
from model.bundle.front_end import FrontEnd
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import Layer
from model.reference.synthesis import Mask

__all__ = ["carried_bits", "element_bits", "elements", "gains", "output_of", "traced_bits"]


def element_bits(values: NDArray[Any], bits: int) -> Bits:
    """Integers (..., length) as bits (..., length * bits), each in two's complement, lowest bit first."""
    planes = (values.astype(np.int16)[..., None] >> np.arange(bits) & 1).astype(np.uint8)
    return planes.reshape(*values.shape[:-1], -1)


def traced_bits(layer: Layer | IntegerLayer, vector: NDArray[Any]) -> Bits:
    """A vector of a layer's trace as its probe shows it: bits, or integers of two bits or more."""
    if isinstance(layer, Layer):
        return unpack(vector, layer.units)
    integers = 2 * unpack(vector, layer.units).astype(np.int16) - 1 if vector.dtype == np.uint64 else vector
    return element_bits(integers, max(2, layer.format.output_bits))


def carried_bits(layer: Layer | IntegerLayer, output: NDArray[Any]) -> Bits:
    """A layer's output, as the golden model hands it on, in the bits of a stream."""
    if isinstance(layer, Layer) or layer.format.output_bits == 1:
        return unpack(output, layer.units)
    return element_bits(output, layer.format.output_bits)


def output_of(layer: Layer | IntegerLayer, vector: NDArray[Any]) -> Bits:
    """The last vector of a layer's trace in the bits of a stream."""
    if isinstance(layer, IntegerLayer) and layer.format.output_bits == 1 and vector.dtype != np.uint64:
        return (vector > 0).astype(np.uint8)
    return carried_bits(layer, vector)


def elements(bits: Bits, each: int) -> NDArray[np.int8]:
    """The inverse of `element_bits`: bits (..., length * each) to integers (..., length)."""
    planes = bits.reshape(*bits.shape[:-1], -1, each).astype(np.int16)
    return (planes[..., :-1] @ (1 << np.arange(each - 1)) - (planes[..., -1] << (each - 1))).astype(np.int8)


def gains(bits: Bits, front_end: FrontEnd) -> Mask:
    """The bits of masks (frames, units x gain_bits), as they come out of the hardware, to gains (frames, units)."""
    count = front_end.gain_bits
    if count == 1:
        return bits
    return (elements(bits, count).astype(np.int16) + top(count)).astype(np.uint8)
