"""A structure in the metadata of a mesh file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from delineate.contour import Surface
from delineate.imaging import Category, Code

__all__ = ["category_of", "entry"]


def entry(surface: Surface) -> dict[str, Any]:
    """Number, name, colour, laterality and code, for JSON."""
    category, code = surface.category, surface.category.code
    return {
        "number": surface.number,
        "name": category.name,
        "colour": category.hex_colour,
        "laterality": category.laterality,
        "code": None
        if code is None
        else {"value": code.value, "scheme": code.scheme, "meaning": code.meaning},
    }


def category_of(entry: Mapping[str, Any]) -> Category:
    """The category of an entry."""
    red, green, blue = bytes.fromhex(entry["colour"].removeprefix("#"))
    code = entry["code"]
    return Category(
        entry["name"],
        (red, green, blue),
        None if code is None else Code(code["value"], code["scheme"], code["meaning"]),
        entry["laterality"],
    )
