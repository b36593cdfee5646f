"""Outputs as JSON and back, and the contract's own checks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from misbehaving import KIDNEY, LIVER, outputs
from strategies import grids, labelmaps

from delineate.errors import GeometryError
from delineate.imaging import Category, Code, Grid, LabelMap, category_from_json, category_json
from delineate.plugins import Classes, Detection, DetectorSpec, Field, Instance, Masks, Wants
from delineate.plugins.wire import (
    grid_from_json,
    grid_json,
    pack,
    pack_detection,
    unpack,
    unpack_detection,
)

GRID = Grid.regular((2, 3, 4))


@given(
    st.builds(
        Category,
        st.text(min_size=1).filter(str.strip),
        st.tuples(*[st.integers(0, 255)] * 3),
        st.none() | st.builds(Code, st.text(), st.text(), st.text()),
        st.sampled_from((None, "left", "right")),
    )
)
@settings(deadline=None, max_examples=50)
def test_a_category_comes_back(category: Category) -> None:
    assert category_from_json(json.loads(json.dumps(category_json(category)))) == category


@given(grids())
@settings(deadline=None, max_examples=50)
def test_a_grid_comes_back_to_the_last_bit(grid: Grid) -> None:
    back = grid_from_json(json.loads(json.dumps(grid_json(grid))))

    assert back.shape == grid.shape
    assert back.unit == grid.unit
    np.testing.assert_array_equal(back.affine, grid.affine)


@given(labelmaps())
@settings(deadline=None, max_examples=50)
def test_a_label_map_comes_back(labelmap: LabelMap) -> None:
    document, array = pack(labelmap)

    back = unpack(json.loads(json.dumps(document)), array)

    assert isinstance(back, LabelMap)
    assert back.grid.matches(labelmap.grid, 0)
    assert back.categories == labelmap.categories
    np.testing.assert_array_equal(back.array, labelmap.array)


@given(grids(max_size=4))
@settings(deadline=None, max_examples=50)
def test_every_kind_comes_back(grid: Grid) -> None:
    for detection in outputs(grid).values():
        document, array = pack_detection(detection)
        again, samples = pack_detection(unpack_detection(json.loads(json.dumps(document)), array))
        assert again == document
        np.testing.assert_array_equal(array, samples)


def test_an_unknown_kind_or_a_missing_array_is_refused() -> None:
    document, array = pack(LabelMap(np.zeros(GRID.shape, np.uint8), GRID, {1: LIVER}))
    with pytest.raises(ValueError, match="expected an array"):
        unpack(document, None)
    with pytest.raises(ValueError, match="expected an output of kind labelmap, masks"):
        unpack({**document, "kind": "poem"}, array)


def test_scores_and_shapes_are_checked_where_they_are_made() -> None:
    with pytest.raises(ValueError, match="score from 0 to 1, got nan"):
        Instance(LIVER, float("nan"), point=(0, 0, 0))
    with pytest.raises(ValueError, match="needs a point, a box or a polygon"):
        Instance(LIVER, 0.5)
    with pytest.raises(ValueError, match="probability for 'liver', got"):
        Classes({LIVER: 1.5})
    with pytest.raises(ValueError, match="score from 0 to 1 for 3, got -1"):
        Detection(Classes({LIVER: 1.0}), scores={3: -1})
    with pytest.raises(ValueError, match="expected masks of bool"):
        Masks(np.zeros((1, 2, 3, 4), np.uint8), GRID, (LIVER,))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected a float field"):
        Field(np.zeros(GRID.shape, int), GRID, LIVER, "odd", 0.5)


@pytest.mark.parametrize(
    ("declared", "error", "message"),
    [
        ({"id": "No Id"}, ValueError, "lower-case words joined by dots or dashes"),
        ({"factory": "m.C"}, ValueError, "expected a factory 'package.module:Class'"),
        ({"gives": "labels"}, ValueError, "gives is one of .*'labelmap'.*got 'labels'"),
        ({"task": "guessing"}, ValueError, "task is one of"),
        ({"options": dict}, TypeError, "expected options to be a subclass of delineate.Options"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(
    declared: dict[str, Any], error: type[Exception], message: str
) -> None:
    sound = {"id": "x", "title": "X", "factory": "m:C"}
    with pytest.raises(error, match=message):
        DetectorSpec(**(sound | declared))


def test_wants_that_make_no_sense_are_refused() -> None:
    with pytest.raises(GeometryError, match="expected an orientation such as 'SPL'"):
        Wants(orientation="XYZ")
    for steps in ((1.0, 2.0), (1.0, 0.0, 1.0), (1.0, float("inf"), 1.0)):
        with pytest.raises(ValueError, match="expected spacing_mm as three positive numbers"):
            Wants(spacing_mm=steps)  # type: ignore[arg-type]


def test_a_spec_declares_each_name_once() -> None:
    with pytest.raises(ValueError, match="declares a category name twice"):
        DetectorSpec(
            id="x", title="X", factory="m:C", categories=(KIDNEY, Category("kidney", (9, 9, 9)))
        )
