"""Anomalies from good pictures alone, beside local contrast: painted metal, and BSData.

``python benchmarks/surface_anomalies.py``. Both get their threshold from good pictures kept back.
On BSData the good pictures are what lies left and right of the pitting on photographs of four
spots; it is looked for on photographs of three others, whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage as ndimage
from measure import report
from numpy.typing import NDArray
from surface import DATA, NAMES, group

from delineate import delineate
from delineate.delineation import Delineation
from delineate.detectors.surface.learning import Plan, false_alarm_threshold, learn_good
from delineate.imaging import Grid, Image
from delineate.phantom.surfaces import FLAWS, metal
from delineate.segmentation import detector_of
from delineate.segmentation.training.layouts import find
from delineate.segmentation.training.pairs import read_pair

GOOD, TRIED = range(8), 20  # seeds to learn from; pictures of each flaw, and without
LEARNED = ("395000", "430000", "462500", "305000")
LOOKED_AT = ("517500", "585000", "635000")
LEAST_WIDTH = 160
AWAY = 20

Scores = NDArray[np.float32]
Scorer = Callable[[Image], Scores]


def auroc(scores: Scores, drawn: NDArray[np.bool_]) -> float:
    """Chance that a sample of a flaw scores higher than one of none."""
    from scipy.stats import rankdata

    ranks, count = rankdata(scores), int(drawn.sum())
    others = drawn.size - count
    return float((ranks[drawn].sum() - count * (count + 1) / 2) / (count * others))


def average_precision(scores: Scores, drawn: NDArray[np.bool_]) -> float:
    order = np.argsort(-scores, kind="stable")
    hits = drawn[order]
    precision = np.cumsum(hits) / np.arange(1, hits.size + 1)
    return float((precision * hits).sum() / hits.sum())


def contrast(image: Image) -> Scores:
    """The peer: difference from the median around, smoothed a little."""
    grey = image.array[0].mean(axis=-1, dtype=np.float32)
    around = ndimage.median_filter(grey[::2, ::2], 21)
    small = np.abs(ndimage.gaussian_filter(grey, 1.5)[::2, ::2] - around)
    large = np.repeat(np.repeat(small, 2, axis=0), 2, axis=1)
    return np.asarray(large[: grey.shape[0], : grey.shape[1]])


def learned(good: Sequence[Image], folder: Path) -> tuple[Scorer, float]:
    model = learn_good(good, folder, Plan(name="good"))
    spec = detector_of(model, "good")

    def score(image: Image) -> Scores:
        found: Delineation = delineate(image, spec)
        return np.asarray(found.output.array[0])

    return score, float(model.settings["threshold"])


def on_metal(score: Scorer, threshold: float) -> dict[str, Any]:
    """Flaws that are hit, good pictures that show something, and scores sample by sample."""
    out: dict[str, Any] = {}
    for number, flaw in enumerate(FLAWS):
        hits, areas, precisions = 0, [], []
        for seed in range(TRIED):
            image, labels = metal(10_000 + 100 * number + seed, flaws=(flaw,))
            scores, drawn = score(image), labels.array[0] > 0
            hits += bool((scores[drawn] >= threshold).any())
            areas.append(auroc(scores.ravel(), drawn.ravel()))
            precisions.append(average_precision(scores.ravel(), drawn.ravel()))
        out[flaw] = {
            "hit": f"{hits} of {TRIED}",
            "auroc": round(float(np.mean(areas)), 4),
            "average precision": round(float(np.mean(precisions)), 3),
        }
    shown = sum(bool((score(metal(20_000 + n)[0]) >= threshold).any()) for n in range(TRIED))
    return out | {"good pictures that show something": f"{shown} of {TRIED}"}


def sides(image: Image, drawn: NDArray[np.uint8]) -> list[Image]:
    """What lies left and right of all that is drawn."""
    columns = np.flatnonzero(drawn[0].any(axis=0))
    ends = ((0, columns[0] - AWAY), (columns[-1] + AWAY, drawn.shape[2]))
    parts = [image.array[:, :, a:b] for a, b in ends if b - a >= LEAST_WIDTH]
    return [
        Image(part, Grid.regular(part.shape[:3], unit="px"), "photo", image.channels)
        for part in parts
    ]


def on_bsdata(score: Scorer, threshold: float, pairs: Sequence[Any]) -> dict[str, Any]:
    areas, precisions, top, hit, wrong = [], [], 0, 0, []
    for image, labels in pairs:
        scores, drawn = score(image), labels[0] == 1
        areas.append(auroc(scores.ravel(), drawn.ravel()))
        precisions.append(average_precision(scores.ravel(), drawn.ravel()))
        top += bool(drawn.ravel()[scores.argmax()])
        above, count = ndimage.label(scores >= threshold)
        hit += bool((above[drawn] > 0).any())
        wrong.append(count - len(set(np.unique(above[drawn])) - {0}))
    return {
        "auroc": round(float(np.mean(areas)), 3),
        "average precision": round(float(np.mean(precisions)), 3),
        "highest score in the pitting": f"{top} of {len(pairs)}",
        "pitting hit": f"{hit} of {len(pairs)}",
        "other regions a picture": float(np.mean(wrong)),
    }


def compared(
    good: Sequence[Image], folder: Path, measure: Callable[[Scorer, float], dict[str, Any]]
) -> dict[str, Any]:
    score, threshold = learned(good, folder)
    plain = false_alarm_threshold([float(contrast(image).max()) for image in good], 0.1)[0]
    return {
        "textures of good pictures": measure(score, threshold),
        "local contrast": measure(contrast, plain),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        tables = {"metal": compared([metal(n)[0] for n in GOOD], Path(place) / "metal", on_metal)}
        if DATA.is_dir():
            dataset = find(DATA, NAMES)
            late = [case for case in dataset.cases if case.name.endswith("crop_1")]
            learn = [case for case in late if group(case.name) in LEARNED][::2]
            look = [case for case in late if group(case.name) in LOOKED_AT]
            pairs = [read_pair(case, dataset) for case in look]
            good = [side for case in learn for side in sides(*read_pair(case, dataset))]
            tables["bsdata"] = compared(
                good, Path(place) / "bsdata", lambda s, t: on_bsdata(s, t, pairs)
            )
        else:
            print(f"BSData is not there: {DATA}")
    for name, rows in tables.items():
        for contender, figures in rows.items():
            print(name, contender, figures)
    report("surface_anomalies", tables, {})


if __name__ == "__main__":
    main()
