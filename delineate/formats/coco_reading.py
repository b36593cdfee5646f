"""COCO in: masks and polygons back onto a grid."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour, fill, trace
from delineate.errors import InputError, TooLargeError, UnreadableFileError
from delineate.formats.layered import stacked
from delineate.formats.marks import Mark
from delineate.formats.rle import decode
from delineate.imaging import Category, Code, Grid, LabelMap

__all__ = ["is_coco", "read_layers", "read_marks"]

_MOST_SAMPLES = 1 << 31
_BROKEN = (ValueError, KeyError, TypeError, IndexError, OverflowError, AttributeError)


def is_coco(document: object) -> bool:
    """Whether parsed JSON is a COCO file with images and annotations."""
    return isinstance(document, dict) and all(
        isinstance(document.get(key), list) for key in ("images", "annotations", "categories")
    )


def read_layers(path: Path | str, grid: Grid | None = None) -> tuple[LabelMap, ...]:
    """Read segmentations, those of one category together.

    Parameters
    ----------
    path
        The file. Polygons hold the samples whose centres they surround (even-odd rule), run
        lengths are exact. Marks, and boxes and keypoints without a segmentation, are passed over:
        :func:`read_marks` gives those.
    grid
        Where the images lie: its slices are the images, by the number that delineate writes, else
        in the order of their ids. A file that delineate has written says so itself, and is
        believed, unless it is in pixels.

    Returns
    -------
    tuple of LabelMap
        At least one; overlaps are in different layers. Labels are the ids of the categories; where
        one of those is no label (0 or above 65535), their places in the file, from 1.

    Raises
    ------
    UnreadableFileError
        If the file is broken or no COCO.
    InputError
        If a grid is needed and there is none, or the images are not the slices of the grid.
    """
    path = Path(path)
    document = _document(path)
    try:
        grid = _place(document, grid)
        if grid is None:
            raise InputError(
                f"{path.name} does not say where its images lie; give the image that was annotated"
            )
        slices = _slices(document, grid, path.name)
        return stacked(_masks(document, grid, slices), grid)
    except _BROKEN as error:
        raise _unreadable(path, error) from error


def read_marks(
    path: Path | str, grid: Grid | None = None, *, outlined: bool = False
) -> tuple[Mark, ...]:
    """Read what is there one by one: the marks that delineate writes, boxes and single keypoints.

    Parameters
    ----------
    path, grid
        As for :func:`read_layers`. Contours that were stored as run lengths come back along the
        edges of their samples.
    outlined
        Whether a segmentation of another program is a thing of its own, too; by default those of
        a category are one area, which :func:`read_layers` gives.

    Returns
    -------
    tuple of Mark
        Those of delineate by their number, then the others in the order of the file. A crowd
        (``iscrowd``) is no thing. Of several keypoints the box around them counts.

    Raises
    ------
    UnreadableFileError, InputError
        As :func:`read_layers`.
    """
    path = Path(path)
    document = _document(path)
    try:
        grid = _place(document, grid)
        if grid is None:
            return ()
        slices = _slices(document, grid, path.name) if document["annotations"] else {}
        own = [one for one in document["annotations"] if "mark" in one]
        others = [one for one in document["annotations"] if "mark" not in one]
        found = _own_marks(document, own, slices, grid)
        for one in others:
            if not one.get("iscrowd") and (outlined or not one.get("segmentation")):
                number = 1 + max(found, default=0)
                shape = _shape(one, slices[one["image_id"]], grid)
                if shape:
                    found[number] = {"score": one.get("score"), **shape}
                    found[number]["category"] = _names(document)[one["category_id"]]
        return tuple(Mark(number, **mark) for number, mark in sorted(found.items()))
    except _BROKEN as error:
        raise _unreadable(path, error) from error


def _names(document: dict[str, Any]) -> dict[Any, Category]:
    return {entry["id"]: _category(entry) for entry in document["categories"]}


def _own_marks(
    document: dict[str, Any], own: list[dict[str, Any]], slices: dict[Any, int], grid: Grid
) -> dict[int, dict[str, Any]]:
    """What delineate has written, the parts of one mark together."""
    names = _names(document)
    found: dict[int, dict[str, Any]] = {}
    for one in own:
        empty = {"category": names[one["category_id"]], "score": one.get("score"), "contours": ()}
        mark = found.setdefault(int(one["mark"]), empty)
        if "world" in one:
            mark["point"] = tuple(map(float, one["world"]))
        if "world_box" in one:
            mark["box"] = tuple(tuple(map(float, corner)) for corner in one["world_box"])
        if "segmentation" in one:
            mark["contours"] += _outline(one["segmentation"], slices[one["image_id"]], grid)
    return found


def _shape(one: dict[str, Any], k: int, grid: Grid) -> dict[str, Any]:
    """Outline, box or point of an annotation; COCO counts from the corner of the first sample."""
    if one.get("segmentation"):
        return {"contours": _outline(one["segmentation"], k, grid)}
    x, y, width, height = map(float, one.get("bbox") or (0, 0, 0, 0))
    if width > 0 and height > 0:
        low, high = (k - 0.5, y - 0.5, x - 0.5), (k + 0.5, y + height - 0.5, x + width - 0.5)
        return {"box": tuple(tuple(corner) for corner in grid.to_world([low, high]).tolist())}
    keypoints = np.array(one.get("keypoints") or (), float).reshape(-1, 3)
    places = keypoints[keypoints[:, 2] > 0, :2]
    if len(places) != 1:
        return {}
    (x, y) = places[0]
    return {"point": tuple(grid.to_world((k, y - 0.5, x - 0.5)).tolist())}


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    if not is_coco(document):
        raise UnreadableFileError(
            f"{path.name} is no COCO file; expected images, annotations and categories"
        )
    return document  # type: ignore[no-any-return]


def _unreadable(path: Path, error: Exception) -> Exception:
    if isinstance(error, InputError):
        return error
    return UnreadableFileError(
        f"{path.name} is broken: {type(error).__name__}, {error}; export it again"
    )


def _place(document: dict[str, Any], given: Grid | None) -> Grid | None:
    """Where the images lie; the one given may be turned or flipped against them."""
    own = _own_grid(document)
    return given if own is None or (own.unit == "px" and given is not None) else own


def _own_grid(document: dict[str, Any]) -> Grid | None:
    info = document.get("info")
    place = info.get("delineate") if isinstance(info, dict) else None
    if place is None:
        return None
    grid = Grid(tuple(place["shape"]), np.array(place["affine"], float), place["unit"])
    if math.prod(grid.shape) > _MOST_SAMPLES:
        raise TooLargeError(
            f"a COCO file says that its images have {math.prod(grid.shape)} samples in all, at "
            f"most {_MOST_SAMPLES} are read; give the image that was annotated"
        )
    return grid


def _slices(document: dict[str, Any], grid: Grid, name: str) -> dict[Any, int]:
    """Slice of each image, by the image's id."""
    images = document["images"]
    for image in images:
        if (image["height"], image["width"]) != grid.shape[1:]:
            raise InputError(
                f"an image of {name} has {image['height']} rows and {image['width']} columns, the "
                f"slices have {grid.shape[1]} and {grid.shape[2]}; it annotates another image"
            )
    if all("slice" in image for image in images):
        numbers = {image["id"]: int(image["slice"]) for image in images}
    else:
        if len(images) != grid.shape[0]:
            raise InputError(
                f"{name} annotates {len(images)} images, expected one for each of the "
                f"{grid.shape[0]} slices"
            )
        ids = sorted(image["id"] for image in images)
        numbers = {one: k for k, one in enumerate(ids)}
    if any(not 0 <= k < grid.shape[0] for k in numbers.values()):
        raise InputError(f"{name} annotates slices that the image does not have")
    return numbers


def _masks(
    document: dict[str, Any], grid: Grid, slices: dict[Any, int]
) -> Iterator[tuple[int, Category, NDArray[np.bool_]]]:
    entries = document["categories"]
    marked = {one["category_id"] for one in document["annotations"] if "mark" in one}
    by_category: dict[Any, list[dict[str, Any]]] = {entry["id"]: [] for entry in entries}
    for one in document["annotations"]:
        if "mark" not in one and one.get("segmentation"):
            by_category[one["category_id"]].append(one)
    kept = [one for one in entries if by_category[one["id"]] or one["id"] not in marked]
    ids = [entry["id"] for entry in kept]
    if not all(isinstance(one, int) and 1 <= one <= 65535 for one in ids):
        ids = list(range(1, len(kept) + 1))
    for number, entry in zip(ids, kept, strict=True):
        mask = np.zeros(grid.shape, bool)
        for one in by_category[entry["id"]]:
            k = slices[one["image_id"]]
            mask[k] |= _plane(one["segmentation"], k, grid)
        yield number, _category(entry), mask


def _plane(segmentation: Any, k: int, grid: Grid) -> NDArray[np.bool_]:
    rows, columns = grid.shape[1:]
    if isinstance(segmentation, dict):
        if list(segmentation["size"]) != [rows, columns]:
            raise ValueError(f"a mask of size {segmentation['size']} in an image of another")
        return decode(segmentation["counts"], (rows, columns))
    place = grid.crop((k, 0, 0), (1, rows, columns))
    plane = np.zeros((rows, columns), bool)
    for contour in _contours(segmentation, k, grid):  # parts of one thing: none cuts another
        plane |= fill([contour], place)[0]
    return plane


def _outline(segmentation: Any, k: int, grid: Grid) -> tuple[Contour, ...]:
    if isinstance(segmentation, list):
        return tuple(_contours(segmentation, k, grid))
    place = grid.crop((k, 0, 0), (1, *grid.shape[1:]))
    plane = _plane(segmentation, k, grid)
    return trace(LabelMap(plane[None].view(np.uint8), place, {}), 1)


def _contours(polygons: list[list[float]], k: int, grid: Grid) -> Iterator[Contour]:
    for polygon in polygons:
        places = np.array(polygon, float).reshape(-1, 2)[:, ::-1] - 0.5
        yield Contour(grid.to_world(np.insert(places, 0, k, axis=1)))


def _category(entry: dict[str, Any]) -> Category:
    colour, code = entry.get("color"), entry.get("code")
    side = entry.get("laterality")
    red, green, blue = colour if isinstance(colour, list) and len(colour) == 3 else (-1, -1, -1)
    return Category(
        str(entry["name"]),
        (int(red), int(green), int(blue)),
        Code(**code) if isinstance(code, dict) else None,
        side if side in ("left", "right") else None,
    )
