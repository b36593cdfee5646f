"""``delineate inspect``: the geometry verdict, before any compute is spent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from delineate import formats
from delineate.cli.screen import output

__all__ = ["inspect"]

_COLOURS = {"usable": "green", "corrected": "yellow", "refused": "red"}


def inspect(
    image: Annotated[list[Path], typer.Argument(help="A folder, a zip, or one or more files.")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything, for machines.")] = False,
) -> None:
    """Say what is in files and whether it makes a volume (exit code 3 if nothing does)."""
    report = formats.inspect(image if len(image) > 1 else image[0])
    if as_json:
        output.print_json(json.dumps(report.to_json()))
    else:
        for series in report.series:
            _show(series.to_json())
        if report.ignored:
            output.print(f"{len(report.ignored)} file(s) set aside:")
            for ignored in report.ignored[:20]:
                output.print(f"  {ignored.name}: {ignored.reason}", markup=False, highlight=False)
        output.print(f"[bold {_COLOURS[report.verdict]}]{report.verdict}[/]: ", end="")
        output.print(report.advice, markup=False, highlight=False)
    if report.verdict == "refused":
        raise typer.Exit(3)


def _show(series: dict[str, object]) -> None:
    output.print(f"series {series['id']}", markup=False, highlight=False, soft_wrap=True)
    table = Table(show_header=False)
    for key, value in series.items():
        if key in ("id", "problems"):
            continue
        if isinstance(value, list):
            value = " x ".join(f"{part:g}" for part in value) if any(value) else "unknown"
        table.add_row(key.replace("_", " "), str(value) or "-")
    problems = series["problems"]
    assert isinstance(problems, list)
    for problem in problems:
        table.add_row(str(problem["code"]), str(problem["message"]))
    output.print(table)
