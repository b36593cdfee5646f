"""A folder or a zip of masks, one file an organ, as TotalSegmentator and others leave them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import cast

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError, InputError, UnreadableFileError
from delineate.formats import nifti, nrrd
from delineate.formats.entries import gathered
from delineate.formats.labels import surveyed
from delineate.formats.layered import piled
from delineate.formats.sniff import kind_of
from delineate.imaging import Category, Grid, LabelMap, anatomy

__all__ = ["layers_of", "read_layers"]

# A box, and a mask in it: there may be many.
_Where = tuple[tuple[slice, ...], NDArray[np.bool_]]

_RASTERS = ("nifti", "nrrd", "metaimage")
_ENDING = re.compile(r"(\.seg)?\.(nii(\.gz)?|nrrd|nhdr|mha|mhd)$", re.IGNORECASE)


def read_layers(path: Path | str) -> tuple[LabelMap, ...]:
    """Read masks, each file of which holds 0 outside and one other number inside.

    Parameters
    ----------
    path
        A folder or a zip with NIfTI, NRRD or MetaImage files on one grid, all in one folder.
        Other files are passed over.

    Returns
    -------
    tuple of LabelMap
        At least one; overlaps are in different layers. Structures have the name, colour, code
        and number that their file states; else the name of the file, colour and code of the
        table of anatomy, and numbers by the order of their names.

    Raises
    ------
    UnreadableFileError
        If no mask is there, or a file is broken or holds several labels.
    InputError
        If masks lie in several folders: they may be those of several patients or readers.
    GeometryError
        If the masks lie on different grids.
    UploadError
        If a zip is hostile, damaged or too large.
    """
    with gathered(path) as (entries, _):
        return layers_of([(one.path, one.name) for one in entries], Path(path).name)


def layers_of(files: Sequence[tuple[Path, str]], name: str) -> tuple[LabelMap, ...]:
    """As `read_layers`, of files and what their sender calls them; ``name`` is that of all."""
    rasters = sorted(
        (
            (path, PurePosixPath(called))
            for path, called in files
            if not PurePosixPath(called).name.startswith(".") and kind_of(path) in _RASTERS
        ),
        key=lambda pair: pair[1],
    )
    if not rasters:
        raise UnreadableFileError(
            f"{name} holds no mask; expected NIfTI, NRRD or MetaImage files, one for each structure"
        )
    folders = {called.parent for _, called in rasters}
    if len(folders) > 1:
        raise InputError(
            f"{name} holds masks in {len(folders)} folders, expected those of one image and one "
            "reader; give one of the folders"
        )
    found: list[tuple[int | None, Category, _Where]] = []
    grid: Grid | None = None
    for path, called in rasters:
        number, category, where, place = _mask(path, called.name)
        grid = grid or place
        if not place.matches(grid):
            raise GeometryError(
                f"{called.name} lies on another grid than the masks before it; expected masks of "
                "one image, resample them first"
            )
        found.append((number, category, where))
    stated = [number for number, _, _ in found if number]
    numbers = stated if len(set(stated)) == len(found) else list(range(1, len(found) + 1))
    ordered = sorted(zip(numbers, found, strict=True), key=lambda pair: pair[0])
    return piled(
        ((number, category, *where) for number, (_, category, where) in ordered),
        cast("Grid", grid),
    )


def _mask(file: Path, name: str) -> tuple[int | None, Category, _Where, Grid]:
    try:
        if kind_of(file) == "nifti":
            labelmap, number = nifti.read_mask(file)
        else:
            labelmap, number = nrrd.read_labels(file), None
    except InputError as error:
        raise type(error)(str(error).replace(file.name, name)) from error
    labels, box = surveyed(labelmap.array)
    if len(labels) > 1:
        raise UnreadableFileError(
            f"{name} holds {len(labels)} labels, expected a mask of one structure; "
            "read it alone, as a label map"
        )
    stem = _ENDING.sub("", name) or name
    category = _category(stem)
    known = list(labelmap.categories.values())
    if len(known) == 1 and (number or not re.fullmatch(r"label \d+", known[0].name)):
        category = known[0]
    return number, category, (box, labelmap.array[box] > 0), labelmap.grid


def _category(name: str) -> Category:
    known = anatomy.category(name)
    return Category(name, known.colour, known.code, known.laterality) if known else Category(name)
