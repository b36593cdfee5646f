"""An image as a file for a server, and labels from one back on the image's samples.

What is sent are samples and where they lie. Nothing of what the image was read from goes with it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from delineate.errors import BadDetectionError, InputError, UnsuitableImageError
from delineate.imaging import Grid, Image, LabelMap

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["as_nifti", "as_png", "is_sheared", "labels_at", "layers_in", "on_samples"]

_SQUARE = 1e-4  # cosine between axes, beyond which a grid is sheared


def as_nifti(image: Image) -> bytes:
    """A grey image as ``.nii.gz``; samples as they are, the grid in its header."""
    from delineate.formats import nifti

    with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
        path = Path(scratch) / "image.nii.gz"
        nifti.write_image(image, path)
        return path.read_bytes()


def as_png(image: Image) -> bytes:
    """A picture with colours, of 8 bits, as PNG; where it lies does not go with it.

    Raises
    ------
    UnsuitableImageError
        If it is no such picture.
    """
    import io

    from PIL import Image as Pillow

    fits = image.grid.shape[0] == 1 and image.array.dtype == np.uint8 and len(image.channels) == 3
    if not fits:
        raise UnsuitableImageError(
            "with channels, one slice of red, green and blue in 8 bits can be sent, got "
            f"{image.grid.shape[0]} slices of {len(image.channels)} channels in {image.array.dtype}"
        )
    packed = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(image.array[0])).save(packed, "PNG")
    return packed.getvalue()


def layers_in(content: bytes, name: str) -> tuple[LabelMap, ...]:
    """Labels in a file that a server sent: NIfTI, NRRD, or a zip of masks.

    Raises
    ------
    BadDetectionError
        If it is none of these, broken or cut off.
    """
    from delineate.formats import masks, nifti, nrrd
    from delineate.formats.sniff import kind_of

    with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
        path = Path(scratch) / "labels"
        path.write_bytes(content)
        try:
            kind = kind_of(path)
            if kind == "nifti":
                return (nifti.read_labels(path),)
            if kind == "nrrd":
                return nrrd.read_layers(path)
            if kind == "zip":
                return masks.read_layers(path)
        except InputError as error:
            raise BadDetectionError(
                f"the labels that {name} sent cannot be used: {error}"
            ) from error
    raise BadDetectionError(f"expected labels from {name} as NIfTI or NRRD, got another file")


def labels_at(content: bytes, name: str, grid: Grid) -> LabelMap:
    """The one label map in a file that a server sent, on the samples of an image.

    Raises
    ------
    BadDetectionError
        If it is broken, holds labels that overlap, or lies on other samples.
    """
    layers = layers_in(content, name)
    if len(layers) != 1:
        raise BadDetectionError(
            f"expected labels from {name} that do not overlap, got some that do"
        )
    return on_samples(layers, name, grid)[0]


def on_samples(layers: Sequence[LabelMap], name: str, grid: Grid) -> tuple[LabelMap, ...]:
    """Labels on the samples of an image, turned where the server has turned them.

    Raises
    ------
    BadDetectionError
        If their samples are not those that were sent, one for one.
    """
    from delineate.imaging import place

    placed = []
    for one in layers:
        if sorted(one.grid.shape) != sorted(grid.shape):
            raise BadDetectionError(
                f"{name} was sent {grid.shape} samples and answered by labels of {one.grid.shape}; "
                "expected one for each sample"
            )
        try:
            placed.append(place(one, grid))
        except InputError as error:
            raise BadDetectionError(
                f"the labels that {name} sent lie elsewhere than the image: {error}"
            ) from error
    return tuple(placed)


def is_sheared(grid: Grid) -> bool:
    """Whether axes are not at right angles, as with a tilted gantry."""
    directions = grid.affine[:3, :3] / np.asarray(grid.spacing)
    return bool(np.abs(directions.T @ directions - np.eye(3)).max() > _SQUARE)
