"""The options on how outlines are drawn, the same for every verb that writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from delineate.errors import OptionError
from delineate.formats.round_trip import RoundTrip

__all__ = ["Contours", "Holes", "Segments", "Simplify", "Smooth", "formats_of", "said"]

_MOST_MM = 100.0  # as over REST

Contours = Annotated[
    Literal["edge", "midpoint"],
    typer.Option(help="Outlines along the edges of samples, or with their corners cut."),
]
Smooth = Annotated[
    float,
    typer.Option(min=0.0, max=_MOST_MM, help="Smooth outlines, moving them by at most so many mm."),
]
Simplify = Annotated[
    float,
    typer.Option(
        min=0.0, max=_MOST_MM, help="Drop points of outlines, moving them by at most so many mm."
    ),
]
Holes = Annotated[
    Literal["rings", "xor", "keyhole"],
    typer.Option(
        help="RTSTRUCT: holes as rings within rings, marked as such (xor), or by a channel."
    ),
]
Segments = Annotated[
    Literal["binary", "labelmap"],
    typer.Option(help="DICOM SEG: one bit a sample and segment, or one number a sample."),
]


def formats_of(text: str, known: list[str], option: str) -> list[str]:
    """Names of a comma-separated list.

    Raises
    ------
    OptionError
        If one is not known.
    """
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise OptionError(f"{option} knows {', '.join(known)}; got {', '.join(unknown)}")
    return wanted


def said(path: Path, trip: RoundTrip | None) -> str:
    """A file that was written, and what a round trip through it loses."""
    return f"{path}  ({trip.sentence})" if trip is not None else str(path)
