"""An evaluation as files: tables, a summary, and one page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delineate.evaluation.classification import Told
from delineate.evaluation.columns import Columns
from delineate.evaluation.cutout import Cutout
from delineate.evaluation.heat import Heat
from delineate.evaluation.keeping import write_whole
from delineate.evaluation.markup import Markup
from delineate.evaluation.page import page
from delineate.evaluation.page_parts import WorstCase
from delineate.evaluation.page_tables import headline, number, ranked
from delineate.evaluation.pictures import caption_of, drawn, plain
from delineate.evaluation.pictures_field import caption_of_field, drawn_field
from delineate.evaluation.pictures_things import caption_of_things, drawn_things
from delineate.evaluation.run import Evaluation
from delineate.evaluation.scene import Scene
from delineate.evaluation.score import METRICS
from delineate.evaluation.summary import dumps, summary
from delineate.evaluation.tables import csv_bytes, parquet_bytes

__all__ = ["write_report"]

_WORST_STRUCTURES = 3


def write_report(
    evaluation: Evaluation, folder: Path | str, *, parquet: bool = False, worst: int = 12
) -> dict[str, Path]:
    """Write ``scores.csv``, ``summary.json`` and ``report.html``.

    Parameters
    ----------
    evaluation
        What came of all cases. The same one gives the same bytes.
    folder
        Made where it is missing; files of the same names are replaced, each as a whole.
    parquet
        Whether ``scores.parquet`` is written too.
    worst
        How many cases are shown in pictures. Only their images are read for it.

    Returns
    -------
    dict
        Paths by what they are.

    Raises
    ------
    MissingExtraError
        If Parquet is asked for and pyarrow is not installed.
    """
    folder = Path(folder)
    scored = evaluation.scored
    content = {"scores.csv": csv_bytes(scored)}
    if parquet:
        content["scores.parquet"] = parquet_bytes(scored)
    if evaluation.other:
        content["scores-compared.csv"] = csv_bytes(evaluation.other)
    document = summary(evaluation)
    content["summary.json"] = _encoded(dumps(document))
    content["report.html"] = _encoded(page(evaluation, document, _worst(evaluation, worst)))
    folder.mkdir(parents=True, exist_ok=True)
    for name, held in content.items():
        write_whole(folder / name, held)
    return {name: folder / name for name in content}


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # names of files need not be UTF-8


def _worst(evaluation: Evaluation, count: int) -> list[WorstCase]:
    """The cases with the worst means over structures of the first metric."""
    columns = evaluation.columns
    metrics = headline(columns)
    if not metrics:
        return []
    images = {one.name: one.image for one in evaluation.cases.cases}
    scored = {one.case: one for one in evaluation.scored}
    found = []
    for name, mean in ranked(columns, metrics[0])[:count]:
        rows = _structures(columns, name, metrics[0])
        unit = columns.columns[rows[0][2]].unit
        told = [f"{structure or 'image'} {number(value, unit)}" for structure, value, _ in rows]
        line = f"{METRICS[metrics[0]].title} {number(mean, unit)}: {', '.join(told)}"
        picture, caption, kind = _picture(scored[name].cutout, images[name])
        caption = caption or _answer(scored[name].evidence)
        found.append(WorstCase(name, line, picture, caption, kind))
    return found


def _picture(kept: Mapping[str, Any] | None, image: Path | None) -> tuple[Markup | None, str, str]:
    """The picture of a case, its caption, and what kind of picture it is."""
    if kept is None:
        return plain(image), "", "image"
    if kept["of"] == "things":
        scene = Scene.from_json(kept)
        return drawn_things(scene, image), caption_of_things(scene), "things"
    if kept["of"] == "field":
        heat = Heat.from_json(kept)
        return drawn_field(heat, image), caption_of_field(heat), "field"
    cutout = Cutout.from_json(kept)
    return drawn(cutout, image), caption_of(cutout), "masks"


def _answer(evidence: Mapping[str, Any]) -> str:
    """What a case is and what it was taken for, if it is of classes."""
    if evidence.get("kind") != "classes":
        return ""
    case = Told(tuple(sorted(evidence["probabilities"].items())), evidence["truth"])
    sure = dict(case.probabilities).get(case.answer, 0.0)
    return f"is {case.truth}, taken for {case.answer} ({sure:.3f})"


def _structures(columns: Columns, case: str, metric: str) -> list[tuple[str, float, int]]:
    """The worst structures of a case, with their value and column."""
    row = columns.values[columns.cases.index(case)]
    lower = METRICS[metric].better == "lower"
    known = [
        (one.structure, float(row[place]), place)
        for place, one in enumerate(columns.columns)
        if one.metric == metric and row[place] == row[place]
    ]
    known.sort(key=lambda one: -one[1] if lower else one[1])
    return known[:_WORST_STRUCTURES]
