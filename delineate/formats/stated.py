"""What whoever gives an image says of it where the file does not: its scale, its modality."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from delineate.errors import OptionError
from delineate.formats.geometry import SeriesReport
from delineate.formats.particulars import Problem
from delineate.imaging import Grid, Image

__all__ = [
    "SampleSize",
    "agreed_modality",
    "is_guess",
    "parsed_size",
    "scaled",
    "scaled_reports",
    "with_modality",
]

SampleSize = float | Sequence[float]

_ASSUMED = "modality_assumed"


def scaled(image: Image, spacing_mm: SampleSize) -> Image:
    """The same picture with samples of a stated size.

    Raises
    ------
    OptionError
        If the size makes no sense, or the image's own scale is known.
    """
    grid = _scaled(image.grid, spacing_mm)
    note = f"The scale was stated, not read: {_size(grid)} a pixel."
    return replace(image, grid=grid, notes=(*image.notes, note))


def scaled_reports(reports: Sequence[SeriesReport], spacing_mm: SampleSize) -> list[SeriesReport]:
    """Reports with the stated size of a sample, where the scale is not known.

    Raises
    ------
    OptionError
        As `scaled`, if there is none whose scale is not known.
    """
    told = []
    for one in reports:
        if one.unit == "px" and one.verdict != "refused":
            grid = _scaled(Grid.regular(one.shape, unit="px"), spacing_mm)
            message = f"the scale was stated, not read: {_size(grid)} a pixel"
            problems = (*(p for p in one.problems if p.code != "scale"), Problem("scale", message))
            one = replace(one, problems=problems).placed(grid)
        told.append(one)
    known = [one for one in reports if one.scale_known]
    if known and len(known) == len(reports):
        _scaled(Grid.regular((1, 1, 1), known[0].spacing_mm), spacing_mm)
    return told


def parsed_size(text: str) -> list[float]:
    """``"0.2"`` or ``"0.2,0.3"`` as numbers.

    Raises
    ------
    OptionError
        If they are none.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(
            f"expected spacing_mm as a number, or two as ROW,COLUMN, got {text[:40]!r}"
        ) from None


def with_modality(image: Image, modality: str, *, guessed: bool) -> Image:
    """The same samples as what they are said to be.

    Parameters
    ----------
    guessed
        Whether the image's own modality is only a guess, which a statement overrules.

    Raises
    ------
    OptionError
        As `agreed_modality`.
    """
    agreed = agreed_modality(image.modality, modality, guessed=guessed)
    if agreed == image.modality and not guessed:
        return image
    notes = tuple(note for note in image.notes if not (guessed and "names no modality" in note))
    note = f"The file names no modality; it was stated to be {agreed}."
    return replace(image, modality=agreed, notes=(*notes, note))


def agreed_modality(found: str, stated: str, *, guessed: bool) -> str:
    """The modality of which one says ``found`` and the other ``stated``.

    Raises
    ------
    OptionError
        If ``stated`` is no modality, or the file says another one.
    """
    if not re.fullmatch(r"\w{1,16}", stated, re.ASCII):
        raise OptionError(
            f"expected a modality such as CT, MR or photo, got {stated[:40]!r}; leave it out if "
            "the file says it"
        )
    if found not in ("unknown", stated) and not guessed:
        raise OptionError(f"modality says {stated}, and the file says {found}; leave it out")
    return stated


def is_guess(report: SeriesReport) -> bool:
    """Whether the modality in a report was guessed from the samples."""
    return any(problem.code == _ASSUMED for problem in report.problems)


def _scaled(grid: Grid, spacing_mm: SampleSize) -> Grid:
    steps = _steps(spacing_mm, grid.shape[0])
    if grid.unit == "mm":
        raise OptionError(
            f"spacing_mm says {steps[1]:g} x {steps[2]:g} mm, and the file says {_size(grid)} "
            "a sample; leave it out"
        )
    stretch = np.diag([steps[2], steps[1], steps[0], 1.0])  # of x, y, z
    return Grid(grid.shape, stretch @ grid.affine, "mm")


def _steps(spacing_mm: SampleSize, slices: int) -> tuple[float, float, float]:
    values = [spacing_mm] if isinstance(spacing_mm, int | float) else list(spacing_mm)
    if len(values) == 1:
        values *= 2
    if len(values) == 2:
        values.insert(0, values[0] if slices > 1 and values[0] == values[1] else 1.0)
    good = len(values) == 3 and all(math.isfinite(one) and one > 0 for one in values)
    if not good:
        raise OptionError(
            "expected spacing_mm as one positive number of millimetres, or two for row and "
            f"column, got {spacing_mm}"
        )
    return float(values[0]), float(values[1]), float(values[2])


def _size(grid: Grid) -> str:
    return f"{grid.spacing[1]:.6g} x {grid.spacing[2]:.6g} mm"
