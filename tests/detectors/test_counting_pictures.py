"""Pictures with points: what is read, and what is refused with the row that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from delineate.detectors.counting.pictures import as_rgb, read_folder, usual_size
from delineate.errors import InputError
from delineate.imaging import Grid, Image


def folder_of(tmp_path: Path, table: str, *names: str) -> Path:
    for name in names or ("a.png",):
        Pillow.fromarray(np.full((20, 30, 3), 200, np.uint8)).save(tmp_path / name)
    (tmp_path / "points.csv").write_text(table)
    return tmp_path


def test_points_are_rows_and_columns_with_their_categories(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "image,x_px,y_px,category\na.png,4.5,7,fly\na.png,29,19,ant\n")

    (picture,), names = read_folder(folder)

    assert names == ("ant", "fly")
    assert picture.pixels.shape == (20, 30, 3)
    np.testing.assert_array_equal(picture.points, [[7, 4.5], [19, 29]])
    assert picture.kinds.tolist() == [1, 0]


def test_sizes_are_the_rows_own_or_those_said(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "image,x_px,y_px,size_px\na.png,4,7,11\na.png,9,9,\n")

    (picture,), _ = read_folder(folder, size=17.0)

    assert picture.sizes.tolist() == [11, 17]


def test_the_usual_size_is_half_of_them_nearer_by_hand(tmp_path: Path) -> None:
    """On a line at 0, 9, 19, 29: nearest 9, 9, 10, 10."""
    rows = "".join(f"a.png,{x},5\n" for x in (0, 9, 19, 29))
    (picture,), _ = read_folder(folder_of(tmp_path, "image,x_px,y_px\n" + rows))

    assert usual_size([picture]) == 9.5


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("image,x_px,y_px\nb.png,1,1\n", "b.png"),
        ("image,x_px,y_px\na.png,30,1\n", "x 30, y 1 does not lie on a.png"),
        ("image,x_px,y_px\na.png,one,1\n", "x_px of a point on a.png, got 'one'"),
        ("image,x\na.png,1\n", "no column x_px, y_px"),
        ("image,x_px,y_px\n", "holds no point"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_the_reason(
    tmp_path: Path, table: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read_folder(folder_of(tmp_path, table))


def labelme(folder: Path, name: str, *shapes: dict[str, object]) -> None:
    content = {"imagePath": f"..\\pictures\\{name}.png", "shapes": list(shapes)}
    (folder / f"{name}.json").write_text(json.dumps(content))


def test_points_of_labelme_are_read(tmp_path: Path) -> None:
    """labelme counts from the corner of the first pixel: half a pixel before its centre."""
    folder = folder_of(tmp_path, "", "a.png", "b.png")
    (folder / "points.csv").unlink()
    labelme(folder, "a", {"label": "ant", "shape_type": "point", "points": [[4.5, 7.5]]})
    labelme(folder, "b")  # looked at, and empty

    (first, second), names = read_folder(folder)

    assert names == ("ant",)
    np.testing.assert_array_equal(first.points, [[7, 4]])
    assert len(second.points) == 0


def test_outlines_of_labelme_are_no_points(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "", "a.png")
    (folder / "points.csv").unlink()
    labelme(folder, "a", {"label": "ant", "shape_type": "circle", "points": [[4, 7], [5, 7]]})

    with pytest.raises(InputError, match=r"'circle', expected points"):
        read_folder(folder)


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"points\.csv"):
        read_folder(tmp_path)


def test_pictures_without_points_are_empty_only_if_that_is_said(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "image,x_px,y_px\na.png,1,1\n", "a.png", "b.png")

    with pytest.raises(InputError, match="--empty"):
        read_folder(folder)
    pictures, _ = read_folder(folder, empty=True)

    assert [len(each.points) for each in pictures] == [1, 0]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((1, 2, 2), 7, np.uint8), 7),
        (np.full((1, 2, 2), 4095, np.uint16), 255),
        (np.full((1, 2, 2), 65535, np.uint16), 255),
        (np.full((1, 2, 2), 0.5, np.float32), 128),
        (np.full((1, 2, 2), 100.0, np.float32), 100),
    ],
)
def test_deeper_samples_come_to_8_bits(array: np.ndarray, expected: int) -> None:
    image = Image(array, Grid.regular((1, 2, 2), unit="px"), "photo")

    pixels = as_rgb(image)

    assert pixels.shape == (2, 2, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == expected).all()


def test_the_bees_are_read(shared_data: Path) -> None:
    pictures, names = read_folder(shared_data / "counting" / "bees")

    assert names == ("object",)
    assert len(pictures) == 16
    assert sum(len(each.points) for each in pictures) == 221
