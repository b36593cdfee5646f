"""Hold points that were found against points that somebody set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

__all__ = ["Tally", "count_spread", "f1", "matched"]

_Z = 1.959964  # of a normal distribution, 95 % on both sides
_FAR = 1e9


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one picture: points that were found and are there, found alone, there alone."""

    hits: int
    extra: int
    missed: int

    @property
    def there(self) -> int:
        """The true number."""
        return self.hits + self.missed

    @property
    def found(self) -> int:
        """The number that was found."""
        return self.hits + self.extra


def matched(
    found: NDArray[np.float64], there: NDArray[np.float64], distance: float
) -> NDArray[np.intp]:
    """Pair points one to one: as many pairs as can be, of these the shortest together.

    Parameters
    ----------
    found, there
        ``(n, 2)`` and ``(m, 2)``.
    distance
        Most between two of a pair.

    Returns
    -------
    ndarray
        ``(pairs, 2)``: numbers of points in ``found`` and in ``there``.
    """
    if not len(found) or not len(there):
        return np.empty((0, 2), np.intp)
    gaps = cdist(found, there)
    costs = np.where(gaps <= distance, gaps, _FAR)
    first, second = linear_sum_assignment(costs)
    good = gaps[first, second] <= distance
    return np.stack([first[good], second[good]], axis=1)


def f1(tallies: Sequence[Tally]) -> float | None:
    """``2 hits / (found + there)`` over all pictures; ``None`` if nothing is there nor found."""
    total = sum(each.there + each.found for each in tallies)
    return 2 * sum(each.hits for each in tallies) / total if total else None


def count_spread(there: Sequence[int], found: Sequence[int]) -> tuple[float, float]:
    """How far counts are off, as the numbers of a `CountError`.

    The variance of a count n is taken for ``per_item * n + (relative * n)**2``. Both numbers are
    fitted to the squared errors by non-negative least squares, weighted by 1/n, and then enlarged
    alike until 95 % of the counts lie within the interval of 95 %.

    Parameters
    ----------
    there, found
        True and found numbers, one a picture.

    Returns
    -------
    tuple
        ``per_item`` and ``relative``.
    """
    from scipy.optimize import nnls

    counts = np.maximum(np.asarray(found, float), 1.0)
    errors = np.asarray(found, float) - np.asarray(there, float)
    if not len(errors) or not errors.any():
        return (1.0 / max(1.0, float(counts.sum())), 0.0)
    terms = np.stack([counts, counts**2], axis=1)
    fitted, _ = nnls(terms / counts[:, None], errors**2 / counts)
    spread = np.sqrt(np.maximum(terms @ fitted, 1e-12))
    ratios = np.sort(np.abs(errors) / spread)
    reached = ratios[min(len(ratios) - 1, int(np.ceil(0.95 * len(ratios))) - 1)]
    enlarge = max(1.0, float(reached) / _Z)
    per_item, relative = float(fitted[0]) * enlarge**2, float(np.sqrt(fitted[1])) * enlarge
    return per_item, relative
