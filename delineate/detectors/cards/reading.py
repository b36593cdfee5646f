"""Outputs of a network as what they mean: one reader for each form that a card may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from delineate.detectors.cards.interpretation import (
    BoxesOutput,
    ClassesOutput,
    FieldOutput,
    ImageOutput,
    LabelsOutput,
    MasksOutput,
    OutputPart,
    PeaksOutput,
)
from delineate.detectors.cards.reading_things import BoxesReader, PeaksReader
from delineate.detectors.cards.tensor_values import activated, main_output, maps_of, softmax
from delineate.detectors.cards.tensors import Frame
from delineate.errors import BadDetectionError, UnsuitableImageError
from delineate.imaging import Category, Image, LabelMap
from delineate.plugins import Classes, Detection, Field, Masks

__all__ = ["Reader", "reader_of"]

Outputs = Mapping[str, NDArray[Any]]
Categories = tuple[Category, ...]


class Reader(Protocol):
    """Takes the outputs for one slice after the other, or for the whole volume at once."""

    def read(self, number: int, frame: Frame, outputs: Outputs, channels_last: bool) -> None:
        """Take the outputs for slice ``number``, or 0 for the whole volume."""
        ...

    def detection(self, device: str) -> Detection:
        """What all of them say."""
        ...


def reader_of(
    given: OutputPart, categories: Categories, image: Image, threshold: float | None
) -> Reader:
    """A reader for one image; ``threshold`` takes the place of the card's."""
    if threshold is not None:
        given = given.model_copy(update={"threshold": threshold})
    if isinstance(given, LabelsOutput):
        return _LabelsReader(given, categories, image)
    if isinstance(given, MasksOutput):
        return _MasksReader(given, categories, image)
    if isinstance(given, FieldOutput):
        return _FieldReader(given, categories, image)
    if isinstance(given, ClassesOutput):
        return _ClassesReader(given, categories)
    if isinstance(given, PeaksOutput):
        return PeaksReader(given, categories, image)
    if isinstance(given, BoxesOutput):
        return BoxesReader(given, categories, image)
    return _ImageReader(given, image)


class _LabelsReader:
    def __init__(self, given: LabelsOutput, categories: Categories, image: Image) -> None:
        self._given, self._categories, self._grid = given, categories, image.grid
        self._first = 0 if given.background and given.activation != "sigmoid" else 1
        dtype = np.uint8 if len(categories) < 256 else np.uint16
        self._labels: NDArray[Any] = np.zeros(image.grid.shape, dtype)
        self._sums = np.zeros(len(categories) + 1)

    def read(self, number: int, frame: Frame, outputs: Outputs, channels_last: bool) -> None:
        name, array = main_output(self._given.name, outputs)
        if self._given.activation == "index":
            found = self._indices(name, frame.spread(maps_of(name, array, frame, False), order=0))
            certain = np.ones(found.shape, np.float32)
        else:
            maps = maps_of(name, array, frame, channels_last)
            self._demand_channels(name, len(maps))
            certain, found = self._likeliest(
                frame.spread(activated(name, maps, self._given.activation))
            )
        self._labels[_part(found, number)] = found
        weights = certain.ravel().astype(np.float64)
        self._sums += np.bincount(found.ravel(), weights, len(self._sums))

    def _demand_channels(self, name: str, channels: int) -> None:
        expected = len(self._categories) + 1 - self._first
        if channels != expected:
            raise BadDetectionError(
                f"expected {expected} channels of the output {name!r}, "
                f"{'the background and ' if not self._first else ''}one for each category, got "
                f"{channels}"
            )

    def _likeliest(self, maps: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        found = (maps.argmax(axis=0) + self._first).astype(self._labels.dtype)
        certain = maps.max(axis=0)
        if self._given.activation == "sigmoid":
            found[certain < self._given.threshold] = 0
        return certain, found

    def _indices(self, name: str, maps: NDArray[Any]) -> NDArray[Any]:
        if len(maps) != 1:
            raise BadDetectionError(f"expected one map of labels in {name!r}, got {len(maps)}")
        labels, most = np.rint(maps[0]).astype(np.int64) + self._first, len(self._categories)
        if labels.min() < 0 or labels.max() > most:
            raise BadDetectionError(
                f"the output {name!r} holds labels from {maps.min():g} to {maps.max():g}, the card "
                f"has {most} categories"
            )
        return np.asarray(labels, self._labels.dtype)

    def detection(self, device: str) -> Detection:
        counts = np.bincount(self._labels.ravel(), minlength=len(self._sums))
        numbers = range(1, len(self._sums))
        scores = {}
        if self._given.activation != "index":
            scores = {n: min(1.0, self._sums[n] / counts[n]) for n in numbers if counts[n]}
        named = dict(enumerate(self._categories, 1))
        return Detection(LabelMap(self._labels, self._grid, named), scores=scores, device=device)


class _MasksReader:
    def __init__(self, given: MasksOutput, categories: Categories, image: Image) -> None:
        self._given, self._categories, self._grid = given, categories, image.grid
        self._masks = np.zeros((len(categories), *image.grid.shape), np.bool_)

    def read(self, number: int, frame: Frame, outputs: Outputs, channels_last: bool) -> None:
        name, array = main_output(self._given.name, outputs)
        maps = maps_of(name, array, frame, channels_last, len(self._categories))
        found = frame.spread(activated(name, maps, self._given.activation)) >= self._given.threshold
        self._masks[(slice(None), *_part(found[0], number))] = found

    def detection(self, device: str) -> Detection:
        return Detection(Masks(self._masks, self._grid, self._categories), device=device)


class _FieldReader:
    def __init__(self, given: FieldOutput, categories: Categories, image: Image) -> None:
        self._given, self._category, self._grid = given, categories[0], image.grid
        self._field = np.zeros(image.grid.shape, np.float32)

    def read(self, number: int, frame: Frame, outputs: Outputs, channels_last: bool) -> None:
        name, array = main_output(self._given.name, outputs)
        maps, channel = maps_of(name, array, frame, channels_last), self._given.channel
        if channel >= len(maps):
            raise BadDetectionError(
                f"the card names channel {channel} (counted from 0) of {name!r}, which has "
                f"{len(maps)}"
            )
        if self._given.activation != "none":  # else a score of any range
            maps = activated(name, maps, self._given.activation)
        found = frame.spread(maps[channel : channel + 1])[0]
        self._field[_part(found, number)] = found

    def detection(self, device: str) -> Detection:
        given = self._given
        field = Field(self._field, self._grid, self._category, given.meaning, given.threshold)
        return Detection(field, device=device)


class _ClassesReader:
    def __init__(self, given: ClassesOutput, categories: Categories) -> None:
        self._given, self._categories = given, categories
        self._values = np.zeros(len(categories))

    def read(self, number: int, frame: Frame, outputs: Outputs, channels_last: bool) -> None:
        if number:
            raise UnsuitableImageError("this network says of one slice what it is; choose a slice")
        name, array = main_output(self._given.name, outputs)
        values = array.astype(np.float64).ravel()
        if len(values) != len(self._categories):
            raise BadDetectionError(
                f"expected {len(self._categories)} numbers in {name!r}, one for each category, got "
                f"the shape {array.shape}"
            )
        if self._given.activation == "none":
            self._values = activated(name, values, "none")
            return
        values = values / self._given.temperature
        one = self._given.activation == "sigmoid"
        self._values = activated(name, values, "sigmoid") if one else softmax(values)

    def detection(self, device: str) -> Detection:
        pairs = zip(self._categories, self._values.tolist(), strict=True)
        return Detection(Classes(dict(pairs)), device=device)


class _ImageReader:
    def __init__(self, given: ImageOutput, image: Image) -> None:
        self._given, self._image = given, image
        self._parts: list[NDArray[Any]] = []

    def read(self, number: int, frame: Frame, outputs: Outputs, channels_last: bool) -> None:
        name, array = main_output(self._given.name, outputs)
        maps = maps_of(name, array, frame, channels_last, len(self._image.channels) or 1)
        factor = self._given.factor
        expected = tuple(n * factor for n in frame.target)
        if maps.shape[1:] != expected:
            raise BadDetectionError(
                f"expected {expected} samples in {name!r}, {factor} times those of the input, got "
                f"{maps.shape[1:]}"
            )
        maps = maps[(slice(None), *(slice(n * factor) for n in frame.extent))]
        values = maps.astype(np.float32) * np.float32(self._given.scale) + self._given.offset
        if self._given.clip is not None:
            values = values.clip(*self._given.clip)
        self._parts.append(values if values.ndim == 4 else values[:, None])

    def detection(self, device: str) -> Detection:
        image, values = self._image, np.concatenate(self._parts, axis=1)
        array = np.moveaxis(values, 0, -1) if image.channels else values[0]
        whole = len(self._parts) == 1 and len(array) == image.grid.shape[0] * self._given.factor
        finer = np.array(
            [self._given.factor if whole else 1, self._given.factor, self._given.factor]
        )
        a, b, c = (np.array(image.grid.spacing) / finer).tolist()
        grid = image.grid.with_spacing((a, b, c))
        restored = Image(np.ascontiguousarray(array), grid, image.modality, image.channels)
        return Detection(restored, device=device)


def _part(found: NDArray[Any], number: int) -> tuple[Any, ...]:
    """Where samples of one slice, or of all, go."""
    return (number,) if found.ndim == 2 else (slice(None),)
