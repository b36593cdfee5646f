"""Peaks and boxes in the outputs of a network, as things found one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.detectors.cards.interpretation import BoxesOutput, PeaksOutput
from delineate.detectors.cards.tensor_values import activated, main_output, maps_of
from delineate.detectors.cards.tensors import Frame
from delineate.errors import BadDetectionError
from delineate.imaging import Category, Image
from delineate.plugins import Detection, Instance, Instances

__all__ = ["BoxesReader", "PeaksReader"]

Outputs = Mapping[str, NDArray[Any]]


class PeaksReader:
    """Local maxima of a map for each category."""

    def __init__(self, given: PeaksOutput, categories: tuple[Category, ...], image: Image) -> None:
        self._given, self._categories, self._grid = given, categories, image.grid
        self._items: list[Instance] = []

    def read(self, number: int, frame: Frame, outputs: Outputs, channels_last: bool) -> None:
        """See `reading.Reader`."""
        name, array = main_output(self._given.name, outputs)
        maps = maps_of(name, array, frame, channels_last, len(self._categories))
        scores = activated(name, maps, self._given.activation)
        for category, one in zip(self._categories, scores, strict=True):
            self._items += self._peaks(category, one, number, frame)

    def _peaks(
        self, category: Category, scores: NDArray[Any], number: int, frame: Frame
    ) -> list[Instance]:
        from skimage.feature import peak_local_max

        over = frame.extent if frame.stretched else frame.target
        coarser = max(n / m for n, m in zip(over, scores.shape, strict=True))
        found = peak_local_max(
            scores,
            min_distance=max(1, round(self._given.distance / coarser)),
            threshold_abs=np.nextafter(scores.dtype.type(self._given.threshold), -1),
            exclude_border=False,
        )
        places = frame.to_image(found.astype(np.float64), scores.shape)
        # A peak whose cell begins in the image is one of it, and lies there.
        face = np.array(frame.extent) - 0.5
        cell = np.array(over, np.float64) / np.array(scores.shape, np.float64)
        inside = (places - cell / 2 < face - 1e-9).all(axis=1)
        places = np.minimum(places, face)
        return [
            Instance(category, min(1.0, float(scores[tuple(index)])), point=_point(place, number))
            for index, place in zip(found[inside], places[inside], strict=True)
        ]

    def detection(self, device: str) -> Detection:
        """See `reading.Reader`."""
        return Detection(Instances(tuple(self._items), self._grid), device=device)


class BoxesReader:
    """Boxes that the network gives as rows of numbers."""

    def __init__(self, given: BoxesOutput, categories: tuple[Category, ...], image: Image) -> None:
        self._given, self._categories, self._grid = given, categories, image.grid
        self._items: list[Instance] = []

    def read(self, number: int, frame: Frame, outputs: Outputs, channels_last: bool) -> None:
        """See `reading.Reader`."""
        corners, scores, labels = self._rows(outputs)
        if not len(corners):
            return
        if self._given.normalised:
            corners = corners * np.tile(np.array(frame.target, np.float64), 2)
        # Edges count from the outer face of the first sample, indices from its centre.
        low, high = (
            frame.to_image(edges - 0.5, frame.target) for edges in (corners[:, :2], corners[:, 2:])
        )
        face = np.array(frame.extent) - 0.5
        low, high = np.clip(low, -0.5, face), np.clip(high, -0.5, face)
        kept = (high > low).all(axis=1)
        low, high, scores, labels = low[kept], high[kept], scores[kept], labels[kept]
        for place in self._apart(low, high, scores, labels):
            (top, left), (bottom, right) = low[place].tolist(), high[place].tolist()
            self._items.append(
                Instance(
                    self._categories[labels[place]],
                    float(scores[place]),
                    box=((number - 0.5, top, left), (number + 0.5, bottom, right)),
                )
            )

    def _rows(self, outputs: Outputs) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Corners ``(n, 4)`` as row, column, row, column; scores and labels counted from 0."""
        given = self._given
        name, array = main_output(given.name, outputs)
        if given.scores is None:
            rows = _table(name, array, 6)
            corners, scores, labels = rows[:, :4], rows[:, 4], rows[:, 5]
        else:
            corners = _table(name, array, 4)
            scores = main_output(given.scores, outputs)[1].astype(np.float64).ravel()
            labels = np.full(len(scores), given.first_label, np.float64)
            if given.labels is not None:
                labels = main_output(given.labels, outputs)[1].astype(np.float64).ravel()
            if not len(corners) == len(scores) == len(labels):
                raise BadDetectionError(
                    f"expected as many scores and labels as boxes, got {len(corners)} boxes, "
                    f"{len(scores)} scores, {len(labels)} labels"
                )
        sure = scores >= given.threshold
        corners, scores = corners[sure], activated(given.scores or name, scores[sure], "none")
        numbers = np.rint(labels[sure]).astype(np.int64) - given.first_label
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(self._categories):
            raise BadDetectionError(
                f"the network gives labels from {labels[sure].min():g} to {labels[sure].max():g}, "
                f"the card has {len(self._categories)} categories from {given.first_label} on"
            )
        return _corners(corners, given.order), scores, numbers

    def _apart(
        self,
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        scores: NDArray[Any],
        labels: NDArray[Any],
    ) -> list[int]:
        """Numbers of the boxes that no better one of the same label overlaps by ``iou`` or more."""
        order: list[int] = np.argsort(-scores, kind="stable").tolist()
        if self._given.iou is None:
            return order
        kept: list[int] = []
        for place in order:
            rivals = [one for one in kept if labels[one] == labels[place]]
            shared = np.minimum(high[rivals], high[place]) - np.maximum(low[rivals], low[place])
            common = shared.clip(0).prod(axis=1)
            whole = (high[rivals] - low[rivals]).prod(axis=1) + (high[place] - low[place]).prod()
            if not (common >= self._given.iou * (whole - common)).any():
                kept.append(place)
        return kept

    def detection(self, device: str) -> Detection:
        """See `reading.Reader`."""
        return Detection(Instances(tuple(self._items), self._grid), device=device)


def _table(name: str, array: NDArray[Any], columns: int) -> NDArray[np.float64]:
    rows = array[0] if array.ndim == 3 and len(array) == 1 else array
    if rows.ndim != 2 or rows.shape[1] != columns:
        raise BadDetectionError(
            f"expected the output {name!r} of shape (n, {columns}) or (1, n, {columns}), got "
            f"{array.shape}"
        )
    return rows.astype(np.float64)


def _corners(boxes: NDArray[np.float64], order: str) -> NDArray[np.float64]:
    """Boxes as row, column, row, column of their corners."""
    if order == "yxyx":
        return boxes
    if order == "cxcywh":
        half = boxes[:, 2:] / 2
        boxes = np.hstack([boxes[:, :2] - half, boxes[:, :2] + half])
    return boxes[:, [1, 0, 3, 2]]


def _point(place: NDArray[np.float64], number: int) -> tuple[float, float, float]:
    values = place.tolist()
    if len(values) == 2:
        return float(number), values[0], values[1]
    return values[0], values[1], values[2]
