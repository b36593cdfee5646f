"""Options on how an image is read, the same for every command that reads one."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from delineate.formats.stated import parsed_size

__all__ = ["SpacingMm", "Uneven", "sample_size"]

Uneven = Annotated[
    Literal["refuse", "resample"],
    typer.Option(
        help="refuse, or resample: interpolate slices that are missing or at uneven distances."
    ),
]
SpacingMm = Annotated[
    str | None,
    typer.Option(
        help="Size of a pixel, or ROW,COLUMN, where the file does not say it (a photograph)."
    ),
]


def sample_size(text: str | None) -> list[float] | None:
    """What was asked for as numbers, if something was."""
    return None if text is None else parsed_size(text)
