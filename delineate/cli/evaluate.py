"""``delineate evaluate``: predictions against references."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from delineate.cli.evaluated import ended, written
from delineate.cli.remote import KeyFile, Workers, scorer_of
from delineate.cli.screen import progress_bar
from delineate.errors import OptionError
from delineate.evaluation.case import Rules
from delineate.evaluation.rules import Scoring
from delineate.evaluation.run import evaluate
from delineate.evaluation.score import METRICS

__all__ = [
    "CountUnreferenced",
    "Distance",
    "Groups",
    "Images",
    "Iou",
    "Labels",
    "Metrics",
    "Missed",
    "Parquet",
    "PredictionLabels",
    "Renamed",
    "Require",
    "Resample",
    "Surface",
    "Tolerance",
    "ToleranceMm",
    "Worst",
    "counter",
    "pairs_of",
    "rules_of",
    "score",
]

Metrics = Annotated[
    str | None, typer.Option(help=f"Comma-separated: {','.join(METRICS)}. By default all that fit.")
]
ToleranceMm = Annotated[float, typer.Option(min=0.0, help="Of the normalised surface Dice.")]
Tolerance = Annotated[
    list[str] | None, typer.Option(help="STRUCTURE=MM, as often as needed: one of its own.")
]
Surface = Annotated[
    Literal["voxels", "elements"],
    typer.Option(help="Surfaces as border samples, or as elements between samples."),
]
Iou = Annotated[
    float,
    typer.Option(
        min=0.01, max=1.0, help="Least overlap of two boxes or outlines that are the same thing."
    ),
]
Distance = Annotated[
    float,
    typer.Option(
        min=0.0, help="Farthest apart that two points may be and be the same thing, mm or pixels."
    ),
]
Images = Annotated[
    Path | None, typer.Option(help="Folder of images by case, drawn below the outlines.")
]
Labels = Annotated[
    Path | None,
    typer.Option(help="Names of labels: dataset.json, or CSV or TSV with columns index and name."),
]
PredictionLabels = Annotated[
    Path | None, typer.Option(help="The same of the predictions, where theirs are others.")
]
Renamed = Annotated[
    list[str] | None,
    typer.Option("--map", help="PREDICTION=REFERENCE: names of one structure, as often as needed."),
]
Resample = Annotated[
    bool,
    typer.Option("--resample", help="Sample predictions anew (nearest) that lie on other samples."),
]
CountUnreferenced = Annotated[
    bool,
    typer.Option("--count-unreferenced", help="What a reference does not name is invented."),
]
Missed = Annotated[
    Literal["undefined", "diagonal"],
    typer.Option(help="Distance to what is missed: none, or the diagonal of the image."),
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--group", help="COLUMN=FILE.csv with columns case and COLUMN; as often as needed."
    ),
]
Require = Annotated[
    list[str] | None,
    typer.Option(
        help="Such as 'liver.dice>=0.95' (every case) or '*.nsd.mean>0.9'; exit code 1 if not so."
    ),
]
Parquet = Annotated[bool, typer.Option("--parquet", help="Write scores.parquet too.")]
Worst = Annotated[int, typer.Option(min=0, max=100, help="How many cases are shown in pictures.")]


def score(
    prediction: Annotated[
        Path,
        typer.Argument(
            help="Folder of predictions (a file or folder a case, nnU-Net, BIDS derivatives, "
            "results of delineate run), one file, or a CSV manifest alone."
        ),
    ],
    reference: Annotated[
        Path | None, typer.Argument(help="Folder of references, or one file.")
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder for the report; made where it is missing.")],
    metrics: Metrics = None,
    tolerance_mm: ToleranceMm = 2.0,
    tolerance: Tolerance = None,
    surface: Surface = "voxels",
    iou: Iou = 0.5,
    distance: Distance = 20.0,
    images: Images = None,
    labels: Labels = None,
    prediction_labels: PredictionLabels = None,
    renamed: Renamed = None,
    resample: Resample = False,
    count_unreferenced: CountUnreferenced = False,
    missed_distance: Missed = "undefined",
    group: Groups = None,
    compare: Annotated[
        Path | None, typer.Option(help="Other predictions of the same cases, to be tested against.")
    ] = None,
    require: Require = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse cases without a partner.")
    ] = False,
    workers: Workers = None,
    key_file: KeyFile = None,
    parquet: Parquet = False,
    worst: Worst = 12,
) -> None:
    """Score predictions against references, and write tables and a report.

    Goes on where it was when it was stopped. Exit codes: 1 if a requirement fails, else 3 if a
    case could not be scored.
    """
    rules = rules_of(
        metrics,
        tolerance_mm,
        tolerance,
        surface,
        renamed,
        iou=iou,
        distance=distance,
        resample=resample,
        count_unreferenced=count_unreferenced,
        missed_distance=missed_distance,
    )
    with scorer_of(workers, key_file) as scorer, counter("scoring") as progress:
        evaluation = evaluate(
            prediction,
            reference,
            out=out,
            rules=rules,
            images=images,
            labels=labels,
            prediction_labels=prediction_labels,
            groups={name: Path(file) for name, file in pairs_of(group, "--group").items()},
            compare=compare,
            require=require or (),
            strict=strict,
            scorer=scorer,
            progress=progress,
        )
    written(evaluation, out, parquet=parquet, worst=worst)
    ended(evaluation)


def rules_of(
    metrics: str | None,
    tolerance_mm: float,
    tolerance: list[str] | None,
    surface: Literal["voxels", "elements"],
    renamed: list[str] | None,
    *,
    iou: float,
    distance: float,
    **others: Any,
) -> Rules:
    """The rules that the options mean."""
    own = {name: _length(text) for name, text in pairs_of(tolerance, "--tolerance").items()}
    scoring = Scoring(
        metrics=tuple(one.strip() for one in (metrics or "").split(",") if one.strip()),
        tolerance_mm=tolerance_mm,
        tolerances_mm=own,
        surface=surface,
        iou=iou,
        distance=distance,
    )
    return Rules(scoring=scoring, renamed=pairs_of(renamed, "--map"), **others)


def pairs_of(given: list[str] | None, option: str) -> dict[str, str]:
    """``["a=1"]`` as ``{"a": "1"}``.

    Raises
    ------
    OptionError
        If one is no such pair.
    """
    found = {}
    for text in given or ():
        name, equals, value = text.rpartition("=")
        if not equals or not name.strip() or not value.strip():
            raise OptionError(f"{option} expects NAME=VALUE, got {text!r}")
        found[name.strip()] = value.strip()
    return found


def _length(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"--tolerance expects STRUCTURE=MM, got {text!r}") from None


@contextmanager
def counter(stage: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar of cases; what it gives is told how many of how many are done."""
    with progress_bar() as progress:
        task = progress.add_task(stage, total=None)
        yield lambda done, of: progress.update(
            task, completed=done, total=of, description=f"{stage} {done} of {of}"
        )
