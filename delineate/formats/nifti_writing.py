"""NIfTI out: images, label maps with their names, and masks one by one."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from delineate.errors import ExportError
from delineate.formats.bundle import file_names, write_zip
from delineate.formats.layered import checked
from delineate.formats.nifti_header import ras_affine
from delineate.formats.nifti_tables import caret_table, label_table
from delineate.imaging import Category, Grid, Image, LabelMap

__all__ = ["write_image", "write_labels", "write_masks"]

_LEVEL = 1


def write_labels(labelmap: LabelMap, path: Path | str, accuracy: str = "") -> None:
    """Write a label map; the same one gives the same bytes.

    Parameters
    ----------
    labelmap
        Names, colours and codes go into a comment extension of the header, which other programs
        skip; :func:`~delineate.formats.nifti.read_labels` takes them up again. Names and colours
        are there once more as Caret's label table, which others read, as TotalSegmentator has it.
    path
        Ends in ``.nii`` or ``.nii.gz``.
    accuracy
        Goes into the header's description.

    Raises
    ------
    ExportError
        If the name has another ending.
    """
    tables = _tables(labelmap.categories, labelmap.grid)
    _write(labelmap.array, labelmap.grid, Path(path), tables, "label", accuracy)


def write_masks(layers: Sequence[LabelMap], path: Path | str, accuracy: str = "") -> None:
    """Write each structure as a mask of its own, so that they may overlap.

    Parameters
    ----------
    layers
        Label maps on one grid, with no label in two of them. A category without a sample becomes
        an empty mask.
    path
        A zip if it ends in ``.zip``, the same bytes for the same layers; else a folder, made
        where it is missing. The masks are ``liver.nii.gz`` and so on, with 1 inside and 0
        outside; their headers hold name, colour, code and number.
    accuracy
        Goes into the description of each header.

    Raises
    ------
    ExportError
        If the layers do not belong together.
    """
    layers, path = checked(layers, "masks"), Path(path)
    owners = sorted((label, place) for place, one in enumerate(layers) for label in one.categories)
    names = file_names([layers[place].categories[label].name for label, place in owners], ".nii.gz")

    def files() -> Iterator[tuple[str, bytes]]:
        for (label, place), name in zip(owners, names, strict=True):
            layer, out = layers[place], io.BytesIO()
            mask = layer.mask(label).view(np.uint8)
            tables = _tables({1: layer.categories[label]}, layer.grid, label)
            _write_to(out, mask, layer.grid, True, tables, "label", accuracy)
            yield name, out.getvalue()

    if path.suffix == ".zip":
        write_zip(path, files(), packed=False)
        return
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files():
        (path / name).write_bytes(content)


def _tables(
    categories: Mapping[int, Category], grid: Grid, number: int | None = None
) -> list[tuple[str, bytes]]:
    tables = [("comment", label_table(categories, grid.unit, number))]
    return [*tables, ("caret", caret_table(categories))] if categories else tables


def write_image(image: Image, path: Path | str) -> None:
    """Write samples as they are (bool as uint8, float16 as float32).

    Raises
    ------
    ExportError
        If the image has channels, or the name does not end in ``.nii`` or ``.nii.gz``.
    """
    if image.channels:
        raise ExportError(
            f"NIfTI is written without channels, this image has {len(image.channels)}; write one "
            "channel at a time"
        )
    narrow = {"b1": "u1", "f2": "f4"}.get(image.array.dtype.str[1:])
    array = image.array.astype(narrow) if narrow else image.array
    tables = _tables({}, image.grid) if image.grid.unit == "px" else []
    _write(array, image.grid, Path(path), tables, "none", f"modality={image.modality}")


def _write(
    array: NDArray[Any],
    grid: Grid,
    path: Path,
    tables: Sequence[tuple[str, bytes]],
    intent: str,
    description: str = "",
) -> None:
    if not path.name.endswith((".nii", ".nii.gz")):
        raise ExportError(f"expected a file name ending in .nii or .nii.gz, got {path.name!r}")
    with path.open("wb") as file:
        _write_to(file, array, grid, path.suffix == ".gz", tables, intent, description)


def _write_to(
    file: BinaryIO,
    array: NDArray[Any],
    grid: Grid,
    gzipped: bool,
    tables: Sequence[tuple[str, bytes]],
    intent: str,
    description: str,
) -> None:
    from isal import igzip

    header = _header(array.dtype, grid, tables, intent, description)
    samples = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data.cast("B")
    if not gzipped:
        header.write_to(file)
        file.write(samples)
        return
    with igzip.IGzipFile(
        filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0
    ) as packed:
        header.write_to(packed)
        packed.write(samples)


def _header(
    dtype: np.dtype[Any],
    grid: Grid,
    tables: Sequence[tuple[str, bytes]],
    intent: str,
    description: str,
) -> Any:
    from nibabel.nifti1 import Nifti1Extension, Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    header = (Nifti2Header if max(grid.shape) > 32767 else Nifti1Header)(endianness="<")
    header.set_data_dtype(dtype)
    header.set_data_shape(grid.shape[::-1])
    header.set_xyzt_units("mm" if grid.unit == "mm" else "unknown")
    header.set_intent(intent)
    header["descrip"] = description.encode("ascii", "replace")[:79]
    ras = ras_affine(grid)
    header.set_sform(ras, code="scanner")
    directions = ras[:3, :3] / np.linalg.norm(ras[:3, :3], axis=0)
    sheared = np.abs(directions.T @ directions - np.eye(3)).max() > 1e-4
    # A qform cannot hold the shear of a tilted gantry; a wrong one is worse than none.
    header.set_qform(ras, code="unknown" if sheared else "scanner", strip_shears=True)
    for kind, table in tables:
        header.extensions.append(Nifti1Extension(kind, table))
    return header
