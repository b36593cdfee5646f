"""The whole road of ``delineate train-points``: from a folder of points to a model folder."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

from torch import nn

from delineate.detectors.counting.calibrate import (
    THRESHOLDS,
    Judged,
    best_threshold,
    scores,
    tallies,
)
from delineate.detectors.counting.card import model_card
from delineate.detectors.counting.finder import Finder, PointSettings
from delineate.detectors.counting.loss import point_loss
from delineate.detectors.counting.made import made_pictures
from delineate.detectors.counting.matching import Tally
from delineate.detectors.counting.network import fast_precision, first_weights, untrained
from delineate.detectors.counting.patches import PointPatches, Recipe
from delineate.detectors.counting.pictures import Picture, read_folder, usual_size
from delineate.detectors.counting.plan import Options, Split, agreed, splits
from delineate.detectors.counting.snapping import snapped
from delineate.segmentation.backends.choose import pick_device
from delineate.segmentation.model import Model
from delineate.segmentation.model_file import describe_model, write_model
from delineate.segmentation.training.schedule import Schedule
from delineate.segmentation.training.trainer import train

__all__ = ["train_points"]

PLAN, MADE, MODEL = "plan.json", "made", "model"
_SMALLEST, _LARGEST = 5.0, 48.0  # lengths that one map is for, where there are several
_LEAST_HEIGHT = THRESHOLDS[0]
_REACH = 0.65  # of a thing's length: so far a point may be moved
_GENTLE = 0.2  # how often patches of the later rounds are relit
_HELD_TRAPS, _FIRST_HELD = 32, 1_000_000

Report = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class _Job:
    """One training of a run; everything that another process needs to do it."""

    data: Path
    empty: bool
    folder: Path
    made: Path
    options: Options
    split: Split
    device: str
    workers: int


def train_points(
    data: Path,
    out: Path,
    options: Options,
    *,
    empty: bool = False,
    workers: int = 1,
    parallel: int = 1,
    device: str = "auto",
    report: Report = lambda _what, _step: None,
) -> Model:
    """Train, measure and write a model that finds points; or go on with what was begun.

    Parameters
    ----------
    data
        Folder of pictures and points; see `pictures.read_folder`.
    out
        Of the run: `plan.json`, `checkpoint.pt`, `log.csv`, a folder for each fold and for each
        further round, `model`.
    options
        What is asked for.
    empty
        Whether pictures without a point are empty.
    workers
        Processes that draw patches, for each training.
    parallel
        Trainings at once, where there are folds.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    report
        Told of which training it is and its steps; not of those in parallel.

    Raises
    ------
    InputError
        If the data cannot be used, or the run was begun with other options or pictures.
    """
    pick_device(device)
    pictures, _ = read_folder(data, empty=empty, size=options.size_px)
    agreed(out / PLAN, options, [each.name for each in pictures])
    made_pictures(
        out / MADE, _seeds(options), workers * parallel, lambda done: report("making traps", done)
    )
    parts = splits([each.name for each in pictures], options)
    jobs = [
        _Job(data, empty, folder, out / MADE, options, part, device, workers)
        for folder, part in zip(_folders(out, len(parts)), parts, strict=True)
    ]
    if parallel > 1:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(parallel, mp_context=context) as pool:
            results = list(pool.map(_trained, jobs))
    else:
        results = [_trained(job, report) for job in jobs]
    model, made = results[-1][0], results[-1][2]
    return _published(model, [result[1] for result in results], made, pictures, options)


def _seeds(options: Options) -> list[int]:
    """Of the traps to learn from, and of those to measure on."""
    held = range(_FIRST_HELD, _FIRST_HELD + _HELD_TRAPS) if options.traps else ()
    return [*range(options.traps), *held]


def _folders(out: Path, count: int) -> list[Path]:
    return [*(out / f"fold_{number}" for number in range(count - 1)), out]


def _trained(
    job: _Job, report: Report = lambda _what, _step: None
) -> tuple[Model, list[Judged], list[Judged]]:
    """Train on one part of the pictures; gives what is found on the other, and on made traps."""
    options = job.options
    pictures, names = read_folder(job.data, empty=job.empty, size=options.size_px)
    by_name = {each.name: each for each in pictures}
    made = made_pictures(job.made, _seeds(options))
    model = untrained(job.folder / MODEL, options, names, _usual(pictures, options))
    learned = [by_name[name] for name in job.split.training]
    recipe = _recipe(options, len(names))
    network = first_weights(model, options)
    for number in range(options.rounds):
        if number:
            finder = Finder(model, job.device)
            learned = [_moved(by_name[name], finder) for name in job.split.training]
            recipe = replace(recipe, relit=_GENTLE)
        patches = PointPatches(learned, made[: options.traps], recipe, options.seed + number)
        network = _round(network, patches, job, number, report)
        model = write_model(model, [network.state_dict()])
    finder = Finder(model, job.device)
    held = [_judged(by_name[name], finder) for name in job.split.held]
    return model, held, [_judged(each, finder) for each in made[options.traps :]]


def _round(
    network: nn.Module, patches: PointPatches, job: _Job, number: int, report: Report
) -> nn.Module:
    """Learn once; the later rounds, which refine, at half of the rate."""
    options = job.options
    schedule = Schedule(
        steps=options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate / (2 if number else 1),
        warmup=min(100, options.steps // 10 + 1),
        cooldown=0.6,
        average=0.995,
        seed=options.seed + number,
        checkpoint_every=options.checkpoint_every,
    )
    folder = job.folder / f"round_{number + 1}" if number else job.folder
    return train(
        network.requires_grad_(),  # the average of an earlier round does not learn
        patches,
        schedule,
        folder,
        dimensions=2,
        workers=job.workers,
        precision=fast_precision(job.device),
        objective=point_loss,
        report=lambda step, _loss: report(f"{job.folder.name}, round {number + 1}", step),
    )


def _recipe(options: Options, kinds: int) -> Recipe:
    several = options.levels > 1
    return Recipe(
        side=options.side,
        kinds=kinds,
        zoom=options.zoom,
        smallest=_SMALLEST if several else 0.0,
        largest=_LARGEST if several else inf,
    )


def _usual(pictures: Sequence[Picture], options: Options) -> float:
    return usual_size(pictures) if options.size_px is None else options.size_px


def _moved(picture: Picture, finder: Finder) -> Picture:
    found = finder.points(picture.pixels, _LEAST_HEIGHT)
    return snapped(picture, found, _REACH * finder.settings.size_px)


def _judged(picture: Picture, finder: Finder) -> Judged:
    found = finder.points(picture.pixels, _LEAST_HEIGHT)
    return Judged(picture.name, picture.points, picture.kinds, tuple(found))


def _published(
    model: Model,
    held: Sequence[Sequence[Judged]],
    made: Sequence[Judged],
    pictures: Sequence[Picture],
    options: Options,
) -> Model:
    """Choose the threshold, measure, and write it all into the model folder."""
    within = options.within_px or _usual(pictures, options)
    parts = [part for part in held if part]
    groups = [group for group in ([each for part in parts for each in part], made) if group]
    settings = PointSettings.of(model)
    metrics: dict[str, Any] = {"within_px": round(within, 2), "validation": {"pictures": 0}}
    if groups:
        settings = replace(settings, threshold=best_threshold(groups, within))
        counted = _counted(parts, made, settings.threshold, within)
        also = tallies(made, settings.threshold, within)
        settings = replace(settings, count_error=scores([*counted, *also])["count_spread"])
        if counted:
            metrics |= {"validation": scores(counted), "folds": len(parts)}
        if also:
            metrics["generated"] = scores(also)
    metrics["learned"] = {
        "pictures": len(pictures) - (0 if options.folds else sum(map(len, parts))),
        "points": int(sum(len(each.points) for each in pictures)),
        "generated": options.traps,
    }
    model = describe_model(replace(model, settings=settings.to_json(), metrics=metrics))
    (model.folder / "README.md").write_text(model_card(model), "utf-8")
    return model


def _counted(
    parts: Sequence[Sequence[Judged]], made: Sequence[Judged], threshold: float, within: float
) -> list[Tally]:
    """Tallies of each part by the threshold that the other parts choose, where there are others."""
    counted = []
    for number, part in enumerate(parts):
        others = [one for other, each in enumerate(parts) if other != number for one in each]
        groups = [group for group in (others, made) if group]
        chosen = best_threshold(groups, within) if others else threshold
        counted += tallies(part, chosen, within)
    return counted
