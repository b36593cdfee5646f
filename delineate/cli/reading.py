"""Options on how an image is read, the same for every command that reads one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from delineate.errors import OptionError

__all__ = ["SpacingMm", "Uneven", "sample_size"]

Uneven = Annotated[
    str,
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


def sample_size(text: str | None) -> Sequence[float] | None:
    """``"0.2"`` or ``"0.2,0.3"`` as numbers."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(
            f"--spacing-mm expects a number, or two as ROW,COLUMN, got {text!r}"
        ) from None
