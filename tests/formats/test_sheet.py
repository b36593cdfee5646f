"""Contact sheets: which way up, where the lines are, and that nothing is hidden."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow

from delineate.contour import Structure, trace_all
from delineate.formats import nifti, sheet
from delineate.formats.sheet_view import view_of
from delineate.imaging import Category, Grid, Image, LabelMap
from tests.strategies import grids

RED = Category("red", (255, 0, 0))


def drawn(path: Path) -> NDArray[np.uint8]:
    with Pillow.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def is_red(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    red, green, blue = picture.astype(int).transpose(2, 0, 1)
    return (red > 150) & (green < 80) & (blue < 80)


@given(grids())
@settings(deadline=None, max_examples=60)
def test_every_grid_is_hung_as_radiologists_do(grid: Grid) -> None:
    view = view_of(grid)

    assert view.letters in ("RLAP", "RLSI", "APSI")  # left, right, top, bottom
    plane = np.arange(grid.shape[1] * grid.shape[2]).reshape(grid.shape[1:])
    shown = view.samples(plane)
    assert shown.shape == view.size[::-1]
    for row in range(shown.shape[0]):
        for column in range(shown.shape[1]):
            index = np.array([np.unravel_index(shown[row, column], plane.shape)], dtype=float)
            place = view.points(index, width=view.size[0] * 10)[0]
            assert place[0] == pytest.approx(10 * column + 5)
            assert place[1] / view.height(1e6) * 1e6 / (view.size[0] * 10) == pytest.approx(
                (row + 0.5) / shown.shape[0], rel=1e-4
            )


@given(grids(), st.integers(0, 2))
@settings(deadline=None, max_examples=60)
def test_the_letters_tell_where_the_patient_is(grid: Grid, seed: int) -> None:
    """Walking to the right of the picture goes to the side that its right letter names."""
    view = view_of(grid)
    signs = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
    middle = np.array([[1.0, 1.0]])
    for letter, direction in ((view.letters[1], (1, 0)), (view.letters[3], (0, 1))):
        world = []
        for index in ((1.0, 2.0), (2.0, 1.0)):
            step = view.points(np.array([index]), 100.0) - view.points(middle, 100.0)
            along = float(step[0] @ np.array(direction))
            moved = grid.to_world((0, *index)) - grid.to_world((0, 1, 1))
            if abs(along) > 1e-9:
                world.append(moved * np.sign(along))
        axis, sign = signs[letter]
        (move,) = world
        others = [abs(move[k]) for k in range(3) if k != axis]
        if abs(move[axis]) > max(others) + 1e-6:  # else the letter is that of a nearby axis
            assert move[axis] * sign > 0


def test_an_axial_slice_has_the_right_of_the_patient_on_the_left(tmp_path: Path) -> None:
    """A red square at the right front of the patient is at the upper left of the picture."""
    for orientation in ("SPL", "SAR", "IPR", "SLP", "IRA"):
        grid = Grid.regular((2, 40, 40)).oriented(orientation)
        world = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
        mask = (world[..., 0] < 10) & (world[..., 1] < 10) & (world[..., 2] < 0.5)
        labelmap = LabelMap(mask.astype(np.uint8), grid, {1: RED})
        image = Image(np.where(mask, 100, -1000).astype(np.int16), grid, "CT")

        sheet.write(image, trace_all(labelmap), tmp_path / "a.png", width=600)

        rows, columns = np.nonzero(is_red(drawn(tmp_path / "a.png"))[:500])
        assert rows.max() < 200, orientation
        assert columns.max() < 250, orientation


def test_a_line_lies_on_the_border_of_what_it_encloses(tmp_path: Path) -> None:
    grid = Grid.regular((1, 20, 20), (1.0, 2.0, 1.0))  # rows twice as far apart as columns
    mask = np.zeros(grid.shape, np.uint8)
    mask[0, 5:10, 5:15] = 1
    image = Image(np.where(mask, 240, -160).astype(np.int16), grid, "CT")

    sheet.write(image, trace_all(LabelMap(mask, grid, {1: RED})), tmp_path / "a.png", width=632)

    # The picture is 600 wide (margins of 16) and 1200 high: 30 pixels a column, 60 a row.
    rows, columns = np.nonzero(is_red(drawn(tmp_path / "a.png"))[:1216])
    assert abs(columns.min() - (16 + 5 * 30)) <= 2
    assert abs(columns.max() - (16 + 15 * 30)) <= 2
    assert abs(rows.min() - (16 + 5 * 60)) <= 2
    assert abs(rows.max() - (16 + 10 * 60)) <= 2


def test_slices_with_contours_are_preferred(tmp_path: Path) -> None:
    grid = Grid.regular((30, 8, 8))
    mask = np.zeros(grid.shape, np.uint8)
    mask[17, 2:6, 2:6] = 1
    image = Image(np.zeros(grid.shape, np.int16), grid, "CT")

    sheet.write(image, trace_all(LabelMap(mask, grid, {1: RED})), tmp_path / "one.png", width=400)
    sheet.write(image, [Structure(1, RED)], tmp_path / "all.png", most=4, width=400)

    assert is_red(drawn(tmp_path / "one.png"))[:300].any()
    assert not is_red(drawn(tmp_path / "all.png"))[:300].any()


def test_the_window_maps_hounsfield_units_to_grey(tmp_path: Path) -> None:
    grid = Grid.regular((1, 2, 3))
    array = np.broadcast_to(np.array([-500, 40, 900], np.int16), grid.shape)

    sheet.write(Image(array, grid, "CT"), [], tmp_path / "a.png", width=332)

    row = drawn(tmp_path / "a.png")[100, :, 0]
    assert (row[40], row[290]) == (0, 255)
    assert abs(int(row[166]) - 128) <= 2


@pytest.mark.parametrize(
    ("array", "channels", "modality"),
    [
        (np.full((1, 30, 40, 3), (10, 200, 30), np.uint8), ("red", "green", "blue"), "photo"),
        (np.full((1, 30, 40), 200, np.uint8), (), "photo"),
        (np.linspace(0, 60000, 1200).reshape(1, 30, 40).astype(np.uint16), (), "photo"),
        (np.full((1, 30, 40), np.nan, np.float32), (), "MR"),
        (np.zeros((1, 30, 40, 2), np.float32), ("a", "b"), "unknown"),
    ],
)
def test_photographs_and_other_pictures_are_shown(
    tmp_path: Path, array: NDArray[np.generic], channels: tuple[str, ...], modality: str
) -> None:
    grid = Grid.regular((1, 30, 40), unit="px")
    mask = np.zeros(grid.shape, np.uint8)
    mask[0, 10:20, 10:30] = 1

    sheet.write(
        Image(array, grid, modality, channels),
        trace_all(LabelMap(mask, grid, {1: RED})),
        tmp_path / "a.png",
        width=432,
    )

    picture = drawn(tmp_path / "a.png")
    assert is_red(picture)[:316].any()
    if len(channels) == 3:
        assert picture[30, 30].tolist() == [10, 200, 30]


def test_what_was_not_found_and_what_has_no_room_is_said(tmp_path: Path) -> None:
    grid = Grid.regular((1, 4, 4))
    image = Image(np.zeros(grid.shape, np.int16), grid, "CT")
    few = [Structure(n, Category(f"thing {n}")) for n in range(1, 4)]
    many = [Structure(n, Category(f"thing {n}")) for n in range(1, 100)]

    sheet.write(image, few, tmp_path / "few.png", width=800)
    sheet.write(image, many, tmp_path / "many.png", width=800)

    assert drawn(tmp_path / "few.png").shape[1] == 800
    assert drawn(tmp_path / "many.png").shape[0] > drawn(tmp_path / "few.png").shape[0] + 300


def test_a_real_abdomen_is_drawn_alike_every_time(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ct_labelled" / "abdomen_3mm"
    image = nifti.read(folder / "ct.nii.gz")
    structures = trace_all(nifti.read_labels(folder / "labels_v2_117classes_fast_model.nii.gz"))

    for name in ("a.png", "b.png"):
        sheet.write(image, structures[:8], tmp_path / name, most=4, width=800)

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    colours = {structure.category.colour for structure in structures[:8] if structure.contours}
    picture = drawn(tmp_path / "a.png").reshape(-1, 3)[: 500 * 800]
    for colour in colours:
        assert (np.abs(picture - np.array(colour)).max(axis=1) < 40).any()
