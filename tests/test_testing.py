"""The suite for detectors catches those that are bad guests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from delineate.errors import DetectorError
from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins import DetectorSpec, Options
from delineate.testing import DetectorTests

SPOT = Category("spot")
GRID = Grid.regular((2, 6, 7))
CALLS = count(1)


class Good:
    def detect(self, image: Image, options: Options) -> LabelMap:
        return LabelMap((image.array > 0).astype(np.uint8), image.grid, {1: SPOT})


class Fickle:
    def detect(self, image: Image, options: Options) -> LabelMap:
        array = np.zeros(image.grid.shape, np.uint8)
        array.flat[: next(CALLS)] = 1
        return LabelMap(array, image.grid, {1: SPOT})


class Meddler(Good):
    def detect(self, image: Image, options: Options) -> LabelMap:
        found = super().detect(image, options)
        if isinstance(image.array.base, np.ndarray):
            image.array.base[...] = 7
        return found


class Fragile(Good):
    def detect(self, image: Image, options: Options) -> LabelMap:
        if not image.array.any():
            raise ZeroDivisionError("nothing there")
        return super().detect(image, options)


class Undescribed(Options):
    depth: int = 3


class Demanding(Options):
    depth: int = Field(description="How deep.")


SPEC = DetectorSpec(id="guest", title="Guest", factory="test_testing:Good", categories=(SPOT,))


def suite(**declared: Any) -> DetectorTests:
    class Suite(DetectorTests):
        detector_id = "guest"
        spec = replace(SPEC, **declared)  # type: ignore[assignment]  # as if it were installed

        def sample(self) -> Image:
            array = np.zeros(GRID.shape, np.int16)
            array[1, 2:4, 2:5] = 1
            return Image(array, GRID)

    return Suite()


def laws(of: DetectorTests) -> dict[str, Callable[[], None]]:
    installed = {"test_listing_it_imports_no_framework"}
    names = [name for name in dir(of) if name.startswith("test_") and name not in installed]
    return {name: getattr(of, name) for name in names}


def test_a_good_guest_passes() -> None:
    for law in laws(suite()).values():
        law()


@pytest.mark.parametrize(
    ("declared", "law"),
    [
        ({"factory": "test_testing:Fickle"}, "test_it_finds_the_same_twice"),
        ({"factory": "test_testing:Meddler"}, "test_it_leaves_the_image_alone"),
        ({"factory": "test_testing:Fragile"}, "test_it_survives_a_blank_image"),
        ({"categories": (Category("other"),)}, "test_it_finds_only_what_it_declares"),
        ({"options": Undescribed}, "test_every_option_has_a_default_and_a_description"),
        ({"options": Demanding}, "test_every_option_has_a_default_and_a_description"),
    ],
)
def test_a_bad_guest_is_caught(declared: dict[str, Any], law: str) -> None:
    with pytest.raises((AssertionError, DetectorError)):
        laws(suite(**declared))[law]()


def test_a_suite_without_a_sample_says_so() -> None:
    class Bare(DetectorTests):
        detector_id = "guest"

    with pytest.raises(NotImplementedError, match="Bare must define sample"):
        Bare().sample()
