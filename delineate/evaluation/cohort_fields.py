"""Fields of scores, over all images: by sample, by region, and by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation.anomaly import MOST_FALSE
from delineate.evaluation.bootstrap import bootstrapped, figure_json, resamples
from delineate.evaluation.curves import area, roc, tied
from delineate.evaluation.levels import Levels, levels_of, merged
from delineate.evaluation.statistics import share_json
from delineate.plugins.outputs import Field

__all__ = ["evidence", "figures"]

Array = NDArray[np.float64]

_POINTS = 200  # of a curve that is kept for a plot


def evidence(prediction: Field, truth: NDArray[np.bool_]) -> dict[str, Any]:
    """What is kept of an image: how many samples have which score, its highest, and its truth."""
    peak = float(prediction.array.max())
    return {
        "kind": "fields",
        "structure": prediction.category.name,
        "peak": peak,
        "found": peak >= prediction.threshold,
        "true": bool(truth.any()),
        "levels": levels_of(prediction.array, truth).to_json(),
    }


def figures(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Figures of each category."""
    names = dict.fromkeys(case["structure"] for case in cases)
    return [_structure(name, [c for c in cases if c["structure"] == name]) for name in names]


def _structure(name: str, cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    from delineate.evaluation.curves_kernel import areas

    drawn = resamples(len(cases))
    images = [Levels.from_json(case["levels"]) for case in cases]
    true, false, shares = merged(images)
    regions = np.array([one.regions for one in images], float)
    truth, found = (np.array([case[key] for case in cases], bool) for key in ("true", "found"))
    peaks = np.array([case["peak"] for case in cases], float)

    def by_sample(weights: Array) -> Array:
        sums = (weights @ true, weights @ false, weights @ shares)
        return np.column_stack(
            (areas(*sums, weights @ regions, MOST_FALSE), area(*tied(peaks, truth, weights)))
        )

    values = bootstrapped(by_sample, drawn)
    bad, good = int(truth.sum()), int((~truth).sum())
    one, two = true.sum(axis=0), false.sum(axis=0)
    total = one.sum() * two.sum()
    return {
        "structure": name,
        "cases": len(cases),
        "true_cases": bad,
        "regions": int(regions.sum()),
        "true_samples": int(one.sum()),
        "samples": int(one.sum() + two.sum()),
        "auroc": figure_json(values[:, 0]),
        "auroc_error": float((one * two).sum() / (2 * total)) if total else float("nan"),
        "pro": figure_json(values[:, 1]),
        "image_auroc": figure_json(values[:, 2]),
        "image_sensitivity": share_json(int((found & truth).sum()), bad),
        "image_specificity": share_json(int((~found & ~truth).sum()), good),
        "curves": {
            "sample": _plotted(one, two) if total else [],
            "image": _plotted(*(side[0] for side in tied(peaks, truth, np.ones((1, len(cases))))))
            if bad and good
            else [],
        },
    }


def _plotted(true: Array, false: Array) -> list[list[float]]:
    curve = np.column_stack(roc(true, false))
    some = np.unique(np.linspace(0, len(curve) - 1, _POINTS).round().astype(int))
    points: list[list[float]] = curve[some].tolist()
    return points
