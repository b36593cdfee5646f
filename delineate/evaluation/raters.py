"""Two and more raters of the same cases: how far they agree, and what they most likely mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.errors import InputError, OptionError
from delineate.evaluation.agreement import Correlation, consensus, fleiss_kappa, icc
from delineate.evaluation.bootstrap import intervals, resamples
from delineate.evaluation.case import Rules
from delineate.evaluation.layouts import Found, find
from delineate.evaluation.pairing import plain
from delineate.evaluation.reading import read_sides
from delineate.evaluation.scored import Matched, matched
from delineate.formats import nifti
from delineate.formats.layered import stacked
from delineate.imaging import Category

__all__ = ["Agreed", "agreement"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """How far raters agree on one structure.

    Parameters
    ----------
    structure
        Its name.
    cases
        In which at least one rater has drawn it; all below is of these.
    dice
        Mean by pair of raters.
    kappa
        Mean of Fleiss' kappa of samples.
    dice_interval, kappa_interval
        95 % intervals of these, by bootstrap over cases; NaN where there is none.
    volumes
        Intraclass correlation of volumes; ``None`` where it cannot be told.
    quality
        By rater: mean sensitivity and specificity against the consensus.
    """

    structure: str
    cases: int
    dice: Mapping[tuple[str, str], float]
    kappa: float
    volumes: Correlation | None
    quality: Mapping[str, tuple[float, float]]
    dice_interval: Mapping[tuple[str, str], tuple[float, float]]
    kappa_interval: tuple[float, float]


@dataclass(slots=True)
class _Seen:
    """What is gathered of one structure, case by case."""

    name: str
    dice: list[list[float]] = field(default_factory=list)
    kappa: list[float] = field(default_factory=list)
    volumes: list[list[float]] = field(default_factory=list)
    quality: list[NDArray[np.float64]] = field(default_factory=list)


def agreement(
    raters: Mapping[str, Path | str],
    rules: Rules | None = None,
    *,
    keep: Path | str | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[Agreed, ...]:
    """Compare raters structure by structure; one case is in memory at a time.

    Parameters
    ----------
    raters
        Folder of each, as for `evaluate`; cases and structures go by name. Those cases count
        that every rater has. A structure that a rater has not drawn is empty.
    rules
        What structures are called, and whether labels on other samples than the first rater's
        are sampled anew.
    keep
        Folder for the consensus of each case (STAPLE), as NIfTI masks in a zip.
    progress
        Is told how many cases of how many are done.

    Raises
    ------
    OptionError
        For fewer than two raters.
    InputError
        If they have no case in common, or one cannot be read.
    """
    if len(raters) < 2:
        raise OptionError(f"agreement needs at least two raters, got {len(raters)}")
    found = [find(Path(path)) for path in raters.values()]
    common = [case for case in found[0].paths if all(case in one.paths for one in found)]
    if not common:
        raise InputError(f"{', '.join(raters)} have no case in common; name the cases alike")
    rules = replace(rules or Rules(), count_unreferenced=True)
    seen: dict[str, _Seen] = {}
    for number, case in enumerate(common):
        progress(number, len(common))
        drawn = _drawn(case, found, rules)
        agreed = _gathered(drawn, seen)
        if keep is not None and agreed:
            Path(keep).mkdir(parents=True, exist_ok=True)
            grid = drawn[0].pairs[0][0].grid
            nifti.write_masks(stacked(agreed, grid), Path(keep) / f"{case}.zip")
    progress(len(common), len(common))
    return tuple(_agreed(one, list(raters)) for one in seen.values())


def _drawn(case: str, found: Sequence[Found], rules: Rules) -> list[Matched]:
    """The first rater against each of the others."""
    first, *others = [(one.paths[case], one.tables.get(case)) for one in found]
    return [matched(*read_sides(first, other, None), rules) for other in others]


def _gathered(drawn: Sequence[Matched], seen: dict[str, _Seen]) -> list[tuple[int, Category, Mask]]:
    """Add a case to what is known; gives the consensus of each structure."""
    names = dict.fromkeys(name for one in drawn for name in one.names)
    agreed: list[tuple[int, Category, Mask]] = []
    size = drawn[0].pairs[0][0].grid.voxel_size
    for name in names:
        masks = [_mask(drawn[0], name, 0), *(_mask(one, name, 1) for one in drawn)]
        if not any(mask.any() for mask in masks):
            continue
        one = seen.setdefault(plain(name), _Seen(name))
        meant, quality = consensus(masks)
        one.dice.append([_dice(a, b) for a, b in combinations(masks, 2)])
        one.kappa.append(fleiss_kappa(masks))
        one.volumes.append([float(np.count_nonzero(mask)) * size for mask in masks])
        one.quality.append(quality)
        agreed.append((len(agreed) + 1, Category(one.name), meant))
    return agreed


def _mask(drawn: Matched, name: str, side: int) -> Mask:
    """Where a structure is on one side; nowhere if that rater has not drawn it."""
    for pair in drawn.pairs:
        for label, one in pair[side].categories.items():
            if one.name == name:
                return pair[side].mask(label)
    return np.zeros(drawn.pairs[0][0].grid.shape, bool)


def _dice(one: Mask, two: Mask) -> float:
    both = np.count_nonzero(one) + np.count_nonzero(two)
    return 2 * np.count_nonzero(one & two) / both if both else float("nan")


def _agreed(one: _Seen, raters: Sequence[str]) -> Agreed:
    dice = np.array(one.dice)
    there = np.isfinite(dice)
    means = np.where(there, dice, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    quality = np.mean(one.quality, axis=0)
    table = np.column_stack((dice, one.kappa))
    low, high = intervals(table, resamples(len(table))).tolist()
    pairs = list(combinations(raters, 2))
    return Agreed(
        structure=one.name,
        cases=len(one.dice),
        dice=dict(zip(pairs, means.tolist(), strict=True)),
        kappa=float(np.mean(one.kappa)),
        volumes=icc(np.array(one.volumes)),
        quality={
            rater: (float(sensitivity), float(specificity))
            for rater, (sensitivity, specificity) in zip(raters, quality, strict=True)
        },
        dice_interval=dict(zip(pairs, zip(low[:-1], high[:-1], strict=True), strict=True)),
        kappa_interval=(low[-1], high[-1]),
    )
