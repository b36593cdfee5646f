"""Generated traps and cells: what they tell of themselves is what they show."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from delineate.phantom.cells import cells, write_cells
from delineate.phantom.trap_insects import KINDS, insect
from delineate.phantom.traps import trap, write_traps

SHAPE = (160, 200)


@settings(max_examples=12)
@given(st.integers(0, 10_000))
def test_a_seed_gives_one_trap_with_its_insects_on_it(seed: int) -> None:
    made, again = trap(seed, SHAPE), trap(seed, SHAPE)

    np.testing.assert_array_equal(made.image.array, again.image.array)
    np.testing.assert_array_equal(made.points, again.points)
    assert made.image.array.shape == (1, *SHAPE, 3)
    assert made.image.array.dtype == np.uint8
    assert len(made.points) == len(made.lengths) == len(made.kinds)
    assert ((made.points >= 0) & (made.points <= np.array([0, 159, 199]))).all()


def test_what_is_asked_for_is_made() -> None:
    made = trap(3, SHAPE, kinds=("moth", "ant"), length_px=20, count=9, px_per_mm=5)

    assert len(made.points) == 9
    assert set(made.kinds) <= {"moth", "ant"}
    assert 12 < made.lengths.mean() < 30
    assert made.image.grid.unit == "mm"
    np.testing.assert_allclose(made.image.grid.spacing[1:], 0.2)


def test_insects_are_darker_than_a_white_card_around_them() -> None:
    for seed in range(4):
        made = trap(seed, SHAPE, background="white", kinds=("beetle",), length_px=24, count=6)
        grey = made.image.array[0].mean(axis=-1)
        rows, columns = np.rint(made.points[:, 1:]).astype(int).T

        assert np.median(grey[rows, columns]) < np.median(grey) - 40


def test_none_is_made_where_none_is_asked_for() -> None:
    assert len(trap(5, SHAPE, count=0).points) == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [6.0, 30.0])
def test_an_insect_is_as_long_as_it_is_told_and_opaque_in_its_middle(
    kind: str, length: float
) -> None:
    drawn = insect(kind, length, np.random.default_rng(4))
    opacity = drawn[..., 3]
    places = np.argwhere(opacity > 0.4)
    extent = np.hypot(*np.ptp(places, axis=0))
    middle = len(drawn) // 2

    assert drawn.shape == (len(drawn), len(drawn), 4)
    assert len(drawn) % 2 == 1
    assert (drawn[..., :3] <= opacity[..., None] + 1e-6).all()
    assert opacity[middle - 1 : middle + 2, middle - 1 : middle + 2].max() > 0.3
    assert 0.6 * length <= extent <= 2.2 * length


@settings(max_examples=12)
@given(st.integers(0, 10_000))
def test_cells_are_darker_than_what_is_around_them(seed: int) -> None:
    pixels, points = cells(seed)
    rows, columns = np.rint(points).astype(int).T

    assert 5 <= len(points) <= 40
    assert pixels[rows, columns, 1].max() < np.median(pixels[..., 1])


def test_cells_are_written_with_their_points(tmp_path: Path) -> None:
    paths = write_cells(tmp_path, 2, seed=4)
    with (tmp_path / "points.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))

    assert [path.name for path in paths] == ["cells_00.png", "cells_01.png"]
    points = [(float(r["y_px"]), float(r["x_px"])) for r in rows if r["image"] == "cells_01.png"]
    np.testing.assert_array_equal(points, cells(4001)[1])


def test_traps_are_written_with_their_points_and_lengths(tmp_path: Path) -> None:
    write_traps(tmp_path, 2, (64, 96), seed=6)
    with (tmp_path / "points.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["image"] == "trap_000007.png"]

    made = trap(7, (64, 96))
    with Image.open(tmp_path / "trap_000007.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), made.image.array[0])
    points = [(float(row["y_px"]), float(row["x_px"])) for row in rows]
    np.testing.assert_array_equal(points, made.points[:, 1:])
    np.testing.assert_allclose([float(row["size_px"]) for row in rows], made.lengths, atol=0.01)
