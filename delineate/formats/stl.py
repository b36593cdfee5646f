"""Surfaces as binary STL; see :mod:`delineate.formats.mesh`."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Surface
from delineate.errors import ExportError, UnreadableFileError
from delineate.formats.bundle import file_names, write_zip
from delineate.formats.structure_entry import numbered
from delineate.imaging import Category, category_from_json

__all__ = ["read", "read_zipped", "write", "write_zipped"]

_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_SPACE = "SPACE=LPS"  # where 3D Slicer looks for it
_LIST = "structures.json"
_HEADER = 80


def write(surfaces: Sequence[Surface], path: Path, accuracy: str) -> None:
    """Write one surface."""
    if len(surfaces) != 1:
        raise ExportError(
            f"an STL file holds one body, not {len(surfaces)} named ones; write .stl.zip, or each "
            "to a file of its own"
        )
    path.write_bytes(_encoded(surfaces[0], accuracy))


def read(path: Path) -> tuple[Surface, ...]:
    """Read one surface."""
    return (_decoded(path.read_bytes(), 1, Category(path.stem or "body")),)


def write_zipped(surfaces: Sequence[Surface], path: Path, accuracy: str) -> None:
    """Write an STL each, and a list of all."""
    names = file_names((surface.category.name for surface in surfaces), ".stl")
    entries = [
        numbered(surface) | {"file": name if len(surface.faces) else None}
        for surface, name in zip(surfaces, names, strict=True)
    ]
    document = {"space": "LPS", "unit": "mm", "accuracy": accuracy or None, "structures": entries}
    files = [(_LIST, json.dumps(document, indent=1).encode())]
    files += [
        (name, _encoded(surface, accuracy))
        for surface, name in zip(surfaces, names, strict=True)
        if len(surface.faces)
    ]
    write_zip(path, files)


def read_zipped(path: Path) -> tuple[Surface, ...]:
    """Read what was written zipped."""
    try:
        with zipfile.ZipFile(path) as archive:
            document = json.loads(archive.read(_LIST))
            return tuple(
                _decoded(archive.read(listed["file"]), listed["number"], category_from_json(listed))
                if listed["file"]
                else Surface(
                    listed["number"],
                    category_from_json(listed),
                    np.empty((0, 3)),
                    np.empty((0, 3), np.int32),
                )
                for listed in document["structures"]
            )
    except zipfile.BadZipFile as error:
        raise UnreadableFileError(f"{path.name} is no zip archive, or a broken one") from error


def _encoded(surface: Surface, accuracy: str) -> bytes:
    corners = surface.vertices.astype(np.float32)[surface.faces]
    table = np.zeros(len(corners), _TRIANGLE)
    table["corners"] = corners
    if len(corners):
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.linalg.norm(across, axis=1)
        table["normal"] = across / np.where(length > 0, length, 1)[:, None]
    text = f"{_SPACE} {accuracy or 'UNIT=mm'}".encode("ascii", "replace")
    return text[:_HEADER].ljust(_HEADER) + len(table).to_bytes(4, "little") + table.tobytes()


def _decoded(content: bytes, number: int, category: Category) -> Surface:
    count = int.from_bytes(content[_HEADER : _HEADER + 4], "little")
    expected = _HEADER + 4 + count * _TRIANGLE.itemsize
    if len(content) != expected:
        raise UnreadableFileError(
            f"expected a binary STL of {expected} bytes for {count} triangles, got {len(content)}; "
            "it is cut short, or written as text"
        )
    corners = np.frombuffer(content, _TRIANGLE, count, _HEADER + 4)["corners"].reshape(-1, 3)
    vertices, faces = _joined(corners)
    return Surface(number, category, vertices, faces)


def _joined(corners: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Vertices by their places, in the order in which they first come."""
    plain = np.ascontiguousarray(corners + np.float32(0), np.float32)  # + 0: no negative zero
    bits = plain.view(np.uint32)
    order = np.lexsort((bits[:, 2], bits[:, 1], bits[:, 0]))
    placed = bits[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (placed[1:] != placed[:-1]).any(axis=1)
    group = np.cumsum(new) - 1
    first = np.minimum.reduceat(order, np.flatnonzero(new)) if len(order) else order
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    faces = np.empty(len(order), np.int32)
    faces[order] = rank[group]
    return plain[np.sort(first)].astype(np.float64), faces.reshape(-1, 3)
