"""What a result, an image and a label map are in a notebook: pictures and a table, as HTML."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from delineate.delineation import Delineation, Finding, drawing
from delineate.formats import sheet
from delineate.formats.drawing import Drawing, outlines
from delineate.imaging import Category, Grid, Image, LabelMap

__all__ = ["SHOWN", "swatch"]

_WIDTH, _SLICES = 1200, 6
_SHOWN_AT = 900  # pixels wide
_ROWS = 60  # of the table
_SIZES = {"volume_ml": "ml", "area_mm2": "mm²", "area_px": "px²"}
_MEANS = {"mean_hu": "HU", "mean_value": ""}
_STYLE = (
    "<style>.delineate table{border-collapse:collapse}"
    ".delineate td,.delineate th{padding:2px 10px;text-align:right}"
    ".delineate td:first-child,.delineate th:first-child,"
    ".delineate td:last-child,.delineate th:last-child{text-align:left}"
    ".delineate img{max-width:100%}</style>"
)


def _delineation(found: Delineation) -> str:
    detector = found.detector
    notes = "".join(f"<p>{escape(note)}</p>" for note in found.notes)
    return _framed(
        f"<b>{escape(detector.title)}</b> ({escape(detector.id)} {escape(detector.version)}), "
        f"{_words(found.image)}: {_count(found)}",
        _picture(drawing(found)),
        f"{_overall(found.overall)}{notes}{_table(found.findings)}",
        "Research. Not for diagnosis.",
    )


def _image(image: Image) -> str:
    notes = "".join(f"<p>{escape(note)}</p>" for note in image.notes)
    return _framed(f"<b>Image</b>, {_words(image)}", _picture(Drawing(image=image)), notes)


def _labels(labels: LabelMap) -> str:
    """The outlines on black: what lies below is not known here."""
    black = Image(np.zeros(labels.grid.shape, np.uint8), labels.grid)
    drawn = Drawing(image=black, structures=outlines((labels,)), layers=(labels,))
    rows = []
    for number in sorted({*labels.categories, *labels.present()}):
        category = labels.categories.get(number) or Category(f"label {number}")
        samples = int(labels.mask(number).sum())
        millilitres = samples * labels.grid.voxel_size / 1000
        size = f"{millilitres:.1f} ml" if labels.grid.unit == "mm" else f"{samples} px²"
        rows.append((swatch(category), str(number), size))
    return _framed(
        f"<b>Labels</b>, {_extent(labels.grid)}",
        _picture(drawn),
        _rows(("label", "number", "size"), rows),
    )


def swatch(category: Category) -> str:
    """The name of a category behind a spot of its colour, as HTML."""
    return f'<span style="color:{category.hex_colour}">&#9632;</span> {escape(category.name)}'


def _framed(head: str, *parts: str) -> str:
    inside = "".join(f"<div>{part}</div>" for part in (head, *parts) if part)
    return f'<div class="delineate">{_STYLE}{inside}</div>'


def _picture(drawn: Drawing) -> str:
    with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
        path = Path(scratch) / "sheet.png"
        sheet.write(drawn, path, most=_SLICES, width=_WIDTH)
        packed = base64.b64encode(path.read_bytes()).decode()
    return f'<img width="{_SHOWN_AT}" alt="contact sheet" src="data:image/png;base64,{packed}">'


def _table(findings: Iterable[Finding]) -> str:
    every = list(findings)
    rows = [
        (
            swatch(one.category),
            _measured(one.measurements, _SIZES),
            _measured(one.measurements, _MEANS),
            str(len(one.contours) or ""),
            "" if one.score is None else f"{one.score:.2f}",
            escape("; ".join(one.notes)) or ("" if _is_there(one) else "not found"),
        )
        for one in every[:_ROWS]
    ]
    more = f"<p>and {len(every) - _ROWS} more</p>" if len(every) > _ROWS else ""
    return _rows(("finding", "size", "mean", "contours", "score", "notes"), rows) + more


def _rows(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    return f"<table><tr>{titles}</tr>{''.join(lines)}</table>" if lines else ""


def _overall(numbers: Mapping[str, float]) -> str:
    told = (f"{escape(name.replace('_', ' '))}: {value:g}" for name, value in numbers.items())
    return ", ".join(told)


def _measured(values: Mapping[str, Any], units: Mapping[str, str]) -> str:
    """The first of several measurements that is there."""
    for name, unit in units.items():
        if values.get(name) is not None:
            return f"{values[name]:.1f} {unit}".rstrip()
    return ""


def _is_there(one: Finding) -> bool:
    return bool(one.contours or one.point or one.box or one.score is not None)


def _count(found: Delineation) -> str:
    there = sum(map(_is_there, found.findings))
    return f"{there} found, {len(found.findings) - there} not found"


def _words(image: Image) -> str:
    return f"{escape(image.modality)}, {_extent(image.grid)}"


def _extent(grid: Grid) -> str:
    slices, rows, columns = grid.shape
    size = f"{columns} × {rows}" + (f" × {slices}" if slices > 1 else "")
    if grid.unit != "mm":
        return f"{size} pixels"
    down, across = grid.spacing[1:]
    return f"{size} samples of {across:.3g} × {down:.3g} × {grid.slice_distance:.3g} mm"


Shown = tuple[Callable[[Any], str], Callable[[Any], str]]
SHOWN: dict[tuple[str, str], Shown] = {
    (Delineation.__module__, "Delineation"): (
        _delineation,
        lambda found: (
            f"<Delineation by {found.detector.id} of {_words(found.image)}: {_count(found)}>"
        ),
    ),
    (Image.__module__, "Image"): (_image, lambda image: f"<Image, {_words(image)}>"),
    (LabelMap.__module__, "LabelMap"): (
        _labels,
        lambda labels: f"<LabelMap, {_extent(labels.grid)}: {len(labels.categories)} categories>",
    ),
}
"""By module and name of a type: its HTML, and a line of text."""
