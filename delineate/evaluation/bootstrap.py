"""How sure a figure of many cases is: cases drawn again and again, always the same draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CONFIDENCE",
    "RESAMPLES",
    "SEED",
    "bootstrapped",
    "figure_json",
    "intervals",
    "resamples",
]

Array = NDArray[np.float64]

RESAMPLES, CONFIDENCE, SEED = 2000, 0.95, 20240229
_CHUNK = 20_000  # weights of cases at a time


def resamples(cases: int, count: int = RESAMPLES, seed: int = SEED) -> NDArray[np.int32]:
    """How often each case is drawn in each of ``count`` draws with replacement: ``(count, n)``.

    One draw of cases serves all metrics and structures, so that what is compared is drawn alike.
    """
    random = np.random.default_rng(seed)
    return random.multinomial(cases, np.full(cases, 1 / cases), size=count).astype(np.int32)


def intervals(values: Array, drawn: NDArray[np.int32], level: float = CONFIDENCE) -> Array:
    """Bootstrap intervals of the means of columns.

    Bias-corrected and accelerated (BCa): Efron, "Better bootstrap confidence intervals", J. Am.
    Stat. Assoc. 82, 1987, doi:10.1080/01621459.1987.10478410. Cases are drawn, with all their
    values; those without a value in a column count nothing there.

    Parameters
    ----------
    values
        ``(case, column)``; NaN where there is none.
    drawn
        As `resamples` gives them.
    level
        Of confidence.

    Returns
    -------
    ndarray
        ``(2, column)``: low and high; no interval (NaN) for a column of fewer than two values, or
        where no two draws differ: cases that are all alike do not tell how far others may be off.
    """
    there = np.isfinite(values)
    filled = np.where(there, values, 0.0)
    counts, totals = there.sum(axis=0), filled.sum(axis=0)
    weights = drawn.astype(np.float64)
    found = np.full((2, values.shape[1]), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (weights @ filled) / (weights @ there.astype(np.float64))
        centres = totals / counts
        left_out = np.where(there, (totals - filled) / (counts - 1), np.nan)
    for column in np.flatnonzero(counts >= 2):
        found[:, column] = _ends(
            means[:, column], centres[column], left_out[there[:, column], column], level
        )
    return found


def _ends(drawn: Array, centre: float, left_out: Array, level: float) -> Array:
    """BCa interval of a figure from its value in each draw and without each case."""
    from scipy.special import ndtr, ndtri

    sample = np.sort(drawn[np.isfinite(drawn)])
    size = len(sample)
    if not size or np.ptp(sample) <= 1e-12 * max(1.0, abs(centre)):
        return np.full(2, np.nan)
    same = 1e-9 * np.ptp(sample)  # a value that is the centre but for rounding
    below = (np.sum(sample < centre - same) + np.sum(sample <= centre + same)) / (2 * size)
    bias = ndtri(np.clip(below, 1 / (2 * size), 1 - 1 / (2 * size)))
    apart = left_out[np.isfinite(left_out)]
    apart = apart.mean() - apart if apart.size else apart
    spread = np.sum(apart**2) ** 1.5
    bend = np.sum(apart**3) / (6 * spread) if spread > 0 else 0.0
    ends = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    shares = ndtr(bias + ends / (1 - bend * ends))
    found = np.asarray(np.quantile(sample, np.clip(shares, 0.0, 1.0)), np.float64)
    return found if found[1] > found[0] else np.full(2, np.nan)


def bootstrapped(
    figure: Callable[[Array], Array], drawn: NDArray[np.int32], level: float = CONFIDENCE
) -> Array:
    """Figures of all cases together, such as an area under a curve, and their intervals.

    BCa, as `intervals`: whole cases are drawn, with all that they hold.

    Parameters
    ----------
    figure
        Of ``(draw, case)``, how often each case counts, gives ``(draw, k)``; NaN where it is not
        defined.
    drawn
        As `resamples` gives them.
    level
        Of confidence.

    Returns
    -------
    ndarray
        ``(3, k)``: value, low and high; no interval where `intervals` has none.
    """
    cases = drawn.shape[1]
    centre = figure(np.ones((1, cases)))[0]
    found = np.stack((centre, np.full_like(centre, np.nan), np.full_like(centre, np.nan)))
    if cases < 2:
        return found
    step = max(1, _CHUNK // cases)
    values = np.concatenate(
        [figure(drawn[n : n + step].astype(np.float64)) for n in range(0, len(drawn), step)]
    )
    left_out = np.concatenate(
        [figure(_all_but(range(n, min(n + step, cases)), cases)) for n in range(0, cases, step)]
    )
    for place in np.flatnonzero(np.isfinite(centre)):
        found[1:, place] = _ends(values[:, place], centre[place], left_out[:, place], level)
    return found


def _all_but(left_out: Sequence[int], cases: int) -> Array:
    weights = np.ones((len(left_out), cases))
    weights[np.arange(len(left_out)), np.array(left_out)] = 0.0
    return weights


def figure_json(found: Array) -> dict[str, float]:
    """A column of what `bootstrapped` gives, as it is told."""
    value, low, high = found.tolist()
    return {"value": value, "low": low, "high": high}
