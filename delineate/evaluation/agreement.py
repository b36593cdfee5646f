"""How far measurements and raters agree: two and more of the same cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.errors import InputError

__all__ = ["Correlation", "Limits", "bland_altman", "consensus", "fleiss_kappa", "icc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far apart two measurements of the same things are.

    Parameters
    ----------
    n
        Pairs.
    bias, bias_low, bias_high
        Mean of the differences and its 95 % interval.
    sd
        Of the differences.
    lower, upper
        Limits of agreement, bias ± 1.96 sd: 95 % of differences lie between them, if normal.
    limit_error
        Half the width of the 95 % interval of each limit.
    """

    n: int
    bias: float
    bias_low: float
    bias_high: float
    sd: float
    lower: float
    upper: float
    limit_error: float


def bland_altman(first: NDArray[np.float64], second: NDArray[np.float64]) -> Limits | None:
    """Bias and limits of agreement of the first less the second; ``None`` for fewer than two pairs.

    Bland and Altman, "Measuring agreement in method comparison studies", Stat. Methods Med. Res.
    8, 1999, doi:10.1177/096228029900800204. The variance of a limit is about 3 sd² / n.
    """
    from scipy.special import stdtrit  # scipy.stats takes most of a second to import

    apart = first - second
    apart = apart[np.isfinite(apart)]
    n = int(apart.size)
    if n < 2:
        return None
    bias, sd = float(apart.mean()), float(apart.std(ddof=1))
    width = float(stdtrit(n - 1, 0.975))
    return Limits(
        n=n,
        bias=bias,
        bias_low=bias - width * sd / n**0.5,
        bias_high=bias + width * sd / n**0.5,
        sd=sd,
        lower=bias - 1.96 * sd,
        upper=bias + 1.96 * sd,
        limit_error=width * sd * (3 / n) ** 0.5,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """An intraclass correlation.

    Parameters
    ----------
    value
        1 where raters agree, near 0 where they differ as much as the cases do.
    low, high
        95 % interval.
    cases, raters
        How many of each.
    """

    value: float
    low: float
    high: float
    cases: int
    raters: int


def icc(measured: NDArray[np.float64]) -> Correlation | None:
    """Intraclass correlation ICC(2,1): two-way random effects, absolute agreement, one rater.

    Shrout and Fleiss, Psychol. Bull. 86, 1979, doi:10.1037/0033-2909.86.2.420; interval as McGraw
    and Wong, Psychol. Methods 1, 1996, doi:10.1037/1082-989X.1.1.30, case 2A.

    Parameters
    ----------
    measured
        ``(case, rater)``. Cases in which a rater has no value are left out.

    Returns
    -------
    Correlation or None
        ``None`` for fewer than two cases or raters, or where nothing varies.
    """
    from scipy.special import fdtri

    known = measured[np.isfinite(measured).all(axis=1)]
    n, k = known.shape
    if n < 2 or k < 2:
        return None
    mean = known.mean()
    between = k * ((known.mean(axis=1) - mean) ** 2).sum() / (n - 1)
    raters = n * ((known.mean(axis=0) - mean) ** 2).sum() / (k - 1)
    rest = known - known.mean(axis=1, keepdims=True) - known.mean(axis=0) + mean
    error = (rest**2).sum() / ((n - 1) * (k - 1))
    whole = between + (k - 1) * error + k * (raters - error) / n
    if whole <= 0:
        return None
    value = (between - error) / whole
    if error <= 0:
        return Correlation(value=float(value), low=np.nan, high=np.nan, cases=n, raters=k)
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    freedom = (a * raters + b * error) ** 2 / (
        (a * raters) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    )
    upper, lower = fdtri(n - 1, freedom, 0.975), fdtri(freedom, n - 1, 0.975)
    shared = k * raters + (k * n - k - n) * error
    with np.errstate(invalid="ignore"):  # no interval where the cases do not differ at all
        low = n * (between - upper * error) / (upper * shared + n * between)
        high = n * (lower * between - error) / (shared + n * lower * between)
    return Correlation(value=float(value), low=float(low), high=float(high), cases=n, raters=k)


def fleiss_kappa(masks: Sequence[NDArray[np.bool_]]) -> float:
    """Agreement of raters on samples, beyond chance, within the box around what any has drawn.

    Fleiss, Psychol. Bull. 76, 1971, doi:10.1037/h0031619. Background without end would make every
    rater agree; the box bounds it. 1 for equal masks, also for empty ones.

    Parameters
    ----------
    masks
        One of each rater, of one shape.
    """
    votes = np.zeros(masks[0].shape, np.int32)
    for mask in masks:
        votes += mask
    if not votes.any():
        return 1.0
    inside = votes[_box(votes > 0)].ravel()
    raters = len(masks)
    agreed = (inside**2 + (raters - inside) ** 2 - raters) / (raters * (raters - 1))
    share = inside.sum() / (raters * inside.size)
    chance = share**2 + (1 - share) ** 2
    return 1.0 if chance == 1 else float((agreed.mean() - chance) / (1 - chance))


def consensus(masks: Sequence[NDArray[np.bool_]]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """The mask that raters most likely mean, and how good each is: STAPLE.

    Warfield, Zou and Wells, IEEE TMI 23, 2004, doi:10.1109/TMI.2004.828354, as SimpleITK has it,
    within the box around what any has drawn and 2 samples beyond.

    Parameters
    ----------
    masks
        One of each rater, at least two, ``(slice, row, column)``.

    Returns
    -------
    mask
        Samples whose probability is at least one half.
    quality
        ``(rater, 2)``: sensitivity and specificity against the consensus.

    Raises
    ------
    InputError
        For fewer than two raters.
    """
    import SimpleITK as sitk  # noqa: N813

    if len(masks) < 2:
        raise InputError(f"a consensus needs at least two raters, got {len(masks)}")
    drawn = np.logical_or.reduce(list(masks))
    found = np.zeros(drawn.shape, bool)
    if not drawn.any():
        return found, np.ones((len(masks), 2))
    box = _box(drawn, margin=2)
    filtered = sitk.STAPLEImageFilter()
    filtered.SetForegroundValue(1)
    parts = [
        sitk.GetImageFromArray(np.ascontiguousarray(mask[box]).view(np.uint8)) for mask in masks
    ]
    found[box] = sitk.GetArrayFromImage(filtered.Execute(parts)) >= 0.5
    quality = np.array([filtered.GetSensitivity(), filtered.GetSpecificity()], np.float64).T
    return found, quality


def _box(there: NDArray[np.bool_], margin: int = 0) -> tuple[slice, ...]:
    sides = []
    for axis, size in enumerate(there.shape):
        others = tuple(i for i in range(there.ndim) if i != axis)
        places = np.flatnonzero(there.any(axis=others))
        sides.append(slice(max(0, places[0] - margin), min(size, places[-1] + 1 + margin)))
    return tuple(sides)
