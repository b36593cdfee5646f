"""Names of models and labels that come from elsewhere."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence
from dataclasses import replace

from delineate.errors import ModelError
from delineate.imaging import Category, anatomy
from delineate.segmentation.structures import Structure

__all__ = ["checked_name", "model_name", "structures"]

_NAME = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_LONGEST = 80
_ANY = (-1e9, 1e9)


def checked_name(name: str) -> str:
    """The name, if a model can have it; it becomes the name of a folder."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ModelError(
            f"expected a name of lower-case letters and digits joined by dots and dashes, "
            f"{_LONGEST} at most, got {name!r}"
        )
    return name


def model_name(text: str) -> str:
    """The nearest name that a model can have: ``Spleen CT_segmentation`` becomes
    ``spleen-ct-segmentation``.
    """
    words = re.findall(r"[a-z0-9]+", text.lower())
    return checked_name("-".join(words)[:_LONGEST].rstrip("-") or "model")


def structures(names: Sequence[str], single: Sequence[int] = ()) -> tuple[Structure, ...]:
    """Labels 1, 2, 3 ... by the names that the model gives them.

    What the table of anatomy knows has its code, colour and side; others have colours far apart.
    Nothing is believed to be too small, too dark or in too many pieces: the model's maker did not
    say so, but for the labels in ``single``, of which there is one piece.
    """
    return tuple(
        Structure(
            _category(name, number),
            min_volume_ml=0.0,
            single=number in single,
            hu_range=_ANY,
            enclosed=False,
        )
        for number, name in enumerate(names, 1)
    )


def _category(name: str, number: int) -> Category:
    known = anatomy.category(name)
    if known is not None:
        return replace(known, name=name)
    hue = (number * 0.618034) % 1  # by the golden ratio: neighbours are far apart
    value = (0.95, 0.75, 0.6)[number % 3]
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.75, value))
    return Category(name, (red, green, blue))
