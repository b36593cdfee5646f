"""Bring an image to the form a detector wants, and what it found back to the image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delineate.delineation.tiling import convertible
from delineate.errors import UnsuitableImageError
from delineate.imaging import Grid, Image, LabelMap, axis_order, resample, resample_labels
from delineate.plugins import DetectorSpec, Field, Instance, Instances, Masks, Output, Wants

__all__ = ["demand_suitable", "prepare", "restore"]

_SAME_SPACING = 1e-3  # relative
_ACROSS_SLICES = 1e-3  # of a slice


def demand_suitable(image: Image, spec: DetectorSpec) -> None:
    """Check an image against what a detector wants.

    Raises
    ------
    UnsuitableImageError
        Saying what is wanted, what came and what to do.
    """
    wants, grid = spec.wants, image.grid
    if wants.modalities and image.modality not in wants.modalities:
        hint = "choose another detector or image"
        if image.modality == "unknown":
            hint = (
                "the file does not say what it is and its values do not look like it; if it is, "
                f"say so: --modality {wants.modalities[0]} on the command line, modality="
                f"{wants.modalities[0]!r} in read() and in a job"
            )
        _refuse(spec, " or ".join(wants.modalities), f"modality {image.modality}", hint)
    needs_mm = wants.unit == "mm" or wants.spacing_mm or wants.orientation
    if needs_mm and grid.unit != "mm":
        _refuse(spec, "an image of known scale (mm)", "a picture in pixels", "state its spacing_mm")
    if wants.unit == "px" and grid.unit != "px":
        _refuse(spec, "a picture in pixels", "an image in mm", "choose another detector")
    shape = _oriented(grid, wants).shape
    slices = shape[0]
    if wants.dimensions == 2 and slices != 1:
        _refuse(spec, "a single slice or photograph", f"{slices} slices", "choose one slice")
    least = max(wants.min_slices, 2 if wants.dimensions == 3 else 1)
    if slices < least:
        _refuse(
            spec,
            f"a volume of at least {least} slices",
            f"{slices}" + (" in the orientation it wants" if wants.orientation else ""),
            "upload the whole series",
        )
    _demand_size(shape, spec)
    if wants.channels is not None and not convertible(image, wants.channels):
        _refuse(
            spec,
            f"{wants.channels} channels" if wants.channels else "a grey image",
            f"{len(image.channels)} channels {image.channels}" if image.channels else "a grey one",
            "convert the image or choose another detector",
        )


def _demand_size(shape: tuple[int, int, int], spec: DetectorSpec) -> None:
    came = " x ".join(map(str, shape))
    for name, sign, hint in (
        ("min_size", 1, "use a larger image"),
        ("max_size", -1, "crop the image, or store it with fewer samples"),
    ):
        size = getattr(spec.wants, name)
        if size is not None and any(
            sign * have < sign * bound for have, bound in zip(shape, size, strict=True)
        ):
            bound = "at least" if sign > 0 else "at most"
            wanted = f"{bound} {' x '.join(map(str, size))} samples (slices x rows x columns)"
            _refuse(spec, wanted, came, hint)


def prepare(image: Image, wants: Wants) -> Image:
    """The image in the orientation and at the spacing that a detector wants.

    Axes are permuted and flipped first, which changes no sample; then, where the spacing differs
    by more than 0.1 %, samples are interpolated. The same image comes back if there is nothing to
    do.
    """
    oriented = _oriented(image.grid, wants)
    if oriented is not image.grid:
        array = _turned(image.array, image.grid.orientation, oriented.orientation)
        image = Image(array, oriented, image.modality, image.channels)
    if wants.spacing_mm is None or np.allclose(
        image.grid.spacing, wants.spacing_mm, rtol=_SAME_SPACING, atol=0
    ):
        return image
    return resample(image, image.grid.with_spacing(wants.spacing_mm))


def restore(output: Output, source: Grid) -> Output:
    """Bring what was found on a prepared image's grid back to the image's own.

    Labels and masks by nearest sample, or by majority where the image's samples are the larger;
    fields by linear interpolation; points, boxes and polygons by the affines, a polygon to the
    nearest slice, or to its box where it would lie across the slices. A restored image and classes
    stay as they are.
    """
    if isinstance(output, LabelMap):
        return _restored_labels(output, source)
    if isinstance(output, Masks):
        return _restored_masks(output, source)
    if isinstance(output, Field):
        return _restored_field(output, source)
    if isinstance(output, Instances) and not output.grid.matches(source):
        return Instances(
            tuple(_restored_instance(item, output.grid, source) for item in output.items), source
        )
    return output


def _refuse(spec: DetectorSpec, wanted: str, came: str, hint: str) -> None:
    raise UnsuitableImageError(f"{spec.title} ({spec.id}) wants {wanted}, got {came}; {hint}")


def _oriented(grid: Grid, wants: Wants) -> Grid:
    if wants.orientation is None or grid.unit != "mm" or grid.orientation == wants.orientation:
        return grid
    return grid.oriented(wants.orientation)


def _turned(array: NDArray[Any], current: str, wanted: str) -> NDArray[Any]:
    """Permute and flip the first three axes; a view."""
    order, flips = axis_order(current, wanted)
    turned = array.transpose(*order, *range(3, array.ndim))
    return turned[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]


def _is_turned(grid: Grid, source: Grid) -> bool:
    """Whether two grids differ in the order and sense of their axes alone."""
    return (
        grid.unit == source.unit == "mm"
        and sorted(grid.shape) == sorted(source.shape)
        and grid.oriented(source.orientation).matches(source)
    )


def _restored_labels(labels: LabelMap, source: Grid) -> LabelMap:
    if labels.grid.matches(source):
        return replace(labels, grid=source)
    if _is_turned(labels.grid, source):
        array = _turned(labels.array, labels.grid.orientation, source.orientation)
        return LabelMap(array, source, labels.categories)
    # A resampled grid may end up to half a step before the image does: the border is repeated.
    padded: NDArray[Any] = np.pad(labels.array, 1, "edge")
    wide = LabelMap(padded, _widened(labels.grid), labels.categories)
    return resample_labels(wide, source, "majority")


def _restored_masks(masks: Masks, source: Grid) -> Masks:
    if masks.grid.matches(source):
        return replace(masks, grid=source)
    restored = np.zeros((len(masks.categories), *source.shape), dtype=np.bool_)
    for number, category in enumerate(masks.categories):
        one = LabelMap(masks.array[number].astype(np.uint8), masks.grid, {1: category})
        restored[number] = _restored_labels(one, source).array
    return Masks(restored, source, masks.categories)


def _restored_field(field: Field, source: Grid) -> Field:
    if field.grid.matches(source):
        return replace(field, grid=source)
    if _is_turned(field.grid, source):
        array = _turned(field.array, field.grid.orientation, source.orientation)
        return replace(field, array=np.ascontiguousarray(array), grid=source)
    wide = Image(np.pad(field.array, 1, "edge"), _widened(field.grid))
    return replace(field, array=resample(wide, source).array, grid=source)


def _restored_instance(item: Instance, grid: Grid, source: Grid) -> Instance:
    def moved(indices: ArrayLike) -> NDArray[np.float64]:
        return source.to_index(grid.to_world(indices))

    def triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
        a, b, c = values.tolist()
        return a, b, c

    point, box, polygon = item.point, item.box, item.polygon
    if box is not None:
        corners = moved(box)
        box = triple(corners.min(axis=0)), triple(corners.max(axis=0))
    if polygon is not None:
        polygon = moved(polygon)
        if np.ptp(polygon[:, 0]) > _ACROSS_SLICES:
            box = box or (triple(polygon.min(axis=0)), triple(polygon.max(axis=0)))
            polygon = None
        else:
            polygon[:, 0] = np.clip(np.rint(polygon[:, 0].mean()), 0, source.shape[0] - 1)
    return replace(
        item, point=None if point is None else triple(moved(point)), box=box, polygon=polygon
    )


def _widened(grid: Grid) -> Grid:
    slices, rows, columns = grid.shape
    return grid.crop((-1, -1, -1), (slices + 2, rows + 2, columns + 2))
