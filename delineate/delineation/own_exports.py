"""What results are written as that are no drawings: samples, numbers of the whole, a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from delineate.delineation.result import Delineation
from delineate.formats import measurements, photo
from delineate.imaging import Image
from delineate.plugins import Field

__all__ = ["OWN", "Export", "Own"]


@dataclass(frozen=True, slots=True)
class Export:
    """One format that results are written in.

    Parameters
    ----------
    name
        What people ask for.
    file
        Name of the file, the same for every result.
    media_type
        For HTTP.
    title
        One line for people.
    """

    name: str
    file: str
    media_type: str
    title: str


@dataclass(frozen=True, slots=True)
class Own:
    """A format that only results have.

    Parameters
    ----------
    export
        Its name and file.
    refusal
        Why a result cannot be written in it; empty if it can.
    write
        Called with such a result and the file.
    """

    export: Export
    refusal: Callable[[Delineation], str]
    write: Callable[[Delineation, Path], None]


def _no_volume(delineation: Delineation) -> str:
    output = delineation.output
    if not isinstance(output, Image):
        return "it restores no image"
    return "NIfTI is written without colours: write picture" if output.channels else ""


def _write_volume(delineation: Delineation, path: Path) -> None:
    from delineate.formats import nifti

    assert isinstance(delineation.output, Image)
    nifti.write_image(delineation.output, path)


def _no_picture(delineation: Delineation) -> str:
    output = delineation.output
    return photo.unwritable(output) if isinstance(output, Image) else "it restores no image"


def _write_picture(delineation: Delineation, path: Path) -> None:
    assert isinstance(delineation.output, Image)
    photo.write(delineation.output, path)


def _no_field(delineation: Delineation) -> str:
    return "" if isinstance(delineation.output, Field) else "it gives no score for each sample"


def _write_field(delineation: Delineation, path: Path) -> None:
    from delineate.formats import nifti

    field = delineation.output
    assert isinstance(field, Field)
    nifti.write_image(Image(field.array.astype(np.float32, copy=False), field.grid), path)


def _no_numbers(delineation: Delineation) -> str:
    return "" if delineation.overall else "it gives no numbers about the whole image"


def _write_numbers(delineation: Delineation, path: Path) -> None:
    measurements.write_overall(delineation.overall, path)


def _write_report(delineation: Delineation, path: Path) -> None:
    from delineate.delineation import report

    report.write(delineation, path)


OWN = (
    Own(
        Export("nifti", "image.nii.gz", "application/gzip", "the restored image as NIfTI"),
        _no_volume,
        _write_volume,
    ),
    Own(
        Export("picture", "image.png", "image/png", "the restored photograph as PNG"),
        _no_picture,
        _write_picture,
    ),
    Own(
        Export("field", "field.nii.gz", "application/gzip", "the score of each sample as NIfTI"),
        _no_field,
        _write_field,
    ),
    Own(
        Export("overall", "overall.csv", "text/csv", "numbers about the whole image, in one line"),
        _no_numbers,
        _write_numbers,
    ),
    Own(
        Export("html", "report.html", "text/html", "a report to print, in one page"),
        lambda _: "",
        _write_report,
    ),
)
