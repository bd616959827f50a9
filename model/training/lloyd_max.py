"""Fitting the front end's quantiser: Lloyd-Max (Lloyd 1982, Max 1960) on magnitudes of training mixtures.

Quantisation-and-dispersion (Kim and Smaragdis 2018) turns each magnitude into the bits of a Lloyd-Max code. The front
end compares magnitudes with its thresholds, one row per bin (`model.reference.front_end`).
"""

import numpy as np
from numpy.typing import NDArray

SWEEPS = 200
"""Limit of Lloyd iterations; a 4-bit code converges well before."""


def lloyd_max(values: NDArray[np.floating], levels: int) -> NDArray[np.float64]:
    """The `levels` - 1 thresholds, non-decreasing, of the quantiser with least squared error on 1-D `values`.

    Lloyd's iteration from the quantiles, on sorted values with running sums, so one sweep costs
    `levels` binary searches; it stops when no value changes cells. An empty cell keeps its level.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centres = np.quantile(ordered, (np.arange(levels) + 0.5) / levels)
    edges = np.empty(0, dtype=np.int64)
    for _ in range(SWEEPS):
        middles = (centres[1:] + centres[:-1]) / 2
        moved = np.searchsorted(ordered, middles)
        if np.array_equal(moved, edges):
            break
        edges = moved
        bounds = np.concatenate([[0], edges, [len(ordered)]])
        count = np.diff(bounds)
        centres = np.where(count > 0, np.diff(sums[bounds]) / np.maximum(count, 1), centres)
    thresholds = np.maximum.accumulate((centres[1:] + centres[:-1]) / 2)  # rounding may swap equal ones
    return np.clip(thresholds, ordered[0], ordered[-1])


def fit(magnitude: NDArray[np.float32], levels: int, power: float, per_bin: bool) -> NDArray[np.float32]:
    """Thresholds for `model.reference.front_end.FrontEnd`, shape (bins, levels - 1), from mixtures' |X| (frames, bins).

    The squared error is that of |X|**power: 1 is the paper's, less gives quiet bins finer steps. With
    `per_bin` each bin has its own codebook, otherwise they share one.
    """
    compressed = magnitude**power
    if per_bin:
        thresholds = np.stack([lloyd_max(column, levels) for column in compressed.T])
    else:
        thresholds = np.tile(lloyd_max(compressed.ravel(), levels), (magnitude.shape[1], 1))
    return (thresholds ** (1.0 / power)).astype(np.float32)
