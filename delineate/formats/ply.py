"""Surfaces as binary PLY; see :mod:`delineate.formats.mesh`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from delineate.contour import Surface
from delineate.errors import UnreadableFileError
from delineate.formats.structure_entry import numbered
from delineate.imaging import category_from_json

__all__ = ["read", "write"]

_VERTEX = np.dtype([("place", "<f4", 3), ("colour", "u1", 3), ("structure", "<i4")])
_FACE = np.dtype([("count", "u1"), ("vertices", "<i4", 3)])
_END = b"end_header\n"
_STRUCTURE = "comment structure "
_ELEMENTS = """\
element vertex {vertices}
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
property int structure
element face {faces}
property list uchar int vertex_indices
"""


def write(surfaces: Sequence[Surface], path: Path, accuracy: str) -> None:
    """Write one mesh of all surfaces."""
    lines = ["ply", "format binary_little_endian 1.0", "comment SPACE=LPS UNIT=mm"]
    if accuracy:
        lines.append(f"comment accuracy {' '.join(accuracy.split())}")
    # The header is ASCII: JSON escapes the rest.
    lines += [_STRUCTURE + json.dumps(numbered(surface)) for surface in surfaces]
    counts = [len(surface.vertices) for surface in surfaces]
    elements = _ELEMENTS.format(
        vertices=sum(counts), faces=sum(len(surface.faces) for surface in surfaces)
    )
    header = "\n".join(lines) + "\n" + elements
    with path.open("wb") as file:
        file.write(header.encode("ascii", "replace") + _END)
        for surface in surfaces:
            vertices = np.empty(len(surface.vertices), _VERTEX)
            vertices["place"] = surface.vertices
            vertices["colour"] = surface.category.colour
            vertices["structure"] = surface.number
            file.write(vertices.tobytes())
        for surface, first in zip(surfaces, np.cumsum([0, *counts]), strict=False):
            faces = np.empty(len(surface.faces), _FACE)
            faces["count"] = 3
            faces["vertices"] = surface.faces + first
            file.write(faces.tobytes())


def read(path: Path) -> tuple[Surface, ...]:
    """Read what was written, a surface for each structure."""
    content = path.read_bytes()
    end = content.find(_END)
    lines = content[: max(end, 0)].decode("ascii").splitlines()
    entries = [json.loads(x.removeprefix(_STRUCTURE)) for x in lines if x.startswith(_STRUCTURE)]
    counts = [int(x.split()[2]) for x in lines if x.startswith("element ")]
    elements = [line for line in lines if line.startswith(("element ", "property "))]
    known = len(counts) == 2 and elements == (
        _ELEMENTS.format(vertices=counts[0], faces=counts[1]).splitlines()
    )
    if not known or "comment SPACE=LPS UNIT=mm" not in lines:
        raise UnreadableFileError(
            f"expected a PLY with the structures and elements that are written here, got "
            f"{path.name} with {'; '.join(elements)[:200] or 'no header'}"
        )
    start = end + len(_END)
    size = start + counts[0] * _VERTEX.itemsize + counts[1] * _FACE.itemsize
    if len(content) != size:
        raise UnreadableFileError(f"expected {size} bytes in {path.name}, got {len(content)}")
    vertices = np.frombuffer(content, _VERTEX, counts[0], start)
    faces = np.frombuffer(content, _FACE, counts[1], start + vertices.nbytes)["vertices"]
    return tuple(_part(listed, vertices, faces) for listed in entries)


def _part(listed: dict[str, Any], vertices: Any, faces: Any) -> Surface:
    mine = vertices["structure"] == listed["number"]
    numbers = np.cumsum(mine) - 1
    own = faces[mine[faces[:, 0]]] if len(faces) else faces
    return Surface(
        listed["number"], category_from_json(listed), vertices["place"][mine], numbers[own]
    )
