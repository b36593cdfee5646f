"""What can be said of an image before anything is computed: the geometry report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from delineate.formats.particulars import (
    ADVICE,
    Duplicate,
    Gap,
    Ignored,
    Problem,
    Samples,
    Spacing,
    as_json,
)
from delineate.imaging import Grid

__all__ = ["Ignored", "Problem", "Report", "SeriesReport", "Verdict", "advice_for"]

Verdict = Literal["usable", "corrected", "refused"]
Triple = tuple[float, float, float]

_RANK = {"usable": 0, "corrected": 1, "refused": 2}
_LEAST_TILT = 0.05  # degrees; less is rounding in the header


def advice_for(problems: Iterable[Problem]) -> str:
    """What to do about the first of these problems that something can be done about."""
    known = (ADVICE[problem.code] for problem in problems if problem.code in ADVICE)
    return next(known, "Send another image.")


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
        Along ``(slice, row, column)``, in pixels where ``unit`` says so; of a refused series as
        far as they are known, else zeros. The slice spacing is the length of the step from slice
        to slice, on a tilted grid more than the distance of planes; of uneven slices the most
        frequent one.
    orientation
        See `Grid.orientation`; empty for a picture, which lies in no patient.
    tilt_degrees
        Angle between the step from slice to slice and the normal of the slices.
    unit
        ``"mm"`` or ``"px"``.
    problems
        Those that led to the verdict first.
    why
        One sentence: what the files share, for which they are one series.
    files
        Names of the files as their sender knows them, in the order of the slices.
    set_aside
        Why the series is not offered where a choice is to be made, such as a scout beside a
        volume; empty for all others. It is read if it is chosen by its id.
    spacings
        All distances between neighbouring planes, the most frequent first.
    gaps, duplicates
        Slices that are not as far apart as most, and slices that share a position.
    localizer
        Whether its slices are scouts.
    samples
        How they are stored, where that is known.
    """

    id: str
    format: str
    modality: str
    description: str
    slices: int
    verdict: Verdict
    advice: str
    shape: tuple[int, int, int] = (0, 0, 0)
    spacing_mm: Triple = (0.0, 0.0, 0.0)
    orientation: str = ""
    tilt_degrees: float = 0.0
    unit: str = "mm"
    field_of_view_mm: Triple = (0.0, 0.0, 0.0)
    problems: tuple[Problem, ...] = ()
    why: str = ""
    files: tuple[str, ...] = ()
    set_aside: str = ""
    spacings: tuple[Spacing, ...] = ()
    gaps: tuple[Gap, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    localizer: bool = False
    samples: Samples | None = None

    @property
    def scale_known(self) -> bool:
        """Whether lengths in millimetres are known."""
        return self.unit == "mm" and any(self.spacing_mm)

    @property
    def offered(self) -> bool:
        """Whether it is read, or is one to choose from, if no series is named."""
        return self.verdict != "refused" and not self.set_aside

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
        planes = float(round(grid.slice_distance, 4))
        return cls(
            id=id,
            format=format,
            modality=modality,
            description=description,
            slices=grid.shape[0],
            verdict="corrected" if corrections else "usable",
            advice=" ".join(corrections) if corrections else "Nothing to do.",
            problems=tuple(problems),
            spacings=(Spacing(planes, grid.shape[0] - 1),) if grid.shape[0] > 1 else (),
        ).placed(grid)

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
    ) -> SeriesReport:
        """Report of an image that cannot be read, for the first of ``problems``."""
        return cls(
            id=id,
            format=format,
            modality=modality,
            description=description,
            slices=slices,
            verdict="refused",
            advice=advice_for(problems),
            problems=tuple(problems),
        )

    def placed(self, grid: Grid) -> SeriesReport:
        """The same with shape, spacing, orientation, tilt and field of view of a grid."""
        a, b, c = (float(round(step, 6)) for step in grid.spacing)
        d, e, f = (
            float(round(n * step, 3)) for n, step in zip(grid.shape, grid.spacing, strict=True)
        )
        upright = min(1.0, grid.slice_distance / grid.spacing[0])
        tilt = float(np.degrees(np.arccos(upright)))
        return replace(
            self,
            shape=grid.shape,
            spacing_mm=(a, b, c),
            orientation="" if self.modality == "photo" else grid.orientation,
            tilt_degrees=round(tilt, 2) if tilt > _LEAST_TILT else 0.0,
            unit=grid.unit,
            field_of_view_mm=(d, e, f),
        )

    def to_json(self) -> dict[str, Any]:
        """As ``docs/rest.md`` shows it."""
        return {
            "id": self.id,
            "format": self.format,
            "modality": self.modality,
            "description": self.description,
            "why": self.why,
            "files": list(self.files),
            "set_aside": self.set_aside,
            "slices": self.slices,
            "shape": list(self.shape),
            "spacing_mm": list(self.spacing_mm),
            "orientation": self.orientation,
            "tilt_degrees": self.tilt_degrees,
            "unit": self.unit,
            "scale_known": self.scale_known,
            "field_of_view_mm": list(self.field_of_view_mm),
            "spacings": as_json(self.spacings),
            "gaps": as_json(self.gaps),
            "duplicates": as_json(self.duplicates),
            "localizer": self.localizer,
            "samples": None if self.samples is None else self.samples.to_json(),
            "verdict": self.verdict,
            "advice": self.advice,
            "problems": as_json(self.problems),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a set of files holds, and whether it can be used.

    ``verdict`` is that of the best series that is offered; ``"refused"`` means that none is: none
    can be read, or only such as are set aside.
    """

    verdict: Verdict
    advice: str
    series: tuple[SeriesReport, ...] = ()
    ignored: tuple[Ignored, ...] = ()

    @classmethod
    def of(cls, series: Sequence[SeriesReport], ignored: Sequence[Ignored] = ()) -> Report:
        """Report over ``series``, the largest usable one first."""
        ranked = sorted(
            series, key=lambda one: (not one.offered, _RANK[one.verdict], -one.slices, one.id)
        )
        good = [one for one in ranked if one.offered]
        ignored = sorted(ignored, key=lambda one: one.name)
        if not ranked:
            advice = "No image was found; send a CT as DICOM files, NIfTI or NRRD."
            return cls("refused", advice, (), tuple(ignored))
        if len(good) > 1:
            advice = f"Choose one of {len(good)} series that can be read."
        elif len(ranked) > 1 and good:
            advice = f"One of {len(ranked)} series is read. {good[0].advice}"
        elif good:
            advice = good[0].advice
        else:
            advice = max(ranked, key=lambda one: (one.verdict == "refused", one.slices)).advice
        aside = [f"Set aside: {one.set_aside}." for one in ranked if one.set_aside]
        more = f" And {len(aside) - 3} more are set aside." if len(aside) > 3 else ""
        advice = " ".join([advice, *aside[:3]]) + more
        verdict = good[0].verdict if good else "refused"
        return cls(verdict, advice, tuple(ranked), tuple(ignored))

    def to_json(self) -> dict[str, Any]:
        """As ``docs/rest.md`` shows it."""
        return {
            "verdict": self.verdict,
            "advice": self.advice,
            "series": [one.to_json() for one in self.series],
            "ignored": as_json(self.ignored),
        }
