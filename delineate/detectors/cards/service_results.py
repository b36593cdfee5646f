"""What a delineate service has found, as what a detector returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from delineate.detectors.cards.card import Card
from delineate.detectors.cards.sending import layers_in, on_samples
from delineate.detectors.cards.server import Session
from delineate.errors import BadDetectionError
from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins import (
    Classes,
    Detection,
    Field,
    Instance,
    Instances,
    Masks,
    Output,
)
from delineate.plugins.wire import grid_from_json

__all__ = ["fetched"]

_SCHEMA = "delineate/delineation/1"
_LARGEST_DOCUMENT = 512 << 20
_ROOM = 1 << 20
_IN_PLANE = 0.01  # of a slice; the document rounds positions to 1e-4 mm
# What the framework says and counts by itself, here as there.
_OWN_NOTE = "cut by the field of view"
_OWN_NUMBERS = ("count", "count_low", "count_high")

Triple = tuple[float, float, float]
Findings = list[dict[str, Any]]


def fetched(session: Session, job: str, card: Card, image: Image) -> Detection:
    """The result of a job that is done.

    Parameters
    ----------
    session
        With the service.
    job
        Its id.
    card
        Whose categories are expected.
    image
        What was sent.

    Raises
    ------
    BadDetectionError
        If the result is of another detector or version, lies on other samples, or holds what the
        card does not declare.
    """
    document = session.json("GET", f"/v1/jobs/{job}/result", limit=_LARGEST_DOCUMENT)
    try:
        return _Result(session, job, card, image, document).detection()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BadDetectionError(
            f"the result of {session.name} is not understood ({type(error).__name__}: {error})"
        ) from error


class _Result:
    def __init__(
        self, session: Session, job: str, card: Card, image: Image, document: Mapping[str, Any]
    ) -> None:
        self._session, self._job, self._image = session, job, image
        self._document = document
        self._categories = {each.name: each.category for each in card.categories}
        self._findings: Findings = document["findings"]
        self._gives = card.gives
        _demand(session.name, card, document)
        self._there = grid_from_json(document["image"]["grid"])
        # A picture with colours is sent without its place; all else lies where the image does.
        moved = not image.channels and not self._there.matches(image.grid, _tolerance(image.grid))
        if moved or self._there.shape != image.grid.shape:
            raise BadDetectionError(
                f"{session.name} has put the image elsewhere: its grid is {self._there.shape} at "
                f"{self._there.affine[:3, 3].tolist()} in {self._there.unit}, expected "
                f"{image.grid.shape} at {image.grid.affine[:3, 3].tolist()} in {image.grid.unit}"
            )

    def detection(self) -> Detection:
        """The whole result."""
        document, numbers = self._document, [one["id"] for one in self._findings]
        made = document["provenance"]
        known = self._gives not in ("classes", "image")
        findings = self._findings if known else []
        return Detection(
            self._output(),
            scores={one["id"]: one["score"] for one in findings if one["score"] is not None},
            notes={
                one["id"]: tuple(note for note in one["notes"] if note != _OWN_NOTE)
                for one in findings
            },
            measurements={
                number: _numbers(one["measurements"])
                for number, one in zip(numbers, findings, strict=False)
            },
            overall=_numbers(document.get("overall", {}), _OWN_NUMBERS),
            remarks=tuple(f"{self._session.name}: {note}" for note in document["notes"]),
            device=f"{self._session.name} {made['device']}".strip(),
            versions={f"{self._session.name} {k}": v for k, v in made["versions"].items()},
        )

    def _output(self) -> Output:
        grid = self._image.grid
        if self._gives == "labelmap":
            named = {one["id"]: self._category(one) for one in self._findings}
            return LabelMap(self._layers("nifti")[0].array, grid, named)
        if self._gives == "masks":
            return self._masks()
        if self._gives == "instances":
            return Instances(tuple(map(self._instance, self._findings)), grid)
        if self._gives == "classes":
            return Classes({self._category(one): one["score"] for one in self._findings})
        if self._gives == "field":
            return self._field()
        return self._restored()

    def _category(self, finding: Mapping[str, Any]) -> Category:
        name = finding["category"]["name"]
        if name not in self._categories:
            raise BadDetectionError(
                f"{self._session.name} found {name!r}, which the card does not declare; remove it "
                "and add it again"
            )
        return self._categories[name]

    def _layers(self, format: str) -> tuple[LabelMap, ...]:  # noqa: A002
        path = f"/v1/jobs/{self._job}/exports/{format}"
        most = 4 * self._image.array.size * max(1, len(self._findings)) + _ROOM
        content = self._session.request("GET", path, limit=most).body
        placed = on_samples(layers_in(content, self._session.name), self._session.name, self._there)
        stray = {n for one in placed for n in one.present()} - {f["id"] for f in self._findings}
        if stray:
            raise BadDetectionError(f"{self._session.name} sent labels {sorted(stray)} unsaid")
        return placed

    def _masks(self) -> Masks:
        layers = self._layers("masks") if self._findings else ()
        array = np.zeros((len(self._findings), *self._image.grid.shape), np.bool_)
        for place, one in enumerate(self._findings):
            for layer in layers:
                array[place] |= layer.mask(one["id"])
        return Masks(array, self._image.grid, tuple(map(self._category, self._findings)))

    def _instance(self, finding: Mapping[str, Any]) -> Instance:
        def index(points: Any) -> NDArray[np.float64]:
            return self._there.to_index(points)

        def triple(values: NDArray[np.float64]) -> Triple:
            return cast(Triple, tuple(values.tolist()))

        polygon, box, point = None, finding["box"], finding["point"]
        if finding["contours"]:
            polygon = index(finding["contours"][0]["points"])
            level = np.rint(polygon[:, 0].mean())
            if np.abs(polygon[:, 0] - level).max() > _IN_PLANE:
                raise BadDetectionError(f"{self._session.name} drew an outline across slices")
            polygon[:, 0] = level
        if box is not None:
            corners = index(box)
            box = triple(corners.min(axis=0)), triple(corners.max(axis=0))
        score = 1.0 if finding["score"] is None else finding["score"]
        return Instance(
            self._category(finding),
            score,
            point=None if point is None else triple(index(point)),
            box=box,
            polygon=polygon,
        )

    def _field(self) -> Field:
        one = self._findings[0]
        told = one["measurements"]
        array, _ = self._samples()
        return Field(
            array.astype(np.float32, copy=False),
            self._image.grid,
            self._category(one),
            str(told["meaning"]),
            float(told["threshold"]),
        )

    def _restored(self) -> Image:
        array, affine = self._samples()
        image = self._image
        here = image.grid.affine @ self._there.inverse @ affine
        here[3] = (0.0, 0.0, 0.0, 1.0)
        shape = (array.shape[0], array.shape[1], array.shape[2])
        channels = image.channels if array.ndim == 4 else ()
        return Image(array, Grid(shape, here, image.grid.unit), image.modality, channels)

    def _samples(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Samples of a field or a restored image, and the affine of their grid."""
        path, most = f"/v1/jobs/{self._job}/samples", 2048 * self._image.array.size + _ROOM
        answer = self._session.request("GET", path, limit=most)
        shape = tuple(int(n) for n in answer.headers["x-shape"].split(","))
        dtype = np.dtype(answer.headers["x-dtype"]).newbyteorder("<")
        affine = np.array(answer.headers["x-affine"].split(","), np.float64).reshape(4, 4)
        array = np.frombuffer(answer.body, dtype).reshape(shape)
        return array.astype(dtype.newbyteorder("="), copy=False), affine


def _demand(server: str, card: Card, document: Mapping[str, Any]) -> None:
    """Refuse a result that is not of the detector and version that the card was added with."""
    part, detector = card.delineate, document["detector"]
    assert part is not None
    if document["schema"] != _SCHEMA:
        raise BadDetectionError(
            f"{server} answers by results of schema {document['schema']!r}, expected {_SCHEMA!r}; "
            "its delineate is another version"
        )
    came = detector["id"], detector["version"], detector["gives"]
    if came != (part.detector, part.version, card.gives):
        raise BadDetectionError(
            f"{server} ran {came[0]} version {came[1]} (giving {came[2]}), the card was added with "
            f"{part.detector} version {part.version} (giving {card.gives}); remove the card and "
            "add it again"
        )


def _tolerance(grid: Grid) -> float:
    return 0.01 * min(grid.spacing)


def _numbers(values: Mapping[str, Any], without: tuple[str, ...] = ()) -> dict[str, float]:
    """Plain numbers among measurements."""
    return {
        name: float(value)
        for name, value in values.items()
        if type(value) in (int, float) and name not in without
    }
