"""Read one case: an image with all its channels, and its labels on the image's grid."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate import formats
from delineate.errors import GeometryError, InputError, UnreadableFileError
from delineate.formats import nifti, nrrd
from delineate.formats.annotations import read_annotation
from delineate.formats.sniff import kind_of
from delineate.imaging import Category, Image, LabelMap, place
from delineate.segmentation.training.labelme import drawn_labels
from delineate.segmentation.training.layouts import CaseFiles, DataSet
from delineate.segmentation.training.organ_cases import IGNORED

__all__ = ["read_pair"]

_PLAIN = ("1", "L", "P", "I", "I;16")


def read_pair(case: CaseFiles, dataset: DataSet) -> tuple[Image, NDArray[np.uint8]]:
    """Read the image and the labels of one case.

    Parameters
    ----------
    case
        Its files. Those of several channels lie on one grid.
    dataset
        Says what the numbers in the labels are.

    Returns
    -------
    image
        With one channel a file, or those of the picture.
    labels
        uint8, shape of the image's grid: 1 for the first of ``dataset.names`` and so on; `IGNORED`
        where nothing is known.

    Raises
    ------
    InputError
        If a file cannot be read, the labels do not lie on the image's samples, or hold a number
        that nobody named. It names the case.
    """
    try:
        image = _joined([formats.read(path) for path in case.images])
        drawn = _drawn(case.labels, image, dataset)
    except GeometryError as error:
        raise GeometryError(f"case {case.name}: {error}") from error
    except InputError as error:
        raise InputError(f"case {case.name}: {error}") from error
    return image, _numbered(drawn, case, dataset)


def _joined(images: Sequence[Image]) -> Image:
    first = images[0]
    if len(images) == 1:
        return first
    for image in images[1:]:
        if not image.grid.matches(first.grid) or image.channels:
            raise GeometryError(
                f"expected single channels on one grid, got {first.grid.shape} samples of "
                f"{first.grid.spacing} and {image.grid.shape} of {image.grid.spacing}"
            )
    array = np.stack([image.array for image in images], axis=-1)
    names = tuple(f"channel {number}" for number in range(len(images)))
    alike = len({image.modality for image in images}) == 1
    return Image(array, first.grid, first.modality if alike else "unknown", names)


def _drawn(path: Path, image: Image, dataset: DataSet) -> NDArray[np.generic]:
    if dataset.layout == "labelme":
        return drawn_labels(path, image.grid, dataset.names)
    kind = kind_of(path) if path.is_file() else "folder"
    categories = {number: Category(name) for number, name in dataset.names.items()}
    if kind == "photo":
        labels = _picture(path)
        if labels.shape != image.grid.shape[1:] or image.grid.shape[0] != 1:
            raise GeometryError(
                f"the labels are a picture of {labels.shape} pixels, the image has "
                f"{image.grid.shape} samples; expected one for each"
            )
        return labels[None]
    if kind == "nifti":
        found: tuple[LabelMap, ...] = (nifti.read_labels(path, categories),)
    elif kind in ("nrrd", "metaimage"):
        found = (nrrd.read_labels(path, categories),)
    else:
        found = tuple(
            _by_name(layer, dataset) for layer in read_annotation(path, image.grid).layers
        )
    if kind in ("nifti", "nrrd", "metaimage") and prod(found[0].grid.shape) < prod(
        image.grid.shape
    ):
        raise GeometryError(
            f"{path.name} covers {found[0].grid.shape} samples, the image has {image.grid.shape}; "
            "what is not labelled would be learned as background: give labels of the whole image"
        )
    if len(found) != 1:
        raise InputError(
            f"{path.name} holds structures that overlap, expected labels that exclude each other"
        )
    return place(found[0], image.grid).array


def _by_name(layer: LabelMap, dataset: DataSet) -> LabelMap:
    """Outlines and objects have names; their numbers are whatever the program gave them."""
    numbers = {name: number for number, name in dataset.names.items()}
    lookup = np.arange(65536).astype(np.uint16)
    for label, category in layer.categories.items():
        if category.name not in numbers:
            raise InputError(
                f"it holds {category.name!r}; expected some of {', '.join(numbers)} alone"
            )
        lookup[label] = numbers[category.name]
    return LabelMap(lookup[layer.array], layer.grid, {})


def _picture(path: Path) -> NDArray[np.generic]:
    """Numbers of a mask; of one with a palette its indices, of a grey one in colour its grey."""
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            with Pillow.open(path) as picture:
                plain = picture.mode in _PLAIN
                array = np.asarray(picture if plain else picture.convert("RGB"))
    except (OSError, UnidentifiedImageError, SyntaxError, Pillow.DecompressionBombWarning) as error:
        raise UnreadableFileError(f"{path.name} is no picture that can be read: {error}") from error
    if plain:
        return array.astype(np.int64)
    if (array != array[..., :1]).any():
        raise UnreadableFileError(
            f"{path.name} is in colour; expected a mask whose grey values or palette indices are "
            "the labels"
        )
    return array[..., 0].astype(np.int64)


def _numbered(drawn: NDArray[np.generic], case: CaseFiles, dataset: DataSet) -> NDArray[np.uint8]:
    lookup = np.zeros(65536, np.uint8)
    numbers = np.unique(drawn)
    known = {0, *dataset.names} | ({dataset.ignored} if dataset.ignored is not None else set())
    if strange := [int(number) for number in numbers if int(number) not in known]:
        some = ", ".join(map(str, strange[:5]))
        raise InputError(
            f"the labels of case {case.name} hold {some}, which nothing names; expected "
            f"{', '.join(map(str, sorted(known)))}"
        )
    for position, number in enumerate(dataset.names, start=1):
        lookup[number] = position
    if dataset.ignored is not None:
        lookup[dataset.ignored] = IGNORED
    return lookup[drawn.astype(np.int64)]
