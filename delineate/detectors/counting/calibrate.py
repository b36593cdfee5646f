"""From points that a network finds on pictures it never saw: threshold, scores, count error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.detectors.counting.matching import Tally, count_spread, f1, matched

__all__ = ["Judged", "best_threshold", "scores", "tallies"]

THRESHOLDS = tuple(np.round(np.arange(0.1, 0.76, 0.025), 3).tolist())
_DRAWS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A picture that was kept back.

    Parameters
    ----------
    name
        Of its file.
    there, kinds
        ``(n, 2)`` and ``(n,)``: the points that were set, and their categories.
    found
        For each category ``(m, 3)``: row, column and score of all that may be one.
    """

    name: str
    there: NDArray[np.float64]
    kinds: NDArray[np.int64]
    found: tuple[NDArray[np.float64], ...]


def tallies(judged: Sequence[Judged], threshold: float, distance: float) -> list[Tally]:
    """Hits, extra and missed of each picture; points of two categories never match."""
    counted = []
    for each in judged:
        hits = extra = missed = 0
        for kind, points in enumerate(each.found):
            kept = points[points[:, 2] >= threshold, :2]
            there = each.there[each.kinds == kind]
            pairs = len(matched(kept, there, distance))
            hits += pairs
            extra += len(kept) - pairs
            missed += len(there) - pairs
        counted.append(Tally(hits, extra, missed))
    return counted


def best_threshold(groups: Sequence[Sequence[Judged]], distance: float) -> float:
    """The threshold whose F1, less half of the count error, is highest.

    The count error is the mean over the pictures of ``|found - there| / there``, at most 1 each.

    Parameters
    ----------
    groups
        Pictures of one origin each; the mean over the groups counts.
    distance
        Most pixels between a point that was set and one that was found.

    Returns
    -------
    float
        Of several alike the middle one.
    """
    gains = []
    for threshold in THRESHOLDS:
        gain = []
        for group in groups:
            counted = tallies(group, threshold, distance)
            off = [abs(each.found - each.there) / max(1, each.there) for each in counted]
            gain.append((f1(counted) or 0.0) - 0.5 * float(np.minimum(off, 1).mean()))
        gains.append(float(np.mean(gain)))
    best = np.flatnonzero(np.asarray(gains) >= max(gains) - 1e-9)
    return float(THRESHOLDS[int(best[len(best) // 2])])


def scores(counted: Sequence[Tally], seed: int = 0) -> dict[str, Any]:
    """What is reported of some pictures.

    Intervals of 95 % are those of 2000 draws of as many pictures with replacement (percentile
    bootstrap; Efron, Ann. Statist. 7(1), 1979, doi:10.1214/aos/1176344552).

    Returns
    -------
    dict
        ``f1``, ``precision``, ``recall``; ``count_error``: mean over the pictures of
        ``|found - there| / there``; ``total_error``: the same of all together; ``pictures``,
        ``there``, ``found``; and ``count_spread``, the numbers of a `CountError`.
    """
    filled = [each for each in counted if each.there]
    rng = np.random.default_rng(seed)
    draws = [
        [counted[place] for place in rng.integers(len(counted), size=len(counted))]
        for _ in range(_DRAWS)
    ]
    there, found = (sum(getattr(each, name) for each in counted) for name in ("there", "found"))
    hits = sum(each.hits for each in counted)
    per_item, relative = count_spread(
        [each.there for each in counted], [each.found for each in counted]
    )
    return {
        "pictures": len(counted),
        "there": there,
        "found": found,
        "f1": _rounded(f1(counted)),
        "f1_interval": _interval([f1(draw) for draw in draws]),
        "precision": _rounded(hits / found if found else None),
        "recall": _rounded(hits / there if there else None),
        "count_error": _rounded(_count_error(filled)),
        "count_error_interval": _interval(
            [_count_error([each for each in draw if each.there]) for draw in draws]
        ),
        "total_error": _rounded(abs(found - there) / there if there else None),
        "count_spread": {"per_item": round(per_item, 5), "relative": round(relative, 5)},
    }


def _count_error(counted: Sequence[Tally]) -> float | None:
    errors = [abs(each.found - each.there) / each.there for each in counted]
    return float(np.mean(errors)) if errors else None


def _interval(values: Sequence[float | None]) -> list[float] | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return [round(float(value), 4) for value in np.percentile(known, (2.5, 97.5))]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
