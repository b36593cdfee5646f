"""Label maps as NRRD, by the conventions of 3D Slicer's ``.seg.nrrd``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from delineate.formats.layered import checked
from delineate.formats.nrrd_segments import segment_fields
from delineate.imaging import Grid, LabelMap

__all__ = ["write_labels"]

_LEVEL = 1


def write_labels(layers: Sequence[LabelMap], path: Path | str, accuracy: str = "") -> None:
    """Write labels by the conventions of 3D Slicer's ``.seg.nrrd``; the same give the same bytes.

    Parameters
    ----------
    layers
        Label maps on one grid, with no label in two of them; several become a list axis. Names,
        colours, codes and extents go into the header; a category without a sample too. What is
        not printed in a name becomes a blank.
    path
        The file to write; the name should end in ``.seg.nrrd``, by which 3D Slicer knows it.
    accuracy
        Goes into the field ``content``.

    Raises
    ------
    ExportError
        If the layers do not belong together.
    """
    from isal import igzip

    layers = checked(layers, "NRRD")
    wide = any(layer.array.dtype != np.uint8 for layer in layers)
    dtype = np.dtype("<u2" if wide else "u1")
    fields = segment_fields(layers)
    header = _header(layers[0].grid, len(layers), dtype, fields, accuracy)
    with Path(path).open("wb") as file:
        file.write(header)
        with igzip.IGzipFile(
            filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0
        ) as packed:
            for k in range(layers[0].grid.shape[0]):
                planes = np.stack([layer.array[k] for layer in layers], axis=-1)
                packed.write(np.ascontiguousarray(planes, dtype).data.cast("B"))


def _header(
    grid: Grid,
    volumes: int,
    dtype: np.dtype[Any],
    texts: Sequence[tuple[str, str]],
    content: str = "",
) -> bytes:
    """The header of a single gzipped file, up to its first sample.

    Parameters
    ----------
    grid
        Of each volume; numbers are written so that they are read back exactly.
    volumes
        If several, the fastest axis counts them.
    dtype
        Of the samples: ``u1`` or ``<u2``.
    texts
        Keys and values.
    content
        What the file says of itself; nothing where empty.
    """
    several = volumes > 1
    steps = [f"({','.join(map(repr, step))})" for step in grid.affine[:3, 2::-1].T.tolist()]
    sizes = [*([volumes] if several else []), *grid.shape[::-1]]
    lines = [
        "NRRD0004",
        "# http://teem.sourceforge.net/nrrd/format.html",
        *([f"content: {content}"] if content else []),
        f"type: {'unsigned char' if dtype.itemsize == 1 else 'unsigned short'}",
        f"dimension: {len(sizes)}",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {' '.join([*(['none'] if several else []), *steps])}",
        f"kinds: {'list ' if several else ''}domain domain domain",
        *(["endian: little"] if dtype.itemsize > 1 else []),
        "encoding: gzip",
        f"space origin: ({','.join(map(repr, grid.affine[:3, 3].tolist()))})",
        *(["unit:=px"] if grid.unit == "px" else []),
    ]
    lines += [f"{key}:={value}".replace("\\", "\\\\") for key, value in texts]
    return ("\n".join(lines) + "\n\n").encode()
