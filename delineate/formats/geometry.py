"""What can be said of an image before anything is computed: the geometry report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from delineate.imaging import Grid

__all__ = ["Ignored", "Problem", "Report", "SeriesReport", "Verdict"]

Verdict = Literal["usable", "corrected", "refused"]

# What to do about a problem; the first of these that a series has gives its advice.
_ADVICE = {
    "unreadable": "Send the series again from its source; at least one of its files is broken.",
    "truncated": "Transfer the series again; the files named are cut short.",
    "unsupported_transfer_syntax": "Export the series again without compression.",
    "duplicate_instance": "Send each instance once; different files claim to be the same one.",
    "missing_geometry": "Send the original series; this one does not say where its slices lie.",
    "not_an_image": "Choose another series; this one holds no grey-scale slices.",
    "mixed_orientation": "Choose another series; the slices of this one are not parallel.",
    "not_a_volume": "Choose another series; this one is a single picture without depth.",
    "duplicate_position": "Export one phase or reconstruction at a time; slices share a position.",
    "missing_slice": "Send the whole series; at least one slice is missing.",
    "uneven_spacing": "Send a reconstruction with even spacing.",
    "four_dimensional": "Export one volume at a time; this file holds several.",
    "zero_affine": "Export the image with its geometry; this file does not say where it lies.",
}
_RANK = {"usable": 0, "corrected": 1, "refused": 2}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about a series that its reader should know: a fixed ``code`` and a sentence.

    Messages name slices by number and position and never hold patient data.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file that is no image, by the ``name`` its sender knows, and the ``reason``."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class SeriesReport:
    """One series, or one file of a format that holds one image.

    Parameters
    ----------
    id
        SeriesInstanceUID (with ``#2`` and so on where one UID holds several stacks), or the name
        of the file for formats without identifiers.
    format
        ``"dicom"``, ``"nifti"``, ``"nrrd"``, ``"metaimage"`` or ``"photo"``.
    modality, description
        As the file says; ``"unknown"`` and empty where it does not.
    slices
        Number of slices found, also where they do not make a volume.
    verdict
        ``"usable"``; ``"corrected"``: usable, with a correction that ``advice`` states;
        ``"refused"``: ``read`` raises.
    advice
        One sentence.
    shape, spacing_mm, field_of_view_mm
        Along ``(slice, row, column)``; zeros where there is no grid, in pixels where ``unit`` says
        so. On a tilted grid the slice spacing is the length of the step, not the distance of
        planes.
    orientation
        See `Grid.orientation`.
    tilt_degrees
        Angle between the step from slice to slice and the normal of the slices.
    unit
        ``"mm"`` or ``"px"``.
    problems
        Those that led to the verdict first.
    """

    id: str
    format: str
    modality: str
    description: str
    slices: int
    verdict: Verdict
    advice: str
    shape: tuple[int, int, int] = (0, 0, 0)
    spacing_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    orientation: str = ""
    tilt_degrees: float = 0.0
    unit: str = "mm"
    field_of_view_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of_grid(
        cls,
        grid: Grid,
        *,
        id: str,  # noqa: A002
        format: str,  # noqa: A002
        modality: str = "unknown",
        description: str = "",
        problems: Sequence[Problem] = (),
        corrections: Sequence[str] = (),
    ) -> SeriesReport:
        """Report of an image that can be read onto ``grid``.

        ``corrections`` says, a sentence each, what is changed on reading; without any the verdict
        is ``"usable"``.
        """
        a, b, c = (float(round(step, 6)) for step in grid.spacing)
        d, e, f = (
            float(round(n * step, 3)) for n, step in zip(grid.shape, grid.spacing, strict=True)
        )
        upright = min(1.0, grid.slice_distance / grid.spacing[0])
        tilt = float(np.degrees(np.arccos(upright)))
        return cls(
            id=id,
            format=format,
            modality=modality,
            description=description,
            slices=grid.shape[0],
            verdict="corrected" if corrections else "usable",
            advice=" ".join(corrections) if corrections else "Nothing to do.",
            shape=grid.shape,
            spacing_mm=(a, b, c),
            orientation=grid.orientation,
            tilt_degrees=round(tilt, 2) if tilt > 0.05 else 0.0,  # less is rounding in the header
            unit=grid.unit,
            field_of_view_mm=(d, e, f),
            problems=tuple(problems),
        )

    @classmethod
    def refusal(
        cls,
        problems: Sequence[Problem],
        *,
        id: str,  # noqa: A002
        format: str,  # noqa: A002
        modality: str = "unknown",
        description: str = "",
        slices: int = 0,
        advice: str = "",
    ) -> SeriesReport:
        """Report of an image that cannot be read, for the first of ``problems``."""
        known = [_ADVICE[problem.code] for problem in problems if problem.code in _ADVICE]
        return cls(
            id=id,
            format=format,
            modality=modality,
            description=description,
            slices=slices,
            verdict="refused",
            advice=advice or (known[0] if known else "Send another image."),
            problems=tuple(problems),
        )

    def to_json(self) -> dict[str, Any]:
        """As ``docs/rest.md`` shows it."""
        return {
            "id": self.id,
            "format": self.format,
            "modality": self.modality,
            "description": self.description,
            "slices": self.slices,
            "shape": list(self.shape),
            "spacing_mm": list(self.spacing_mm),
            "orientation": self.orientation,
            "tilt_degrees": self.tilt_degrees,
            "unit": self.unit,
            "field_of_view_mm": list(self.field_of_view_mm),
            "verdict": self.verdict,
            "advice": self.advice,
            "problems": [{"code": p.code, "message": p.message} for p in self.problems],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a set of files holds, and whether it can be used.

    ``verdict`` is that of the best series; ``"refused"`` means that no series can be read.
    """

    verdict: Verdict
    advice: str
    series: tuple[SeriesReport, ...] = ()
    ignored: tuple[Ignored, ...] = ()

    @classmethod
    def of(cls, series: Sequence[SeriesReport], ignored: Sequence[Ignored] = ()) -> Report:
        """Report over ``series``, the largest usable one first."""
        ranked = sorted(series, key=lambda one: (_RANK[one.verdict], -one.slices, one.id))
        good = [one for one in ranked if one.verdict != "refused"]
        if not ranked:
            advice = "No image was found; send a CT as DICOM files, NIfTI or NRRD."
            return cls("refused", advice, (), tuple(ignored))
        if len(good) > 1:
            advice = f"Choose one of {len(good)} series that can be read."
        elif len(ranked) > 1 and good:
            advice = f"One of {len(ranked)} series can be read. {good[0].advice}"
        else:
            advice = ranked[0].advice
        return cls(ranked[0].verdict, advice, tuple(ranked), tuple(ignored))

    def to_json(self) -> dict[str, Any]:
        """As ``docs/rest.md`` shows it."""
        return {
            "verdict": self.verdict,
            "advice": self.advice,
            "series": [one.to_json() for one in self.series],
            "ignored": [{"name": one.name, "reason": one.reason} for one in self.ignored],
        }
