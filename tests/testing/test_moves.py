"""Pictures stored in another way, and what was found in them brought back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins import Classes, Field, Instance, Instances, Masks, Output
from delineate.testing.difference import Difference, compare
from delineate.testing.moves import Move, enlarged

DOT = Category("dot")


@st.composite
def moves(draw: st.DrawFn) -> Move:
    a, b, c = draw(st.permutations((0, 1, 2)))
    border = tuple(draw(st.integers(0, 4)) for _ in range(3))
    flips = tuple(draw(st.booleans()) for _ in range(3))
    return Move((a, b, c), flips, border)  # type: ignore[arg-type]


@st.composite
def images(draw: st.DrawFn) -> Image:
    shape = tuple(draw(st.integers(1, 5)) for _ in range(3))
    array = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 200, shape, np.uint8)
    affine = np.eye(4)
    affine[:3, :3] = [[0.1, 0.2, 1.0], [0.0, 1.5, 0.1], [2.0, 0.3, 0.0]]
    affine[:3, 3] = (3, -4, 5)
    return Image(array, Grid(shape, affine), "MR")  # type: ignore[arg-type]


def every_kind(image: Image) -> list[Output]:
    """What detectors that treat every sample alike would say of an image."""
    array, grid = image.array, image.grid
    dots = np.argwhere(array > 150)
    items = (Instance(DOT, 1.0, point=(float(a), float(b), float(c))) for a, b, c in dots)
    boxes = (Instance(DOT, 1.0, box=(tuple(at - 0.5), tuple(at + 0.5))) for at in dots)
    return [
        LabelMap(array > 150, grid, {1: DOT}),
        Masks(np.stack([array > 100]), grid, (DOT,)),
        Instances(tuple(items), grid),
        Instances(tuple(boxes), grid),
        Classes({DOT: 0.3}),
        Field(array / np.float32(255), grid, DOT, "brightness", 0.5),
        Image(array.repeat(2, 0).repeat(2, 1).repeat(2, 2), finer(grid)),
    ]


def finer(grid: Grid) -> Grid:
    slices, rows, columns = grid.spacing
    return grid.with_spacing((slices / 2, rows / 2, columns / 2))


@given(images(), moves())
def test_each_sample_stays_where_it_is_in_the_world(image: Image, move: Move) -> None:
    moved = move.image(image)

    assert moved.array.shape == moved.grid.shape
    for index in np.ndindex(*image.grid.shape):
        place = np.rint(moved.grid.to_index(image.grid.to_world(index))).astype(int)
        assert moved.array[tuple(place)] == image.array[index]


@given(images(), moves())
def test_what_is_found_in_a_moved_picture_comes_back_the_same(image: Image, move: Move) -> None:
    for found, expected in zip(every_kind(move.image(image)), every_kind(image), strict=True):
        back = move.output(found, image.grid)

        assert compare(back, expected) == Difference(0.0)


@given(images())
def test_an_enlarged_picture_repeats_itself(image: Image) -> None:
    shape = tuple(2 * size + 1 for size in image.grid.shape)
    large = enlarged(image, shape)  # type: ignore[arg-type]

    a, b, c = image.grid.shape
    np.testing.assert_array_equal(large.array[:a, :b, :c], image.array)
    np.testing.assert_array_equal(large.array[a : 2 * a, :b, c : 2 * c], image.array)


def _dots(*places: tuple[float, float, float]) -> Instances:
    items = tuple(Instance(DOT, 1.0, point=place) for place in places)
    return Instances(items, Grid.regular((1, 90, 90), unit="px"))


def _row(text: str, **more: Any) -> LabelMap:
    array = np.array([[[int(letter) for letter in text]]], np.uint8)
    return LabelMap(array, Grid.regular(array.shape, unit="px"), {1: DOT, 2: Category("dash")})


@pytest.mark.parametrize(
    ("came", "expected", "share", "samples"),
    [
        (_row("0110"), _row("0110"), 0.0, 0.0),
        (_row("0011"), _row("0110"), 0.5, 1.0),  # one of two in common
        (_row("0000"), _row("0000"), 0.0, 0.0),  # both without: the same
        (_row("0000"), _row("0110"), 1.0, 0.0),
        (_row("1122"), _row("1102"), 1 / 3, 1.5 / 7),  # of the dashes
        (_dots((0, 5, 5), (0, 40, 40)), _dots((0, 5, 5), (0, 40, 40)), 0.0, 0.0),
        (_dots((0, 5, 6), (0, 40, 41)), _dots((0, 5, 5), (0, 40, 40)), 0.0, 1.0),
        (_dots((0, 5, 5), (0, 5, 7)), _dots((0, 5, 5)), 1 / 3, 0.0),  # counted twice
        (_dots((0, 5, 5)), _dots((0, 60, 60)), 1.0, 0.0),
        (_dots(), _dots(), 0.0, 0.0),
        (Classes({DOT: 0.3}), Classes({DOT: 0.8}), 0.5, 0.0),
    ],
)
def test_differences_are_as_worked_out_by_hand(
    came: Output, expected: Output, share: float, samples: float
) -> None:
    difference = compare(came, expected)

    assert difference.share == pytest.approx(share)
    assert difference.samples == pytest.approx(samples)
