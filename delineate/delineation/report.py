"""A result as one page of HTML to print: pictures, numbers, remarks, provenance.

The page holds everything itself and no script. Its style has the hash :func:`style_hash`, so that
a service can allow that style alone.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from delineate.delineation.result import Delineation, Finding
from delineate.formats import sheet
from delineate.formats.sheet_planes import Planes
from delineate.imaging import Category, LabelMap
from delineate.plugins import Field, Masks

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["style_hash", "write"]

_SIDE = 330  # pixels of a picture's longer side
_SHEET = 1300
_QUALITY = 85
_MOST_ROWS = 500
_SOFT, _LUNG, _BONE = (40.0, 400.0), (-600.0, 1500.0), (400.0, 1800.0)
_WARNING = "Not for diagnosis."

_COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("volume_ml", "Volume, ml", 1),
    ("area_mm2", "Area, mm²", 1),
    ("area_px", "Area, px", 0),
    ("mean_hu", "Mean, HU", 0),
    ("longest_diameter_mm", "Longest diameter, mm", 1),
)


def style_hash() -> str:
    """Base64 of the SHA-256 of the page's style."""
    return base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()


def write(delineation: Delineation, path: Path) -> None:
    """Write the page; the same result gives the same bytes.

    Of each structure there is a slice through its middle in all three planes, lungs and bones in
    windows of their own. What has no outlines on a volume in mm is shown on a contact sheet.
    """
    from delineate.delineation.exports import drawing

    html = ET.Element("html", lang="en")
    head = ET.SubElement(html, "head")
    ET.SubElement(head, "meta", charset="utf-8")
    _tag(head, "title", f"Report: {delineation.detector.title}")
    _tag(head, "style", _style())
    body = ET.SubElement(html, "body")
    _heading(body, delineation)
    there = [one for one in delineation.findings if _is_there(one)]
    missing = [one for one in delineation.findings if not _is_there(one)]
    _table(body, there)
    if missing:
        _tag(body, "h2", "Looked for and not found")
        _tag(body, "p", ", ".join(_named(one) for one in missing))
    masks = _masks(delineation)
    _tag(body, "h2", "Pictures")
    if masks:
        _structures(body, delineation, there, masks)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            picture = Path(scratch) / "sheet.png"
            sheet.write(drawing(delineation), picture, width=_SHEET)
            _picture(body, picture.read_bytes(), "png", delineation.detector.title)
    _provenance(body, delineation)
    _tag(body, "footer", f"{_WARNING} Made by delineate {_version(delineation)}.")
    path.write_text(
        "<!doctype html>\n" + ET.tostring(html, encoding="unicode", method="html") + "\n",
        encoding="utf-8",
    )


def _style() -> str:
    return (files("delineate.delineation") / "report.css").read_text(encoding="utf-8")


def _tag(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    made = ET.SubElement(
        parent, name, {key.rstrip("_").replace("_", "-"): one for key, one in attributes.items()}
    )
    made.text = text
    return made


def _heading(body: ET.Element, found: Delineation) -> None:
    _tag(body, "h1", found.detector.title)
    use = found.detector.intended_use
    told = use if "not for diagnosis" in use.lower() else f"{_WARNING} {use}".strip()
    _tag(body, "p", told, class_="warning")
    image, grid = found.image, found.image.grid
    shape = " × ".join(map(str, grid.shape if grid.shape[0] > 1 else grid.shape[:0:-1]))
    series = getattr(image.source, "stack", None)
    facts = {
        "Image": f"{image.modality}, {shape}",
        "Spacing": " × ".join(f"{step:.4g}" for step in grid.spacing) + f" {grid.unit}",
        "Series": str(series or ""),
        "Made": found.provenance.created,
    }
    correction = found.provenance.correction
    if correction is not None:
        facts["Corrected by"] = f"{correction.who}: {correction.comment}".rstrip(": ")
    facts |= {
        name.replace("_", " ").capitalize(): f"{value:g}" for name, value in found.overall.items()
    }
    _facts(body, facts)
    for note in found.notes:
        _tag(body, "p", note[:1].upper() + note[1:], class_="note")


def _facts(parent: ET.Element, facts: Mapping[str, str]) -> None:
    listed = ET.SubElement(parent, "dl")
    for name, value in facts.items():
        if value:
            _tag(listed, "dt", name)
            _tag(listed, "dd", value)


def _is_there(one: Finding) -> bool:
    if one.contours or one.point is not None or one.box is not None:
        return True
    return bool(one.measurements.get("voxels", 1))


def _named(one: Finding) -> str:
    name, side = one.category.name.replace("_", " "), one.category.laterality
    told = name[:1].upper() + name[1:]
    return told if side is None or side in name.lower() else f"{told} ({side})"


def _table(body: ET.Element, there: list[Finding]) -> None:
    _tag(body, "h2", f"Found: {len(there)}")
    if not there:
        _tag(body, "p", "Nothing was found.")
        return
    columns = [one for one in _COLUMNS if any(one[0] in each.measurements for each in there)]
    table = ET.SubElement(body, "table")
    head = ET.SubElement(ET.SubElement(table, "thead"), "tr")
    _tag(head, "th", "Finding")
    for title in ("Score", *(title for _, title, _ in columns)):
        _tag(head, "th", title)
    _tag(head, "th", "Flags", class_="text")
    rows = ET.SubElement(table, "tbody")
    for one in there[:_MOST_ROWS]:
        row = ET.SubElement(rows, "tr")
        _tag(row, "td", _named(one))
        _tag(row, "td", "" if one.score is None else f"{one.score:.2f}")
        for name, _, digits in columns:
            value = one.measurements.get(name)
            _tag(row, "td", "" if value is None else f"{value:,.{digits}f}")
        _tag(row, "td", "; ".join(one.notes), class_="text note")
    if len(there) > _MOST_ROWS:
        _tag(body, "p", f"and {len(there) - _MOST_ROWS} more", class_="faint")


def _masks(found: Delineation) -> dict[int, tuple[Category, NDArray[np.bool_]]]:
    """Where each structure is, by its finding's id; none where there are no volumes in mm."""
    output, grid = found.output, found.image.grid
    if grid.unit != "mm" or grid.shape[0] < 2:
        return {}
    if isinstance(output, LabelMap):
        return {label: (output.categories[label], output.mask(label)) for label in output.present()}
    if isinstance(output, Masks):
        pairs = zip(output.categories, output.array, strict=True)
        return {number: pair for number, pair in enumerate(pairs, 1) if pair[1].any()}
    if isinstance(output, Field):
        mask = output.array >= output.threshold
        return {1: (output.category, mask)} if mask.any() else {}
    return {}


def _structures(
    body: ET.Element,
    found: Delineation,
    there: list[Finding],
    masks: Mapping[int, tuple[Category, NDArray[np.bool_]]],
) -> None:
    planes = Planes(found.image, _SIDE)
    for one in there:
        if one.id not in masks:
            continue
        category, mask = masks[one.id]
        section = _tag(body, "section", class_="structure")
        title = _tag(section, "h3")
        red, green, blue = category.colour
        # An attribute of SVG, since a style in an attribute would be refused.
        mark = _tag(title, "svg", class_="swatch", viewBox="0 0 10 10", aria_hidden="true")
        _tag(mark, "rect", width="10", height="10", fill=f"#{red:02x}{green:02x}{blue:02x}")
        mark.tail = _named(one)
        row = _tag(section, "div", class_="pictures")
        for name, place, picture in _drawn(planes, category, mask, _window_of(one)):
            figure = _tag(row, "figure")
            packed = io.BytesIO()
            picture.save(packed, "JPEG", quality=_QUALITY)
            _picture(figure, packed.getvalue(), "jpeg", f"{_named(one)}, {name}")
            _tag(figure, "figcaption", f"{name}, slice {place}")


def _drawn(
    planes: Planes, category: Category, mask: NDArray[np.bool_], window: tuple[float, float]
) -> Iterator[tuple[str, str, Picture]]:
    """A slice in each plane, where the most of the structure is; of several, the first.

    Slices are counted as the page does: from 1, of how many.
    """
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        number = int(np.argmax(mask.sum(axis=others)))
        name, picture = planes.draw(axis, number, {category: mask}, window)
        yield name, f"{number + 1} of {mask.shape[axis]}", picture


def _window_of(one: Finding) -> tuple[float, float]:
    mean = one.measurements.get("mean_hu")
    if mean is None:
        return _SOFT
    return _LUNG if mean < -400 else _BONE if mean > 250 else _SOFT


def _picture(parent: ET.Element, content: bytes, kind: str, told: str) -> None:
    packed = base64.b64encode(content).decode()
    _tag(parent, "img", src=f"data:image/{kind};base64,{packed}", alt=told)


def _provenance(body: ET.Element, found: Delineation) -> None:
    _tag(body, "h2", "Provenance")
    made = found.provenance
    facts: dict[str, Any] = {
        "Detector": f"{found.detector.id}, version {found.detector.version}",
        "Image hash": made.image_hash,
        "Options": ", ".join(f"{name} = {value}" for name, value in made.options.items()),
        "Computed": f"{made.seconds:.1f} s{f' on {made.device}' if made.device else ''}",
        "Versions": ", ".join(f"{name} {version}" for name, version in made.versions.items()),
    }
    facts |= {file.name: f"SHA-256 {file.sha256}, {file.licence}" for file in made.weights}
    _facts(body, facts)


def _version(found: Delineation) -> str:
    return found.provenance.versions.get("delineate", "")
