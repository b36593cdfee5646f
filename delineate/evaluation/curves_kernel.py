"""Areas under curves for many draws of cases, in one pass a draw; see `evaluation.curves`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["areas", "precision_and_froc"]

Array = NDArray[np.float64]


@kernel
def precision_and_froc(
    weights: Array,
    case: NDArray[np.int64],
    hits: NDArray[np.bool_],
    last: NDArray[np.int64],
    references: Array,
    rates: Array,
) -> Array:
    """`curves.average_precision` and `curves.froc` of each draw, ``(draw, 1 + rate)``.

    Parameters
    ----------
    weights
        ``(draw, case)``: how often each case counts.
    case, hits, last, references
        As of `curves.Ranking`.
    rates
        False alarms a case.
    """
    draws, size = weights.shape
    runs = len(last)
    found = np.full((draws, 1 + len(rates)), np.nan)
    true, alarms = np.zeros(runs), np.zeros(runs)
    for d in range(draws):
        cases, whole = 0.0, 0.0
        for c in range(size):
            cases += weights[d, c]
            whole += weights[d, c] * references[c]
        if whole <= 0:
            continue
        hit, miss, n = 0.0, 0.0, 0
        for k in range(runs):
            while n <= last[k]:
                weight = weights[d, case[n]]
                if hits[n]:
                    hit += weight
                else:
                    miss += weight
                n += 1
            true[k], alarms[k] = hit, miss
        area, best = 0.0, 0.0
        for k in range(runs - 1, -1, -1):
            if true[k] > 0:
                best = max(best, true[k] / (true[k] + alarms[k]))
            before = true[k - 1] if k else 0.0
            area += (true[k] - before) * best
        found[d, 0] = area / whole
        for r in range(len(rates)):
            reached = 0.0
            for k in range(runs):
                if alarms[k] / cases > rates[r]:
                    break
                reached = true[k]
            found[d, 1 + r] = reached / whole
    return found


@kernel
def areas(true: Array, false: Array, shares: Array, regions: Array, most_false: float) -> Array:
    """`curves.area` of each draw, and the overlap of regions up to a false positive rate.

    Parameters
    ----------
    true, false, shares
        ``(draw, k)``: samples and shares of regions at each level of score, the highest first.
    regions
        ``(draw,)``: how many.
    most_false
        The rate; see `anomaly.per_region_overlap`.

    Returns
    -------
    ndarray
        ``(draw, 2)``; NaN where they are not defined.
    """
    draws, size = true.shape
    found = np.full((draws, 2), np.nan)
    for d in range(draws):
        all_true, all_false = 0.0, 0.0
        for k in range(size):
            all_true += true[d, k]
            all_false += false[d, k]
        if all_true <= 0 or all_false <= 0:
            continue
        above, area, overlap, rate, share = 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(size):
            area += false[d, k] * (above + true[d, k] / 2)
            above += true[d, k]
            if rate < most_false:
                step = false[d, k] / all_false
                gain = shares[d, k] / regions[d]
                part = min(1.0, (most_false - rate) / step) if step > 0 else 1.0
                overlap += part * step * (share + part * gain / 2)
                rate += step
                share += gain
        found[d, 0] = area / (all_true * all_false)
        found[d, 1] = overlap / most_false
    return found
