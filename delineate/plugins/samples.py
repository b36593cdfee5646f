"""Samples in nameless files that a host and its detector's process share."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from delineate.errors import StorageFullError
from delineate.imaging import Image
from delineate.plugins.wire import Json, grid_from_json, grid_json

__all__ = ["read_array", "read_image", "write_array", "write_image"]


def write_array(file: BinaryIO, array: NDArray[Any]) -> Json:
    """Write samples to an empty file; what is returned lets :func:`read_array` read them.

    Raises
    ------
    StorageFullError
        If there is no room for them.
    """
    plain = np.ascontiguousarray(array)
    try:
        file.write(plain.reshape(-1).view(np.uint8).data)  # ndarray.tofile may lose the last block
        file.flush()
    except OSError as error:
        raise StorageFullError(
            f"no room is left for {plain.nbytes >> 20} MB of samples in the folder of temporary "
            "files; free some, or set TMPDIR to another folder"
        ) from error
    return {"shape": list(plain.shape), "dtype": plain.dtype.str}


def read_array(file: BinaryIO, form: Json) -> NDArray[Any]:
    """Map samples into memory, read-only; shared with whoever else has the file mapped."""
    shape = tuple(form["shape"])
    mapped = np.memmap(file, dtype=np.dtype(form["dtype"]), mode="r", shape=shape)
    return np.asarray(mapped)


def write_image(file: BinaryIO, image: Image) -> Json:
    """Write an image's samples; what is returned lets :func:`read_image` make it again."""
    return write_array(file, image.array) | {
        "grid": grid_json(image.grid),
        "modality": image.modality,
        "channels": list(image.channels),
    }


def read_image(file: BinaryIO, form: Json) -> Image:
    """An image without source and notes, its samples mapped as :func:`read_array` does."""
    grid = grid_from_json(form["grid"])
    return Image(read_array(file, form), grid, form["modality"], tuple(form["channels"]))
