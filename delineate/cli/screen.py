"""What is printed: results on standard output, progress and errors on standard error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from delineate.plugins import Monitor

__all__ = ["ProgressBar", "errors", "findings_table", "output", "progress_bar"]

output = Console()
errors = Console(stderr=True)


def progress_bar() -> Progress:
    """A progress bar on standard error, gone when it is done."""
    return Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
    )


class ProgressBar(Monitor):
    """Shows a detector's progress."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def progress(self, fraction: float, stage: str = "") -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=fraction, description=stage or "working")


def findings_table(findings: Iterable[dict[str, Any]], title: str) -> Table:
    """Findings, as ``delineation.json`` holds them, one a line."""
    table = Table(title=title, title_justify="left")
    columns = ("finding", "score", "size", "mean", "contours", "notes")
    for column in columns:
        table.add_column(column, justify="left" if column in ("finding", "notes") else "right")
    for finding in findings:
        measured = finding["measurements"]
        table.add_row(
            finding["category"]["name"],
            _number(finding["score"], 2),
            _with_unit(measured, {"volume_ml": "ml", "area_mm2": "mm²", "area_px": "px"}),
            _with_unit(measured, {"mean_hu": "HU", "mean_value": ""}),
            str(len(finding["contours"])) if finding["contours"] else "-",
            "; ".join(finding["notes"]) or ("not found" if measured.get("voxels") == 0 else ""),
        )
    return table


def _with_unit(measured: dict[str, Any], units: dict[str, str]) -> str:
    """The first of several measurements that is there."""
    for name, unit in units.items():
        if measured.get(name) is not None:
            return f"{measured[name]:.1f} {unit}".rstrip()
    return "-"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
