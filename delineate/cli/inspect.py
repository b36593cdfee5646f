"""``delineate inspect``: the geometry verdict, before any compute is spent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from delineate import formats
from delineate.cli.reading import SpacingMm, Uneven, sample_size
from delineate.cli.screen import output
from delineate.formats import Samples, SeriesReport

__all__ = ["inspect"]

_COLOURS = {"usable": "green", "corrected": "yellow", "refused": "red"}
_SHOWN = 20


def inspect(
    image: Annotated[list[Path], typer.Argument(help="A folder, a zip, or one or more files.")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything, for machines.")] = False,
    uneven: Uneven = "refuse",
    spacing_mm: SpacingMm = None,
    files: Annotated[bool, typer.Option("--files", help="List the files of each series.")] = False,
) -> None:
    """Say what is in files and whether it makes a volume (exit code 3 if nothing does)."""
    report = formats.inspect(
        image if len(image) > 1 else image[0],
        uneven=uneven,
        spacing_mm=sample_size(spacing_mm),
    )
    if as_json:
        output.print_json(json.dumps(report.to_json()))
    else:
        for series in report.series:
            _show(series, files)
        if report.ignored:
            output.print(f"{len(report.ignored)} file(s) set aside:")
            for ignored in report.ignored if files else report.ignored[:_SHOWN]:
                _print(f"  {ignored.name}: {ignored.reason}")
            if len(report.ignored) > _SHOWN and not files:
                _print(f"  and {len(report.ignored) - _SHOWN} more (--files lists them)")
        output.print(f"[bold {_COLOURS[report.verdict]}]{report.verdict}[/]: ", end="")
        _print(report.advice)
    if report.verdict == "refused":
        raise typer.Exit(3)


def _show(series: SeriesReport, files: bool) -> None:
    _print(f"series {series.id}")
    table = Table(show_header=False)
    for key, value in _rows(series):
        table.add_row(key, value or "-")
    for problem in series.problems:
        table.add_row(problem.code, problem.message)
    output.print(table)
    if files:
        for name in series.files:
            _print(f"  {name}")


def _rows(series: SeriesReport) -> list[tuple[str, str]]:
    unit = series.unit
    first = 1 if series.modality == "photo" else 0  # a picture has no depth
    rows = [
        ("verdict", series.verdict),
        ("advice", series.advice),
        ("set aside", series.set_aside),
        ("format", series.format),
        ("modality", series.modality + (", a localizer" if series.localizer else "")),
        ("description", series.description),
        ("why together", series.why),
        ("files", _files(series.files)),
        ("slices", str(series.slices)),
        ("shape", _times(series.shape)),
        ("scale", "known" if series.scale_known else "unknown"),
        ("spacing", _times(series.spacing_mm[first:], unit)),
        ("field of view", _times(series.field_of_view_mm[first:], unit)),
        ("orientation", series.orientation),
        ("gantry tilt", f"{series.tilt_degrees:g} degrees" if series.orientation else ""),
        ("distances", ", ".join(f"{one.mm:g} mm x {one.count}" for one in series.spacings)),
        *(_samples(series.samples) if series.samples else ()),
    ]
    return [row for row in rows if row[1] or row[0] not in ("set aside", "distances")]


def _samples(samples: Samples) -> list[tuple[str, str]]:
    signed = "signed" if samples.signed else "unsigned"
    stored = f"{samples.bits_stored} of {samples.bits_allocated} bits, {signed} {samples.kind}"
    rescale: str = samples.rescale
    if rescale == "constant":
        rescale += f": stored x {samples.slope:g} + {samples.intercept:g}"
    rows = [("samples", stored), ("rescale", rescale)]
    if samples.photometric:
        rows.append(("photometric", samples.photometric))
    if samples.compression:
        rows.append(("stored as", samples.compression))
    if samples.frames > 1:
        rows.append(("frames", f"{samples.frames} in one file"))
    if samples.padding:
        rows.append(("padding", " to ".join(str(end) for end in sorted(set(samples.padding)))))
    return rows


def _times(values: tuple[float, ...], unit: str = "") -> str:
    if not any(values):
        return "unknown"
    return " x ".join(f"{value:g}" if value else "?" for value in values) + f" {unit}".rstrip()


def _files(names: tuple[str, ...]) -> str:
    if len(names) <= 2:
        return ", ".join(names)
    return f"{len(names)}: {names[0]} ... {names[-1]} (--files lists them)"


def _print(text: str) -> None:
    output.print(text, markup=False, highlight=False, soft_wrap=True)
