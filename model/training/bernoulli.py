"""Random masks of training: the Bernoulli masks of round 2, and dropout."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

WORDS = 4
"""16-bit numbers in a drawn 64-bit one; a probability is rounded to 1 / 2**16."""


class Draw:
    """A source of Bernoulli masks that depend on the seed, but not on the number of processes.

    Masks of weights are the same in all of `size` processes. Masks of sequences, (frames, batch, ...), are drawn for
    the whole batch in each process, which keeps its own part, so splitting a batch changes nothing.
    """

    def __init__(
        self, seed: int | None = None, device: torch.device | str = "cpu", rank: int = 0, size: int = 1
    ) -> None:
        """Draw from `seed`, or from PyTorch's global source; masks are made on `device`."""
        self._generator = None if seed is None else torch.Generator(device).manual_seed(seed)
        self._device, self._rank, self._size = device, rank, size

    def bernoulli(self, probability: float, shape: Sequence[int]) -> Tensor | bool:
        """A mask C: True with `probability`. For 0 and 1 nothing is drawn, and one bool stands for the whole mask."""
        if probability in (0.0, 1.0):
            return probability == 1.0
        count = math.prod(shape)
        words = torch.empty(-(-count // WORDS), dtype=torch.int64, device=self._device)
        words.random_(-(2**63), None, generator=self._generator)
        return (words.view(torch.int16)[:count] < round(probability * 2**16) - 2**15).view(tuple(shape))

    def of_sequences(self, probability: float, shape: Sequence[int]) -> Tensor | bool:
        """The same for a tensor of this process's sequences, shape (frames, batch, ...)."""
        frames, batch, *rest = shape
        mask = self.bernoulli(probability, (frames, batch * self._size, *rest))
        return mask if isinstance(mask, bool) else mask[:, self._rank * batch : (self._rank + 1) * batch]
