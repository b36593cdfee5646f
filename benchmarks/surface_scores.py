"""Scores of outlined defects: Dice, regions found, bootstrap over groups; and a peer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import scipy.ndimage as ndimage
from numpy.typing import NDArray

from delineate.detectors.surface.regions import Region

IOU = 0.33  # from where on a region counts as found; the rule of DeepPCB
DRAWS = 2000
SMALL_PX = 300
OUTLINE_AT = (0.5, 0.7, 0.85)
FILTERS = tuple(product((30, 100, 300), (0.7, 0.8, 0.85, 0.9)))  # samples, mean probability
Mask = NDArray[np.bool_]
Row = dict[str, Any]
Choice = tuple[float, ...]

_TOUCHING = np.ones((3, 3), bool)


def compare(drawn: Mask, found: Mask) -> Row:
    """Dice, and how many regions are found, made up and missed (one to one, best overlap first)."""
    true, trues = ndimage.label(drawn, _TOUCHING)
    claim, claims = ndimage.label(found, _TOUCHING)
    shared = np.bincount(
        (true * (claims + 1) + claim).ravel(), minlength=(trues + 1) * (claims + 1)
    )
    shared = shared.reshape(trues + 1, claims + 1)
    either = shared.sum(axis=1)[:, None] + shared.sum(axis=0)[None] - shared
    ious = (shared / np.maximum(either, 1))[1:, 1:]
    overlap = [(float(ious[i, j]), int(i), int(j)) for i, j in np.argwhere(ious > IOU)]
    taken: tuple[set[int], set[int]] = (set(), set())
    for _, i, j in sorted(overlap, reverse=True):
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
    total = int(drawn.sum()) + int(found.sum())
    hits = len(taken[0])
    return {
        "dice": 2 * int((drawn & found).sum()) / total if total else 1.0,
        "found": hits,
        "missed": trues - hits,
        "wrong": claims - hits,
        "drawn_px": int(drawn.sum()),
    }


def mean_dice(rows: Sequence[Row]) -> float:
    return float(np.mean([row["dice"] for row in rows]))


def f1(rows: Sequence[Row]) -> float:
    found, missed, wrong = (sum(row[key] for row in rows) for key in ("found", "missed", "wrong"))
    return 2 * found / max(1, 2 * found + missed + wrong)


def recall(rows: Sequence[Row]) -> float:
    return sum(r["found"] for r in rows) / max(1, sum(r["found"] + r["missed"] for r in rows))


def precision(rows: Sequence[Row]) -> float:
    return sum(r["found"] for r in rows) / max(1, sum(r["found"] + r["wrong"] for r in rows))


def interval(rows: Sequence[Row], score: Callable[[Sequence[Row]], float]) -> list[float]:
    """Score with the 2.5 and 97.5 percentile over draws of whole groups, with replacement."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    names, rng = sorted(groups), np.random.default_rng(1)
    drawn = [
        score([row for n in rng.integers(len(names), size=len(names)) for row in groups[names[n]]])
        for _ in range(DRAWS)
    ]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return [round(float(value), 3) for value in (score(rows), low, high)]


def table(rows: Sequence[Row]) -> dict[str, Any]:
    """All scores of some rows, each with its interval."""
    scores = {"dice": mean_dice, "f1": f1, "recall": recall, "precision": precision}
    counts = {"pictures": len(rows), "groups": len({row["group"] for row in rows})}
    return counts | {name: interval(rows, score) for name, score in scores.items()}


def black_hat(grey: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """How much darker a place is than what a disc that fits around it can fill, halved in size."""
    from skimage.morphology import disk

    small = grey[: grey.shape[0] // 2 * 2, : grey.shape[1] // 2 * 2]
    small = small.reshape(small.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
    dark = ndimage.grey_closing(small, footprint=disk(radius)) - small
    large = np.repeat(np.repeat(dark, 2, axis=0), 2, axis=1)
    return np.pad(large, [(0, a - b) for a, b in zip(grey.shape, large.shape, strict=True)])


def peer_masks(
    dark: NDArray[np.float32], thresholds: Sequence[float], areas: Sequence[int]
) -> Mapping[tuple[float, int], Mask]:
    """What the peer finds with each threshold and least area."""
    out = {}
    for threshold in thresholds:
        numbered, _ = ndimage.label(
            ndimage.binary_closing(dark > threshold, iterations=4), _TOUCHING
        )
        sizes = np.bincount(numbered.ravel())
        sizes[0] = 0
        for area in areas:
            out[threshold, area] = (sizes >= area)[numbered]
    return out


def rate(rows: Sequence[Row]) -> float:
    """What numbers are chosen for: regions found, and how well they are outlined."""
    return f1(rows) + mean_dice(rows)


def chosen(rows: Mapping[str, Mapping[Choice, Row]], names: Sequence[str]) -> Choice:
    """The choice that does best on some pictures; the first of equals."""
    return max(rows[names[0]], key=lambda choice: rate([rows[name][choice] for name in names]))


def nested(rows: Mapping[str, Mapping[Choice, Row]], folds: Sequence[Sequence[str]]) -> list[Row]:
    """Rows of each fold with what was chosen on the others."""
    out = []
    for part in folds:
        best = chosen(rows, [name for name in rows if name not in part])
        out += [rows[name][best] for name in part]
    return out


def filtered(
    pieces: NDArray[np.int32], regions: Sequence[Region], drawn: Mask
) -> Iterator[tuple[tuple[int, float], Row]]:
    """Scores for each least area and least mean probability of `FILTERS`."""
    known: dict[tuple[bool, ...], Row] = {}
    for area, probability in FILTERS:
        good = tuple(r.samples >= area and r.probability >= probability for r in regions)
        if good not in known:
            known[good] = compare(drawn, np.array([False, *good])[pieces])
        yield (area, probability), known[good]


def strata(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The rows, and those of large and small pitting and of either kind of spindle."""
    yield "all", list(rows)
    yield "pitting of 300 px or more", [row for row in rows if row["drawn_px"] >= SMALL_PX]
    yield "pitting below 300 px", [row for row in rows if row["drawn_px"] < SMALL_PX]
    yield "spindle 01", [row for row in rows if not row["name"].startswith("KGT")]
    yield "other spindles", [row for row in rows if row["name"].startswith("KGT")]
