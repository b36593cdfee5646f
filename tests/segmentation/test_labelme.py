"""labelme's polygons: a pixel is inside where its centre is; what is amiss is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from delineate.errors import GeometryError, InputError, UnreadableFileError
from delineate.imaging import Grid
from delineate.segmentation.training.labelme import drawn_labels, drawn_names, read_shapes
from delineate.segmentation.training.layouts import find
from delineate.segmentation.training.pairs import read_pair

BSDATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "defects" / "bsdata"


def drawing(path: Path, *shapes: dict[str, Any], size: tuple[int, int] = (8, 10)) -> Path:
    content = {
        "version": "5.4.1",
        "flags": {},
        "shapes": [{"shape_type": "polygon", "group_id": None, "flags": {}} | s for s in shapes],
        "imagePath": f"{path.stem}.png",
        "imageData": None,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def picture(path: Path, size: tuple[int, int] = (8, 10)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.full((*size, 3), 90, np.uint8)).save(path)
    return path


def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


PIT = {"label": "pit", "points": box(2, 1, 6, 4)}


@given(st.tuples(*[st.integers(0, 4)] * 4))
def test_a_box_from_corner_to_corner_of_pixels_holds_just_these(
    tmp_path_factory: pytest.TempPathFactory, ends: tuple[int, int, int, int]
) -> None:
    left, top, width, height = ends[0], ends[1], ends[2] + 1, ends[3] + 1
    shape = {"label": "pit", "points": box(left, top, left + width, top + height)}
    path = drawing(tmp_path_factory.mktemp("box") / "a.json", shape, size=(12, 13))

    labels = drawn_labels(path, Grid.regular((1, 12, 13), unit="px"), {3: "pit"})

    expected = np.zeros((1, 12, 13))
    expected[0, top : top + height, left : left + width] = 3
    np.testing.assert_array_equal(labels, expected)


def test_a_triangle_by_hand(tmp_path: Path) -> None:
    """Corners (1, 1), (5, 1) and (1, 5): centres below the slope are inside.

    ```
    .....
    .###.
    .##..
    .#...
    .....
    ```
    """
    path = drawing(
        tmp_path / "a.json", {"label": "pit", "points": [[1, 1], [4.9, 1], [1, 4.9]]}, size=(5, 5)
    )

    labels = drawn_labels(path, Grid.regular((1, 5, 5), unit="px"), {1: "pit"})

    assert labels[0].tolist() == [
        [0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 1, 1, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]


def test_rectangles_and_circles_are_outlines_too(tmp_path: Path) -> None:
    path = drawing(
        tmp_path / "a.json",
        {"label": "pit", "shape_type": "rectangle", "points": [[6, 4], [2, 1]]},
        {"label": "dent", "shape_type": "circle", "points": [[30, 30], [30, 38]]},
        size=(60, 60),
    )

    labels = drawn_labels(path, Grid.regular((1, 60, 60), unit="px"), drawn_names([path]))

    assert np.count_nonzero(labels == 2) == 12
    assert np.count_nonzero(labels == 1) == pytest.approx(np.pi * 64, rel=0.05)


def test_where_labels_overlap_the_later_counts(tmp_path: Path) -> None:
    path = drawing(tmp_path / "a.json", PIT, {"label": "dent", "points": box(4, 1, 8, 4)})

    labels = drawn_labels(path, Grid.regular((1, 8, 10), unit="px"), {1: "dent", 2: "pit"})

    assert labels[0, 2].tolist() == [0, 0, 2, 2, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("places", [("", ""), ("images", "annotations"), ("data", "label")])
def test_drawings_lie_beside_their_pictures_or_in_a_folder_of_their_own(
    tmp_path: Path, places: tuple[str, str]
) -> None:
    for name in ("b", "a"):
        picture(tmp_path / places[0] / f"{name}.png")
        drawing(tmp_path / places[1] / f"{name}.json", PIT)
    drawing(tmp_path / places[1] / "b.json")

    found = find(tmp_path)
    image, labels = read_pair(found.cases[0], found)

    assert (found.layout, dict(found.names)) == ("labelme", {1: "pit"})
    assert [case.name for case in found.cases] == ["a", "b"]
    assert image.array.shape == (1, 8, 10, 3)
    assert labels.sum() == 12
    assert not read_pair(found.cases[1], found)[1].any()


def test_what_has_no_partner_is_refused_by_name(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    drawing(tmp_path / "a.json", PIT)
    picture(tmp_path / "b.png")
    with pytest.raises(InputError, match=r"picture b\.png has no b\.json; if there is nothing"):
        find(tmp_path)

    (tmp_path / "b.png").rename(tmp_path / "c.png")
    drawing(tmp_path / "c.json")
    drawing(tmp_path / "d.json")
    with pytest.raises(InputError, match=r"d\.json has no picture"):
        find(tmp_path)


def test_a_picture_of_another_size_a_strange_label_and_a_line_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", size=(9, 10))
    path = drawing(tmp_path / "a.json", PIT)
    found = find(tmp_path)

    with pytest.raises(GeometryError, match=r"case a: a\.json is drawn on a picture of 8 x 10"):
        read_pair(found.cases[0], found)
    with pytest.raises(InputError, match="holds 'pit'; expected some of dent"):
        drawn_labels(path, Grid.regular((1, 8, 10), unit="px"), {1: "dent"})
    drawing(path, {"label": "pit", "shape_type": "line", "points": [[1, 1], [5, 5]]})
    with pytest.raises(InputError, match="got a line of 2 points labelled 'pit'"):
        read_shapes(path)
    drawing(path, {"label": "pit", "points": [[1, 1], [5, float("nan")], [3, 3]]})
    with pytest.raises(UnreadableFileError, match="not finite"):
        read_shapes(path)
    drawing(path)
    with pytest.raises(InputError, match="nothing is drawn on any picture"):
        find(tmp_path)


@pytest.mark.skipif(not BSDATA.is_dir(), reason=f"BSData is not there: {BSDATA}")
def test_pits_of_bsdata_are_darker_than_what_surrounds_them() -> None:
    """Were the axes swapped or the polygons shifted, they would not be."""
    found = find(BSDATA)
    assert (len(found.cases), dict(found.names)) == (51, {1: "Pitting"})
    darker = 0
    for case in found.cases[10:40:3]:
        image, labels = read_pair(case, found)
        rows, columns = (np.flatnonzero(labels[0].any(axis=axis)) for axis in (1, 0))
        near = np.zeros(labels.shape, bool)
        near[0, rows[0] - 9 : rows[-1] + 10, columns[0] - 9 : columns[-1] + 10] = True
        grey = image.array.mean(axis=-1)
        darker += grey[labels == 1].mean() < grey[near & (labels == 0)].mean()

    assert darker == 10
