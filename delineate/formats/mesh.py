"""Surfaces as files: STL, PLY and GLB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from delineate.contour import Surface
from delineate.errors import ExportError, UnreadableFileError

__all__ = ["ENDINGS", "read", "write"]

ENDINGS = (".stl", ".stl.zip", ".ply", ".glb")


def write(surfaces: Sequence[Surface], path: Path | str, *, accuracy: str = "") -> None:
    """Write surfaces in the format that the file's ending names.

    Parameters
    ----------
    surfaces
        In LPS mm, as they stay in every format. Their numbers are unique.
    path
        The file to write; the same surfaces give the same bytes.

        ``.glb``
            glTF 2.0: a named and coloured node for each structure, under one that brings LPS mm to
            glTF's metres with y upwards, so that viewers show the head above. ``asset.extras`` says
            so, and holds ``accuracy``. A structure without triangles is a node without a mesh.
        ``.ply``
            One mesh, binary; its vertices have a colour and the number of their ``structure``, and
            a comment names each structure. ``SPACE=LPS`` in a comment is what 3D Slicer looks for.
        ``.stl``
            Binary; one surface, since STL knows of no parts. ``SPACE=LPS`` and ``accuracy`` are in
            its header.
        ``.stl.zip``
            An STL for each structure that has triangles, named after it, as one prints them; and
            ``structures.json``, which lists all.
    accuracy
        What a round trip through this file loses, in at most 64 characters; left out where empty.

    Raises
    ------
    ExportError
        If the ending is another, an ``.stl`` would hold several surfaces, or numbers occur twice.

    Notes
    -----
    Vertices are rounded to float32: each coordinate by at most 2^-24 of its size, which within
    512 mm of the origin is 0.00003 mm.
    """
    path = Path(path)
    if len({surface.number for surface in surfaces}) != len(surfaces):
        raise ExportError("two surfaces have the same number; give each its own")
    _format(path, ExportError)[0](surfaces, path, accuracy)


def read(path: Path | str) -> tuple[Surface, ...]:
    """Read surfaces back from a file that :func:`write` wrote, the triangles in the same order.

    Parameters
    ----------
    path
        With one of the endings of :func:`write`. Any binary STL can be read; PLY and GLB only as
        they are written there.

    Returns
    -------
    tuple of Surface
        In LPS mm. What an STL does not say is made up: number 1, and the file's name. There,
        vertices at the same place are joined.

    Raises
    ------
    UnreadableFileError
        If it is no such file, or a broken one.
    """
    path = Path(path)
    reader = _format(path, UnreadableFileError)[1]
    try:
        return reader(path)
    except (ValueError, KeyError, IndexError, TypeError, OSError) as error:
        if isinstance(error, UnreadableFileError | FileNotFoundError):
            raise
        raise UnreadableFileError(
            f"{path.name} is no mesh that can be read, or a broken one ({type(error).__name__}: "
            f"{error}); write it again"
        ) from error


_Write = Callable[[Sequence[Surface], Path, str], None]
_Read = Callable[[Path], tuple[Surface, ...]]


def _format(
    path: Path, error: type[ExportError] | type[UnreadableFileError]
) -> tuple[_Write, _Read]:
    from delineate.formats import glb, ply, stl

    name = path.name.lower()
    if name.endswith(".stl.zip"):
        return stl.write_zipped, stl.read_zipped
    if name.endswith(".stl"):
        return stl.write, stl.read
    if name.endswith(".ply"):
        return ply.write, ply.read
    if name.endswith(".glb"):
        return glb.write, glb.read
    raise error(f"expected a mesh that ends in {', '.join(ENDINGS)}, got {path.name}")
