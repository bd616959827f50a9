"""Word lengths of the audio path: bits of every node in two's complement.

They hold every node for any input, so nothing saturates before the output.
"""

from dataclasses import dataclass

from model.bundle.front_end import FrontEnd

__all__ = ["Widths", "widths"]


@dataclass(frozen=True)
class Widths:
    """Bits of each kind of node, including the sign; `power_sum`, `key` and `magnitude` are unsigned.

    windowed : x
    word : FFT, spectrum, masked spectrum, inverse FFT, overlap-add: a word of the memory
    coefficient : c(j), with 2^T and -2^T
    accumulator : sum of two products of a word and a coefficient, plus the rounding term
    power_sum : S
    magnitude : a and b of a key, after the shift
    key : of a bin or a threshold
    exponent : e, signed
    """

    windowed: int
    word: int
    coefficient: int
    accumulator: int
    power_sum: int
    magnitude: int
    key: int
    exponent: int


def widths(front_end: FrontEnd) -> Widths:
    """Bits of the nodes for a front end: with N = 512, m = 1, T = 15, f = 2 the word has 28 bits."""
    f, log_size = front_end.fraction_bits, front_end.fft_size.bit_length() - 1
    word = 17 + f + log_size + (front_end.path_gain - 1).bit_length()
    # A frame's power is at most 3 N / 2 (2^(14 + f))^2 / 4, plus a little for the rounding of the window.
    power_sum = (front_end.gain_frames * (3 * front_end.fft_size // 2) * 2 ** (26 + 2 * f)).bit_length()
    return Widths(
        windowed=17 + f,
        word=word,
        coefficient=front_end.table_bits + 2,
        accumulator=word + front_end.table_bits + 1,
        power_sum=power_sum,
        magnitude=17,
        key=front_end.mantissa_bits + 7,
        exponent=7,
    )
