"""A structure in the metadata of a mesh file."""

from __future__ import annotations

from typing import Any

from delineate.contour import Surface
from delineate.imaging import category_json

__all__ = ["numbered"]


def numbered(surface: Surface) -> dict[str, Any]:
    """Number, name, colour, laterality and code, for JSON."""
    return {"number": surface.number, **category_json(surface.category)}
