"""Pictures of DICOM instances, as they are looked at; runs in a child process."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.errors import NotAcceptableError, QueryError, UnknownInstanceError
from delineate.formats.dicom.quiet import quiet_pydicom
from delineate.jobs.dicom_pixels import cells, frame_count, read_file

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["render"]

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def render(
    path: str,
    number: int,
    target: str,
    form: Literal["jpeg", "png"],
    window: list[float] | None = None,
    function: str = "linear",
    size: list[int] | None = None,
    quality: int = 90,
) -> None:
    """Write a picture of a frame as a physician would see it.

    Parameters
    ----------
    path
        The DICOM file.
    number
        Of the frame, the first being 1.
    target
        Where.
    form
        Of the picture.
    window
        Centre and width; the file's own, or all values, if ``None``.
    function
        How they are applied: ``linear``, ``linear-exact`` or ``sigmoid`` (PS3.3 C.11.2.1).
    size
        Most columns and rows; the picture keeps its shape.
    quality
        Of a JPEG, 1 to 100.

    Raises
    ------
    NotAcceptableError
        If the instance is no picture.
    """
    from PIL import Image as Picture

    dataset = read_file(path)
    if not any(name in dataset for name in _PIXELS):
        raise NotAcceptableError("this instance holds no picture; retrieve it as application/dicom")
    with quiet_pydicom():
        shown = _shown(dataset, number, window, function)
    picture = Picture.fromarray(shown)
    if size is not None:
        columns, rows = size
        scale = min(columns / picture.width, rows / picture.height)
        fitting = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(
            (max(1, fitting[0]), max(1, fitting[1])), Picture.Resampling.BILINEAR
        )
    written = io.BytesIO()
    picture.save(written, form.upper(), **({"quality": quality} if form == "jpeg" else {}))
    Path(target).write_bytes(written.getvalue())


def _shown(
    dataset: Dataset, number: int, window: list[float] | None, function: str
) -> NDArray[np.uint8]:
    """What is seen of a frame: ``(row, column)`` or ``(row, column, 3)``."""
    kind = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2")
    if not 1 <= number <= frame_count(dataset):
        raise UnknownInstanceError(f"there are {frame_count(dataset)} frames, the first is 1")
    if int(dataset.get("SamplesPerPixel") or 1) > 1 or kind == "PALETTE COLOR":
        return _colours(dataset, number, kind)
    values = _meant(dataset, number)
    grey = _windowed(dataset, values, window, function)
    return 255 - grey if kind == "MONOCHROME1" else grey


def _colours(dataset: Dataset, number: int, kind: str) -> NDArray[np.uint8]:
    from pydicom.pixels import apply_color_lut, pixel_array

    try:
        array = np.asarray(pixel_array(dataset, index=number - 1))  # YBR becomes RGB
        if kind == "PALETTE COLOR":
            array = apply_color_lut(array, dataset)
    except Exception as error:  # decoders raise anything
        raise NotAcceptableError(
            f"frame {number} cannot be decoded ({type(error).__name__})"
        ) from None
    bits = int(dataset.get("BitsStored") or 8) if kind != "PALETTE COLOR" else 8 * array.itemsize
    return (array >> (bits - 8)).astype(np.uint8) if bits > 8 else array.astype(np.uint8)


def _meant(dataset: Dataset, number: int) -> NDArray[np.float64]:
    """Samples after the Modality LUT (PS3.3 C.11.1), of one frame where each has its own."""
    from pydicom.pixels import apply_modality_lut

    stored = cells(dataset, number)
    groups = [
        items[min(number - 1, len(items) - 1)]
        for name in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence")
        if (items := dataset.get(name))
    ]
    for group in groups:
        if transformation := group.get("PixelValueTransformationSequence"):
            one = transformation[0]
            return stored * float(one.RescaleSlope) + float(one.RescaleIntercept)
    return np.asarray(apply_modality_lut(stored, dataset), np.float64)


def _windowed(
    dataset: Dataset, values: NDArray[np.float64], window: list[float] | None, function: str
) -> NDArray[np.uint8]:
    """Grey values of 0 to 255 (PS3.3 C.11.2.1)."""
    from pydicom.pixels import apply_voi

    if window is None and dataset.get("VOILUTSequence"):
        table = np.asarray(apply_voi(values.astype(np.int32), dataset), np.float64)
        return _stretched(table)
    if window is None and dataset.get("WindowWidth") not in (None, ""):
        centre, width = (_first(dataset[name].value) for name in ("WindowCenter", "WindowWidth"))
        window = [centre, width]
        function = str(dataset.get("VOILUTFunction") or "LINEAR").lower().replace("_", "-")
    if window is None:
        return _stretched(values)
    centre, width = window
    if function == "sigmoid":
        shown = 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -60.0, 60.0)))
    elif function == "linear-exact":
        shown = (values - centre) / width + 0.5
    elif function == "linear":
        width = max(width, 1.0)
        shown = (
            np.where(values > centre - 0.5, 1.0, 0.0)
            if width == 1.0
            else ((values - (centre - 0.5)) / (width - 1.0) + 0.5)
        )
    else:
        raise QueryError(f"expected linear, linear-exact or sigmoid, got {function[:20]!r}")
    return np.rint(np.clip(shown, 0.0, 1.0) * 255.0).astype(np.uint8)


def _stretched(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    scale = 255.0 / (high - low) if high > low else 0.0
    return np.rint((values - low) * scale).astype(np.uint8)


def _first(value: Any) -> float:
    return float(value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value)
