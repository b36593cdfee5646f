"""A detector is held to what it declares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from misbehaving import KIDNEY, LIVER, outputs, sampler
from strategies import grids

from delineate.errors import BadDetectionError
from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins import Classes, Detection, Field, Instance, Instances, Masks
from delineate.plugins.verify import verify

GRID = Grid.regular((2, 3, 4), (3.0, 1.0, 1.0))
IMAGE = Image(np.zeros(GRID.shape, np.int16), GRID)
STRANGER = Category("spleen")
ZEROS = np.zeros(GRID.shape, np.uint8)
SHIFTED = Grid.regular((2, 3, 4), (3.0, 1.0, 1.0), (5.0, 0.0, 0.0))


def labels(array: np.ndarray = ZEROS, grid: Grid = GRID, **named: Category) -> LabelMap:
    return LabelMap(array, grid, {int(n[1:]): c for n, c in (named or {"_1": LIVER}).items()})


@given(grids(max_size=4))
@settings(deadline=None, max_examples=50)
def test_every_kind_on_any_grid_passes(grid: Grid) -> None:
    image = Image(np.zeros(grid.shape, np.uint8), grid)
    for kind, detection in outputs(grid).items():
        verify(detection, sampler(kind), image)


@pytest.mark.parametrize(
    ("kind", "output", "message"),
    [
        ("masks", labels(), "declares to give 'masks' but returned 'labelmap'"),
        ("labelmap", labels(grid=SHIFTED), "elsewhere in space; use image.grid"),
        ("labelmap", labels(np.zeros((2, 3, 5), np.uint8), Grid.regular((2, 3, 5))),
         r"was given a grid of shape \(2, 3, 4\) and spacing 3x1x1 mm, but returned one of shape"),
        ("labelmap", labels(_1=STRANGER), r"declares \['kidney', 'liver'\] but returned"),
        ("labelmap", labels(_1=Category("liver", (1, 1, 1))), "differ from what is declared in"),
        ("labelmap", labels(ZEROS + 3), r"returned the labels \[3\] without saying what they are"),
        ("masks", Masks(np.zeros((1, 2, 3, 4), bool), GRID, (STRANGER,)), "returned .'spleen'"),
        ("masks", Masks(np.zeros((1, 2, 3, 4), bool), SHIFTED, (LIVER,)), "elsewhere"),
        ("classes", Classes({STRANGER: 0.5}), "returned .'spleen'"),
        ("instances", Instances((Instance(STRANGER, 1, point=(0, 0, 0)),), GRID), "'spleen'"),
        ("instances", Instances((Instance(LIVER, 1, point=(0, np.nan, 0)),), GRID),
         "returned instance 1 with the point"),
        ("instances", Instances((Instance(LIVER, 1, box=((0, 0, 0), (1, 1))),), GRID),  # type: ignore[arg-type]
         "returned instance 1 with the box"),
        ("instances", Instances((Instance(LIVER, 1, polygon=np.zeros((2, 3))),), GRID),
         r"polygon of shape \(2, 3\); expected finite"),
        ("instances", Instances((Instance(LIVER, 1, polygon=np.eye(3)),), GRID), "not in one sl"),
        ("field", Field(ZEROS + np.nan, GRID, LIVER, "odd", 0.5), "holds NaN"),
        ("field", Field(ZEROS + 1.0, GRID, LIVER, "odd", np.inf), "holds NaN or inf"),
        ("field", Field(ZEROS + 1.0, GRID, STRANGER, "odd", 0.5), "'spleen'"),
        ("image", Image(ZEROS + np.nan, GRID), "an image that holds NaN"),
        ("image", Image(ZEROS, Grid.regular((2, 3, 4), unit="px")), "grid in mm, returned px"),
    ],
)  # fmt: skip
def test_what_was_not_declared_is_refused(kind: str, output: Any, message: str) -> None:
    with pytest.raises(BadDetectionError, match=message) as caught:
        verify(Detection(output), sampler(kind), IMAGE)
    assert caught.value.detector_id == f"sampler.{kind}"
    assert f"detector sampler.{kind} " in str(caught.value)


@pytest.mark.parametrize(
    "what", [{"scores": {7: 0.5}}, {"notes": {7: ("odd",)}}, {"measurements": {7: {"a": 1.0}}}]
)
def test_scores_notes_and_measurements_belong_to_something(what: dict[str, Any]) -> None:
    for kind, detection in outputs(GRID).items():
        with pytest.raises(BadDetectionError, match=r"scores, notes or measurements for \[7\]"):
            verify(Detection(detection.output, **what), sampler(kind), IMAGE)


@pytest.mark.parametrize("value", [{"a": np.nan}, {"Not a name": 1.0}, {"a": np.inf}])
def test_a_measurement_is_a_finite_number_under_a_plain_name(value: dict[str, float]) -> None:
    detection = Detection(labels(_1=LIVER, _4=KIDNEY), measurements={4: value})

    with pytest.raises(BadDetectionError, match="not a finite number under a name such as"):
        verify(detection, sampler("labelmap"), IMAGE)


def test_a_category_looked_for_and_not_found_may_have_a_score() -> None:
    detection = Detection(labels(_1=LIVER, _4=KIDNEY), scores={4: 0.1})

    verify(detection, sampler("labelmap"), IMAGE)


def test_a_restored_image_may_be_finer() -> None:
    fine = GRID.with_spacing((1.0, 0.5, 0.5))

    verify(Detection(Image(np.zeros(fine.shape), fine)), sampler("image"), IMAGE)
