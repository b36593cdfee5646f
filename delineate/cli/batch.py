"""``delineate batch``: many images through one detector, and scores where there are references."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delineate import delineation
from delineate.cli.drawn import formats_of
from delineate.cli.evaluate import (
    CountUnreferenced,
    Distance,
    Groups,
    Iou,
    Labels,
    Metrics,
    Missed,
    Parquet,
    Renamed,
    Require,
    Resample,
    Surface,
    Tolerance,
    ToleranceMm,
    Worst,
    counter,
    pairs_of,
    rules_of,
)
from delineate.cli.evaluated import ended, written
from delineate.cli.remote import (
    KeyFile,
    Workers,
    connected,
    is_address,
    scorer_of,
    values_there,
)
from delineate.cli.run import named_values
from delineate.cli.screen import errors, output
from delineate.errors import InputError, OptionError
from delineate.evaluation.batch import RESULTS, images_of, segment
from delineate.evaluation.batch_elsewhere import segment_there
from delineate.evaluation.run import evaluate

__all__ = ["batch"]


def batch(
    images: Annotated[
        Path, typer.Argument(help="Folder with a file or a series for each case, or one of these.")
    ],
    detector: Annotated[str, typer.Option(help="Its id; see `delineate detectors`.")],
    out: Annotated[Path, typer.Option(help="Folder for results and report; made where missing.")],
    reference: Annotated[
        Path | None, typer.Option(help="Folder of references by the same names: scores as well.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, as often as needed.")
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(help=f"Comma-separated: {','.join(delineation.EXPORTS)}; none by default."),
    ] = None,
    metrics: Metrics = None,
    tolerance_mm: ToleranceMm = 2.0,
    tolerance: Tolerance = None,
    surface: Surface = "voxels",
    iou: Iou = 0.5,
    distance: Distance = 20.0,
    labels: Labels = None,
    renamed: Renamed = None,
    resample: Resample = False,
    count_unreferenced: CountUnreferenced = False,
    missed_distance: Missed = "undefined",
    group: Groups = None,
    require: Require = None,
    workers: Workers = None,
    key_file: KeyFile = None,
    parquet: Parquet = False,
    worst: Worst = 12,
) -> None:
    """Find things in many images, keep every result, and score them.

    With the address of a service as --workers its workers find, an image a job; scores are made
    here. A case that fails does not stop the others. Goes on where it was when it was stopped. Exit
    codes: 1 if a requirement fails, 4 if the detector failed, 3 if another case did.
    """
    if require and reference is None:
        raise OptionError("--require needs --reference: what results are scored against")
    wanted = formats_of(export, list(delineation.EXPORTS), "--export") if export else []
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
    found = images_of(images)
    options = named_values(option or [])
    with counter("detecting") as progress:
        if workers is not None and is_address(workers):
            with connected(workers, key_file) as service:
                values = values_there(service, detector, options)
                failures = segment_there(
                    service, found, detector, out, options=values, export=wanted, progress=progress
                )
        else:
            failures = segment(
                found, detector, out, options=options, export=wanted, progress=progress
            )
    results = out / RESULTS
    text = f"{results}: {len(found) - len(failures)} results"
    output.print(text, markup=False, highlight=False, soft_wrap=True)
    for one in failures:
        text = f"{one.case} failed: {one.error}"
        errors.print(text, markup=False, highlight=False, soft_wrap=True)
    if reference is not None:
        if len(failures) == len(found):
            raise InputError("no image gave a result; there is nothing to score")
        here = None if is_address(workers) else workers  # results are here by now
        with scorer_of(here, key_file) as scorer, counter("scoring") as progress:
            evaluation = evaluate(
                results,
                reference,
                out=out,
                rules=rules,
                images=images if images.is_dir() and len(found) > 1 else None,
                labels=labels,
                groups={name: Path(file) for name, file in pairs_of(group, "--group").items()},
                require=require or (),
                why_missing={one.case: f"it has no result: {one.error}" for one in failures},
                scorer=scorer,
                progress=progress,
            )
        written(evaluation, out, parquet=parquet, worst=worst)
        if evaluation.failing:
            ended(evaluation)
    if failures:
        raise typer.Exit(4 if any(one.by_detector for one in failures) else 3)
    if reference is not None:
        ended(evaluation)
