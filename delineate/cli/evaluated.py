"""What the terminal says of an evaluation: the table, what may be wrong, the exit code."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from delineate.cli.screen import errors, output
from delineate.evaluation.page_tables import headline, number
from delineate.evaluation.report import write_report
from delineate.evaluation.run import Evaluation

__all__ = ["ended", "written"]

_MOST_NOTES = 5


def written(evaluation: Evaluation, out: Path, *, parquet: bool, worst: int) -> None:
    """Write the report and say what is in it."""
    paths = write_report(evaluation, out, parquet=parquet, worst=worst)
    document = json.loads(paths["summary.json"].read_bytes())
    output.print(_table(evaluation, document))
    for line in _remarks(document):
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    for path in paths.values():
        output.print(str(path), markup=False, highlight=False, soft_wrap=True)


def _remarks(document: Mapping[str, Any]) -> Iterator[str]:
    """What may be wrong, a line each."""
    for row in document["failing"]:
        value = "" if row["value"] is None else f" is {row['value']:.4g}"
        where = " ".join(filter(None, (row["case"], row["structure"])))
        why = f" ({row['why']})" if row["why"] else ""
        yield f"{row['requirement']}: {where}{value}{why}"
    cases = document["cases"]
    for one in cases["failed"]:
        yield f"{one['case']} failed: {one['error']}"
    for key in ("without_prediction", "without_reference"):
        if cases[key]:
            yield f"{key.replace('_', ' ')}: {', '.join(cases[key])}"
    if alone := document["prediction_only"]:
        listed = ", ".join(f"{name} ({count})" for name, count in alone.items())
        yield f"not scored, since no reference names them: {listed}"
    for option, names in document["unused"].items():
        if names:
            yield f"no case has what --{option} names, so that it is without effect: " + ", ".join(
                names
            )
    notes = Counter(note for told in document["notes"].values() for note in told)
    for note, count in notes.most_common(_MOST_NOTES):
        yield f"{note} ({count} {'case' if count == 1 else 'cases'})"
    if len(notes) > _MOST_NOTES:
        yield f"{len(notes) - _MOST_NOTES} notes more are in the report"


def _table(evaluation: Evaluation, document: Mapping[str, Any]) -> Table:
    metrics = headline(evaluation.columns)
    rows = {(row["structure"], row["metric"]): row for row in document["scores"]}
    table = Table(title=f"{evaluation.title}: {document['cases']['scored']} cases")
    table.add_column("structure")
    for name in ("n", "missed", "invented", *metrics):
        table.add_column(name, justify="right")
    for structure in evaluation.columns.structures:
        known = [rows.get((structure, metric)) for metric in metrics]
        first = next((row for row in known if row), None)
        if first is None:
            continue
        counts = [str(first[name]) for name in ("n", "missed", "invented")]
        means = ["-" if row is None else number(row["mean"], row["unit"]) for row in known]
        table.add_row(structure or "(whole image)", *counts, *means)
    return table


def ended(evaluation: Evaluation) -> None:
    """Leave with the exit code of what came of it, unless all went well."""
    if evaluation.failing:
        raise typer.Exit(1)
    if evaluation.failed:
        raise typer.Exit(3)
