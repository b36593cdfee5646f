"""Score one result against another, whatever their kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from delineate.errors import InputError
from delineate.evaluation.anomaly import score_field
from delineate.evaluation.classification import score_classes
from delineate.evaluation.detection import score_instances
from delineate.evaluation.overlap import Structure, structures
from delineate.evaluation.rules import Scoring
from delineate.evaluation.score import Score, presence
from delineate.evaluation.surface import added_path_length, surfaces
from delineate.imaging import Grid, LabelMap
from delineate.plugins.outputs import Classes, Field, Instances, Masks, Output

__all__ = ["OVERLAP", "SURFACE", "Scoring", "score", "score_structures"]

OVERLAP = (
    *("dice", "iou", "sensitivity", "precision"),
    *("volume_reference", "volume_prediction", "volume_difference", "centroid_distance"),
)
SURFACE = ("nsd", "hd", "hd95", "assd", "masd", "added_path_length")
_DISTANCES = ("hd", "hd95", "assd", "masd")


def score(
    prediction: Output,
    reference: Output,
    scoring: Scoring | None = None,
    threads: int | None = None,
) -> tuple[Score, ...]:
    """Score a prediction against a reference of the same case.

    Parameters
    ----------
    prediction, reference
        Label maps or masks, instances, or classes, of one kind; a field is scored against a label
        map or masks. Structures are matched by name and lie on the same grid.
    scoring
        How; by default all metrics that fit.
    threads
        How many structures are measured at a time; by default one on each core.

    Returns
    -------
    tuple of Score
        Structure by structure in the reference's order, then those that it lacks.

    Raises
    ------
    GeometryError
        If they do not lie on the same grid.
    InputError
        If their kinds do not fit.
    """
    scoring = scoring or Scoring()
    if isinstance(prediction, LabelMap | Masks) and isinstance(reference, LabelMap | Masks):
        found = structures(reference, prediction)
        return score_structures(found, reference.grid, scoring, threads)
    if isinstance(prediction, Instances) and isinstance(reference, Instances):
        return score_instances(prediction, reference, scoring)
    if isinstance(prediction, Classes) and isinstance(reference, Classes):
        return score_classes(prediction, reference, scoring)
    if isinstance(prediction, Field) and isinstance(reference, LabelMap | Masks):
        return score_field(prediction, reference, scoring)
    raise InputError(
        f"a prediction of kind {type(prediction).__name__} cannot be scored against a reference of "
        f"kind {type(reference).__name__}; expected two label maps or masks, two of instances, two "
        "of classes, or a field against a label map"
    )


def score_structures(
    found: Sequence[Structure], grid: Grid, scoring: Scoring, threads: int | None = None
) -> tuple[Score, ...]:
    """As `score`, of structures that are counted already, and the grid that they lie on."""
    measure = partial(_structure, grid=grid, scoring=scoring)
    if threads == 1 or len(found) < 2:
        parts: Sequence[list[Score]] = [measure(one) for one in found]
    else:
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            # The largest first, so that none is left alone at the end.
            order = sorted(range(len(found)), key=lambda i: -sum(found[i].samples))
            tasks = {i: pool.submit(measure, found[i]) for i in order}
            parts = [tasks[i].result() for i in range(len(found))]
    return tuple(one for part in parts for one in part)


def _structure(structure: Structure, grid: Grid, scoring: Scoring) -> list[Score]:
    flat = grid.shape[0] == 1
    size, unit = _volume(grid, flat)
    one, two, _ = structure.samples
    note = presence(reference=one > 0, prediction=two > 0)
    values: dict[str, Callable[[], float]] = {
        "dice": lambda: structure.dice,
        "iou": lambda: structure.iou,
        "sensitivity": lambda: structure.sensitivity,
        "precision": lambda: structure.precision,
        "volume_reference": lambda: one * size,
        "volume_prediction": lambda: two * size,
        "volume_difference": lambda: (two - one) * size,
        "centroid_distance": lambda: structure.centroid_distance(grid),
    }
    lengths = ("centroid_distance", "added_path_length", *_DISTANCES)
    volumes = ("volume_reference", "volume_prediction", "volume_difference")
    units: dict[str, str] = {**dict.fromkeys(lengths, grid.unit), **dict.fromkeys(volumes, unit)}
    values |= _distances(structure, grid, scoring)
    return [
        Score(structure.name, name, values[name](), units.get(name, "1"), note)
        for name in (*OVERLAP, *SURFACE)
        if scoring.wants(name)
    ]


def _distances(
    structure: Structure, grid: Grid, scoring: Scoring
) -> dict[str, Callable[[], float]]:
    """Metrics of the surfaces, by name; measured once, if any is asked for."""
    reference, prediction = structure.reference, structure.prediction
    nothing = float("nan")
    made: dict[str, Callable[[], float]] = dict.fromkeys(_DISTANCES, lambda: nothing)
    made["nsd"] = lambda: nothing if reference is None and prediction is None else 0.0
    made["added_path_length"] = (
        (lambda: 0.0)
        if reference is None
        else partial(added_path_length, reference, prediction, grid, scoring.path_tolerance_mm)
    )
    if reference is None or prediction is None or not scoring.wants("nsd", *_DISTANCES):
        return made
    measured = surfaces(reference, prediction, grid, scoring.surface)
    return made | {
        "nsd": partial(measured.nsd, scoring.tolerance_of(structure.name)),
        "hd": measured.hausdorff,
        "hd95": partial(measured.hausdorff, 95.0),
        "assd": measured.assd,
        "masd": measured.masd,
    }


def _volume(grid: Grid, flat: bool) -> tuple[float, str]:
    """Of one sample, and its unit: ml, or the area in a single slice without thickness."""
    if grid.unit == "px":
        return (grid.pixel_area, "px2") if flat else (grid.voxel_size, "px3")
    return grid.voxel_size / 1000, "ml"
