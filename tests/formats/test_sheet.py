"""Contact sheets: which way up, where the lines are, and that nothing is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow

from delineate.contour import Structure, trace_all
from delineate.errors import GeometryError
from delineate.formats import nifti, sheet, sheet_marks
from delineate.formats.drawing import Drawing, Heat
from delineate.formats.marks import Mark
from delineate.formats.sheet_view import view_of
from delineate.imaging import Category, Grid, Image, LabelMap
from tests.strategies import grids

RED = Category("red", (255, 0, 0))


def drawn(path: Path) -> NDArray[np.uint8]:
    with Pillow.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def outlined(image: Image, structures: Sequence[Structure]) -> Drawing:
    return Drawing(image=image, structures=tuple(structures))


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

        sheet.write(outlined(image, trace_all(labelmap)), tmp_path / "a.png", width=600)

        rows, columns = np.nonzero(is_red(drawn(tmp_path / "a.png"))[:500])
        assert rows.max() < 200, orientation
        assert columns.max() < 250, orientation


def test_a_line_lies_on_the_border_of_what_it_encloses(tmp_path: Path) -> None:
    grid = Grid.regular((1, 20, 20), (1.0, 2.0, 1.0))  # rows twice as far apart as columns
    mask = np.zeros(grid.shape, np.uint8)
    mask[0, 5:10, 5:15] = 1
    image = Image(np.where(mask, 240, -160).astype(np.int16), grid, "CT")

    sheet.write(
        outlined(image, trace_all(LabelMap(mask, grid, {1: RED}))), tmp_path / "a.png", width=632
    )

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

    sheet.write(
        outlined(image, trace_all(LabelMap(mask, grid, {1: RED}))), tmp_path / "one.png", width=400
    )
    sheet.write(outlined(image, [Structure(1, RED)]), tmp_path / "all.png", most=4, width=400)

    assert is_red(drawn(tmp_path / "one.png"))[:300].any()
    assert not is_red(drawn(tmp_path / "all.png"))[:300].any()


def test_the_window_maps_hounsfield_units_to_grey(tmp_path: Path) -> None:
    grid = Grid.regular((1, 2, 3))
    array = np.broadcast_to(np.array([-500, 40, 900], np.int16), grid.shape)

    sheet.write(Drawing(image=Image(array, grid, "CT")), tmp_path / "a.png", width=332)

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
        outlined(Image(array, grid, modality, channels), trace_all(LabelMap(mask, grid, {1: RED}))),
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

    sheet.write(outlined(image, few), tmp_path / "few.png", width=800)
    sheet.write(outlined(image, many), tmp_path / "many.png", width=800)

    assert drawn(tmp_path / "few.png").shape[1] == 800
    assert drawn(tmp_path / "many.png").shape[0] > drawn(tmp_path / "few.png").shape[0] + 300


def test_a_real_abdomen_is_drawn_alike_every_time(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ct_labelled" / "abdomen_3mm"
    image = nifti.read(folder / "ct.nii.gz")
    structures = trace_all(nifti.read_labels(folder / "labels_v2_117classes_fast_model.nii.gz"))

    for name in ("a.png", "b.png"):
        sheet.write(outlined(image, structures[:8]), tmp_path / name, most=4, width=800)

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    colours = {structure.category.colour for structure in structures[:8] if structure.contours}
    picture = drawn(tmp_path / "a.png").reshape(-1, 3)[: 500 * 800]
    for colour in colours:
        assert (np.abs(picture - np.array(colour)).max(axis=1) < 40).any()


GREY = Grid.regular((1, 60, 80), unit="px")
PHOTO = Image(np.full(GREY.shape, 200, np.uint8), GREY, "photo")


def rings_around(picture: NDArray[np.uint8]) -> tuple[float, float]:
    rows, columns = np.nonzero(is_red(picture))
    return float(rows.min() + rows.max()) / 2, float(columns.min() + columns.max()) / 2


def test_a_ring_lies_around_its_point(tmp_path: Path) -> None:
    """One pixel of the picture is 17.5 of the sheet, which begins at 16."""
    mark = Mark(1, RED, 0.5, point=(30.0, 20.0, 0.0))

    sheet.write(Drawing(image=PHOTO, marks=(mark,)), tmp_path / "a.png")

    down, across = rings_around(drawn(tmp_path / "a.png")[:1066])
    assert across == pytest.approx(16 + 30.5 * 17.5, abs=1)
    assert down == pytest.approx(16 + 20.5 * 17.5, abs=1)


def test_a_box_and_a_polygon_lie_where_they_were_found(tmp_path: Path) -> None:
    box = Mark(1, RED, 0.5, box=((9.5, 9.5, -0.5), (39.5, 29.5, 0.5)))
    mask = np.zeros(GREY.shape, np.uint8)
    mask[0, 10:30, 10:40] = 1
    (structure,) = trace_all(LabelMap(mask, GREY, {1: RED}))

    for mark in (box, Mark(1, RED, contours=structure.contours)):
        sheet.write(Drawing(image=PHOTO, marks=(mark,)), tmp_path / "a.png")

        rows, columns = np.nonzero(is_red(drawn(tmp_path / "a.png")[:1066]))
        edges = (rows.min(), rows.max(), columns.min(), columns.max())
        expected = [16 + 17.5 * edge for edge in (10, 30, 10, 40)]
        np.testing.assert_allclose(edges, expected, atol=2.5)


def test_only_few_marks_have_their_numbers_beside_them(tmp_path: Path) -> None:
    """White is the text alone: the picture is grey, the rings are red."""
    places = np.random.default_rng(1).uniform((5, 5), (75, 55), (61, 2))
    marks = tuple(Mark(n, RED, point=(x, y, 0.0)) for n, (x, y) in enumerate(places.tolist(), 1))
    whites = []
    for shown in (marks[:60], marks):
        sheet.write(Drawing(image=PHOTO, marks=shown), tmp_path / "a.png")
        whites.append(int((drawn(tmp_path / "a.png")[16:1066].min(axis=-1) > 225).sum()))

    assert whites[0] > 500
    assert whites[1] == 0


def test_marks_close_together_have_small_rings(tmp_path: Path) -> None:
    sizes = []
    for step in (20.0, 1.0):
        marks = tuple(Mark(n + 1, RED, point=(20.0 + n * step, 20.0, 0.0)) for n in range(3))
        sheet.write(Drawing(image=PHOTO, marks=marks), tmp_path / "a.png")
        rows, _ = np.nonzero(is_red(drawn(tmp_path / "a.png")[:1066]))
        sizes.append(np.ptp(rows))

    assert 10 < sizes[1] < sizes[0] < 40


@pytest.mark.parametrize(
    ("size", "shown"), [((60, 80), 1400), ((1500, 2000), 2000), ((3, 4000), 3000)]
)
def test_a_photograph_is_shown_as_large_as_is_of_use(
    tmp_path: Path, size: tuple[int, int], shown: int
) -> None:
    grid = Grid.regular((1, *size), unit="px")
    image = Image(np.zeros(grid.shape, np.uint8), grid, "photo")

    sheet.write(Drawing(image=image, counted=True), tmp_path / "a.png")

    assert drawn(tmp_path / "a.png").shape[1] == shown + 32


def test_a_box_is_drawn_in_each_slice_that_it_reaches_through() -> None:
    grid = Grid.regular((6, 20, 20))
    for ends, slices in (((0.5, 3.5), [1, 2, 3]), ((2.1, 2.4), [2]), ((3.0, 9.0), [3, 4, 5])):
        low, high = (tuple(grid.to_world((end, 5.0, 5.0)).tolist()) for end in ends)
        if ends[1] > 6:
            with pytest.raises(GeometryError, match="slice 6"):
                sheet_marks.by_slice([Mark(1, RED, box=(low, high))], grid)
        else:
            assert list(sheet_marks.by_slice([Mark(1, RED, box=(low, high))], grid)) == slices


def test_scores_are_laid_over_the_picture_from_the_threshold_on(tmp_path: Path) -> None:
    field = np.zeros(GREY.shape, np.float32)
    field[0, :, 40:] = np.linspace(0.2, 1, 40)
    field[0, 0, 0] = np.nan
    heat = Heat(field, "oddness", 0.6)

    sheet.write(Drawing(image=PHOTO, heat=heat, counted=True), tmp_path / "a.png")

    picture = drawn(tmp_path / "a.png").astype(int)
    row = picture[500, 16:1416]
    assert (row[:690] == 200).all()  # clear where the score is that of most samples
    colour = np.abs(row - 200).sum(axis=1)
    assert colour[1399 - 350] > 200  # at the threshold
    assert row[1390, 0] - row[1390, 2] > 60  # yellow at the highest score
    bar = picture[1066:, 16:436].reshape(-1, 3)
    assert (np.abs(bar - (252, 255, 164)).max(axis=1) < 3).any()


def test_a_restored_image_stands_beside_the_one_before(tmp_path: Path) -> None:
    fine = GREY.with_spacing((1.0, 0.5, 0.5))
    restored = Image(np.full(fine.shape, 90, np.uint8), fine, "photo")

    sheet.write(Drawing(image=PHOTO, restored=restored), tmp_path / "a.png")

    row = drawn(tmp_path / "a.png")[500, :, 0]
    assert len(row) == 2 * 1000 + 8 + 32
    assert (row[500], row[1500]) == (200, 90)


def test_probabilities_are_bars_as_long_as_they_are(tmp_path: Path) -> None:
    blue = Category("benign", (0, 0, 255))
    classes = ((RED, 0.75), (blue, 0.25))

    sheet.write(Drawing(image=PHOTO, classes=classes), tmp_path / "a.png")

    legend = drawn(tmp_path / "a.png")[1070:].astype(int)
    reds, blues = (
        int(((legend[..., part] > 200) & (legend.sum(axis=-1) < 300)).any(axis=0).sum())
        for part in (0, 2)
    )
    assert reds == pytest.approx(0.75 * 140, abs=2)
    assert blues == pytest.approx(0.25 * 140, abs=2)


def test_deep_colours_are_shown_in_colour(tmp_path: Path) -> None:
    array = np.zeros((*GREY.shape, 3), np.uint16)
    array[..., 0] = 60000
    image = Image(array, GREY, "photo", ("red", "green", "blue"))

    sheet.write(Drawing(image=image, counted=True), tmp_path / "a.png")

    assert drawn(tmp_path / "a.png")[500, 700].tolist() == [255, 0, 0]
