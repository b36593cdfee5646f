"""Numbers about many cases: how large, how sure, and whether two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation.bootstrap import CONFIDENCE, intervals

__all__ = [
    "Comparison",
    "Summary",
    "compare",
    "holm",
    "share_json",
    "summarise",
    "wilson",
]

Array = NDArray[np.float64]

_QUANTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One metric of one structure over all cases.

    Parameters
    ----------
    n
        Cases that have a value; all below is of these.
    missed, invented, absent
        Cases in which the structure is in the reference only, in the prediction only, in neither.
    undefined
        Cases without a value; the absent ones are among them.
    mean, sd
        ``sd`` divides by n - 1.
    low, high
        Interval of the mean, see `bootstrap.intervals`.
    p5, p25, p50, p75, p95
        Quantiles: a straight line between two sorted values (type 7 of Hyndman and Fan, Am. Stat.
        50(4), 1996).
    """

    n: int
    missed: int = 0
    invented: int = 0
    absent: int = 0
    undefined: int = 0
    mean: float
    sd: float
    low: float
    high: float
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float
    minimum: float
    maximum: float

    def to_json(self) -> dict[str, Any]:
        """All of it; what is not a number is ``None``."""
        return {name: None if value != value else value for name, value in asdict(self).items()}


def wilson(hits: float, of: float, level: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of a share of independent cases: Wilson, J. Am. Stat. Assoc. 22, 1927.

    NaN where there are none.
    """
    from scipy.special import ndtri

    if not of:
        return float("nan"), float("nan")
    z = float(ndtri((1 + level) / 2))
    middle = (hits + z * z / 2) / (of + z * z)
    half = z / (of + z * z) * (hits * (of - hits) / of + z * z / 4) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def share_json(hits: int, of: int) -> dict[str, float]:
    """A share of cases and its `wilson` interval, as it is told."""
    low, high = wilson(hits, of)
    return {"value": hits / of if of else float("nan"), "low": low, "high": high}


def summarise(
    values: Array, interval: Sequence[float] = (np.nan, np.nan), **counts: int
) -> Summary:
    """Summarise one column of values; NaN is left out and counted as undefined."""
    known = values[np.isfinite(values)]
    nothing = np.full(len(_QUANTILES), np.nan)
    quantiles = (np.percentile(known, _QUANTILES) if known.size else nothing).tolist()
    return Summary(
        n=int(known.size),
        undefined=int(values.size - known.size),
        mean=float(known.mean()) if known.size else float("nan"),
        sd=float(known.std(ddof=1)) if known.size > 1 else float("nan"),
        low=float(interval[0]),
        high=float(interval[1]),
        p5=quantiles[0],
        p25=quantiles[1],
        p50=quantiles[2],
        p75=quantiles[3],
        p95=quantiles[4],
        minimum=float(known.min()) if known.size else float("nan"),
        maximum=float(known.max()) if known.size else float("nan"),
        **counts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two predictions of the same cases, case by case.

    Parameters
    ----------
    n
        Cases in which both have a value; all but the next two is of these.
    only_first, only_second
        Cases in which the first or the second alone has a value.
    difference
        Mean of the first's less the second's.
    low, high
        Its bootstrap interval, see `bootstrap.intervals`.
    better, worse
        Cases in which the first is better or worse; for metrics without a better way: larger and
        smaller.
    p
        Two-sided, of the Wilcoxon signed-rank test.
    p_holm
        The same after Holm's correction over the tests of one table.
    """

    n: int
    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    better: int
    worse: int
    p: float
    p_holm: float


def compare(
    first: Array, second: Array, drawn: NDArray[np.int32], *, lower_is_better: Sequence[bool]
) -> list[Comparison]:
    """Compare two predictions, a column a test.

    The test is Wilcoxon's signed-rank test (Biometrics Bull. 1, 1945, doi:10.2307/3001968); cases
    that do not differ are ranked and left out of the sum (Pratt, 1959). ``p`` is 1 where none
    differs and NaN for fewer than two cases.

    Parameters
    ----------
    first, second
        ``(case, column)``; NaN where there is no value.
    drawn
        As `bootstrap.resamples` gives them.
    lower_is_better
        For each column.
    """
    from scipy.stats import wilcoxon

    apart = first - second
    ends = intervals(apart, drawn)
    raw = []
    for column in apart.T:
        known = column[np.isfinite(column)]
        if known.size < 2:
            raw.append(float("nan"))
        elif not known.any():
            raw.append(1.0)
        else:
            raw.append(float(wilcoxon(known, zero_method="pratt", method="auto").pvalue))
    corrected = holm(raw)
    found = []
    there, here = np.isfinite(first), np.isfinite(second)
    for place, column in enumerate(apart.T):
        known = column[np.isfinite(column)]
        sides = int((known > 0).sum()), int((known < 0).sum())
        better, worse = sides[::-1] if lower_is_better[place] else sides
        found.append(
            Comparison(
                n=int(known.size),
                only_first=int((there & ~here)[:, place].sum()),
                only_second=int((here & ~there)[:, place].sum()),
                difference=float(known.mean()) if known.size else float("nan"),
                low=float(ends[0, place]),
                high=float(ends[1, place]),
                better=better,
                worse=worse,
                p=raw[place],
                p_holm=corrected[place],
            )
        )
    return found


def holm(values: Sequence[float]) -> list[float]:
    """Correct p-values for their number: Holm, Scand. J. Stat. 6, 1979. NaN is no test."""
    order = [i for i in np.argsort(values, kind="stable").tolist() if values[i] == values[i]]
    corrected, largest = [float("nan")] * len(values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * values[place]))
        corrected[place] = largest
    return corrected
