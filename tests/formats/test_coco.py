"""COCO: masks that pycocotools decodes to the same samples, boxes by its rules, marks."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from delineate.contour import fill, trace_all
from delineate.errors import ExportError, InputError, TooLargeError, UnreadableFileError
from delineate.formats import coco, rle
from delineate.formats.marks import Mark
from delineate.imaging import Category, Code, Grid, LabelMap
from tests.strategies import layers, marked

GOLDEN = Path(__file__).parent / "golden" / "annotations.coco.json"


def recipe(path: Path) -> tuple[LabelMap, ...]:
    """Write what annotations.coco.json holds: a ring with a hole, an overlap, and a mark."""
    array = np.zeros((2, 4, 5), np.uint8)
    array[1, :3, 1:4] = 1
    array[1, 1, 2] = 0
    affine = np.array([[0, 0.5, 2, 10], [0.25, 1.5, 0, -20], [4, 0, 0, 30], [0, 0, 0, 1.0]])
    grid = Grid((2, 4, 5), affine)
    kidney = Category("kidney_left", (255, 128, 0), Code("64033007", "SCT", "Kidney"), "left")
    first = LabelMap(array, grid, {1: kidney, 3: Category("none", (1, 2, 3))})
    second = LabelMap(2 * (array[:, ::-1] > 0), grid, {2: Category("other", (4, 5, 6))})
    mark = Mark(1, Category("spot", (7, 8, 9)), 0.25, point=(12.0, -18.0, 31.0))
    coco.write((first, second), grid, path, [mark], "round trip: Dice 1.000000")
    return first, second


def opened(path: Path) -> Any:
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def union(drawn: tuple[LabelMap, ...]) -> dict[int, tuple[Category, bytes]]:
    return {
        label: (category, layer.mask(label).tobytes())
        for layer in drawn
        for label, category in layer.categories.items()
    }


planes = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: hnp.arrays(np.uint16, shape, elements=st.sampled_from((0, 1, 2, 700)))
)


@given(planes)
@settings(max_examples=150)
def test_run_lengths_are_those_of_pycocotools(plane: NDArray[np.uint16]) -> None:
    from pycocotools import mask

    found = list(rle.encode(plane))

    assert [one.label for one in found] == [n for n in np.unique(plane).tolist() if n]
    for one in found:
        inside = plane == one.label
        theirs = mask.encode(np.asfortranarray(inside.astype(np.uint8)))
        assert one.counts == theirs["counts"].decode()
        assert one.area == mask.area(theirs)
        assert list(one.box) == mask.toBbox(theirs).tolist()
        np.testing.assert_array_equal(rle.decode(one.counts, plane.shape), inside)
        plain = np.diff(np.flatnonzero(np.diff(inside.T.ravel(), prepend=~inside[0, 0])), prepend=0)
        lengths = [*plain[1:].tolist(), plane.size - plain.sum()]
        lengths = [0, *lengths] if inside[0, 0] else lengths
        np.testing.assert_array_equal(rle.decode(lengths, plane.shape), inside)


def test_long_runs_and_many_runs_are_packed() -> None:
    from pycocotools import mask

    plane = np.zeros((700, 900), np.uint8)
    plane[300:, 400:] = 1
    plane[::2, :300] = 2
    for one in rle.encode(plane):
        theirs = mask.encode(np.asfortranarray((plane == one.label).astype(np.uint8)))
        assert one.counts == theirs["counts"].decode()


@pytest.mark.parametrize(
    "counts", ["\x01", "0~", "11", "_" * 40, [3], [5, -1], [10**30], ["a"], "ü"]
)
def test_broken_run_lengths_are_refused(counts: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        rle.decode(counts, (2, 2))


@given(layers(), st.sampled_from(("rle", "polygon")))
@settings(max_examples=60)
def test_written_layers_are_read_back(drawn: tuple[LabelMap, ...], shape: coco.Shape) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        coco.write(drawn, drawn[0].grid, path, shape=shape)
        back, on_grid = coco.read_layers(path), coco.read_layers(path, drawn[0].grid)

    assert union(back) == union(on_grid) == union(drawn)
    np.testing.assert_array_equal(back[0].grid.affine, drawn[0].grid.affine)


@given(layers(max_size=8), st.sampled_from(("rle", "polygon")))
@settings(max_examples=60)
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools' own
def test_pycocotools_sees_the_same_samples(drawn: tuple[LabelMap, ...], shape: coco.Shape) -> None:
    with tempfile.TemporaryDirectory() as folder:
        coco.write(drawn, drawn[0].grid, Path(folder) / "a.json", shape=shape)
        theirs = opened(Path(folder) / "a.json")

    known = {label: one for layer in drawn for label, one in layer.categories.items()}
    assert {one["id"]: one["name"] for one in theirs.loadCats(theirs.getCatIds())} == {
        label: one.name for label, one in known.items()
    }
    left = {label: layer.mask(label).copy() for layer in drawn for label in layer.categories}
    for one in theirs.loadAnns(theirs.getAnnIds()):
        mask = left[one["category_id"]][one["image_id"] - 1]
        np.testing.assert_array_equal(theirs.annToMask(one), mask)
        assert one["area"] == mask.sum()
        rows, columns = np.nonzero(mask)
        x, y, width, height = one["bbox"]
        assert (x, x + width) == (columns.min(), columns.max() + 1)
        assert (y, y + height) == (rows.min(), rows.max() + 1)
        mask[:] = False
    assert not any(mask.any() for mask in left.values())


@given(marked())
@settings(max_examples=60)
def test_marks_come_back_as_they_were(drawn: tuple[Grid, tuple[Mark, ...]]) -> None:
    grid, marks = drawn
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        coco.write((), grid, path, marks)
        back = coco.read_marks(path)
        assert union(coco.read_layers(path)) == {}
        opened(path)

    for one, other in zip(marks, back, strict=True):
        assert (one.number, one.category, one.score) == (other.number, other.category, other.score)
        assert (one.point, one.box) == (other.point, other.box)
        for ours, theirs in zip(one.contours, other.contours, strict=True):
            np.testing.assert_allclose(theirs.points, ours.points, atol=1e-3)


def test_a_mark_with_a_hole_keeps_it(tmp_path: Path) -> None:
    array = np.ones((1, 3, 3), np.uint8)
    array[0, 1, 1] = 0
    grid = Grid.regular((1, 3, 3), unit="px")
    ring = trace_all(LabelMap(array, grid, {}))[0].contours
    coco.write((), grid, tmp_path / "a", [Mark(4, Category("a"), contours=ring)])

    (mark,) = coco.read_marks(tmp_path / "a")

    np.testing.assert_array_equal(fill(mark.contours, grid), array > 0)


def test_boxes_and_points_worked_by_hand(tmp_path: Path) -> None:
    """Pixel edges: the box around the one sample of row 2, column 5 is [5, 2, 1, 1]."""
    grid = Grid.regular((1, 10, 20), unit="px")
    pest = Category("whitefly", (1, 2, 3))
    marks = (
        Mark(1, pest, 0.75, point=(5.0, 2.0, 0.0)),
        Mark(2, pest, box=((4.5, 1.5, -0.5), (5.5, 2.5, 0.5))),
    )

    coco.write((), grid, tmp_path / "a", marks, file_names=["trap.jpg"])
    document = json.loads((tmp_path / "a").read_text())

    assert document["images"] == [
        {"id": 1, "width": 20, "height": 10, "file_name": "trap.jpg", "slice": 0}
    ]
    (category,) = document["categories"]
    assert (category["name"], category["keypoints"]) == ("whitefly", ["point"])
    point, box = document["annotations"]
    assert (point["keypoints"], point["num_keypoints"], point["score"]) == ([5.5, 2.5, 2], 1, 0.75)
    assert (box["bbox"], box["area"], box["iscrowd"]) == ([5, 2, 1, 1], 1, 0)


def test_polygons_are_for_what_has_no_hole(tmp_path: Path) -> None:
    first, _ = recipe(tmp_path / "a")
    plain = first.array.copy()
    plain[0, 0, :2] = 3
    named = LabelMap(plain, first.grid, first.categories)
    coco.write([named], first.grid, tmp_path / "a", shape="polygon")

    without, holed = json.loads((tmp_path / "a").read_text())["annotations"]

    assert without["segmentation"] == [[0, 0, 2, 0, 2, 1, 0, 1]]
    assert isinstance(holed["segmentation"], dict)


def test_the_golden_file_is_read_and_written(tmp_path: Path) -> None:
    drawn = recipe(tmp_path / "a")

    assert json.loads((tmp_path / "a").read_text()) == json.loads(GOLDEN.read_text())
    assert union(coco.read_layers(GOLDEN)) == union(drawn)
    assert json.loads(GOLDEN.read_text())["info"]["description"] == "round trip: Dice 1.000000"
    (mark,) = coco.read_marks(GOLDEN)
    assert (mark.category.name, mark.score, mark.point) == ("spot", 0.25, (12.0, -18.0, 31.0))


def foreign(**changes: Any) -> dict[str, Any]:
    """As other programs write it: ids from 0, uncompressed counts, parts that overlap."""
    image = {"width": 3, "height": 2}
    return {
        "images": [{"id": 7, **image, "file_name": "b"}, {"id": 5, **image, "file_name": "a"}],
        "categories": [{"id": 0, "name": "cat"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {"image_id": 5, "category_id": 0, "segmentation": [[0, 0, 2, 0, 2, 1, 0, 1]] * 2},
            {
                "image_id": 7,
                "category_id": 9,
                "segmentation": {"size": [2, 3], "counts": [1, 3, 2]},
            },
            {"image_id": 7, "category_id": 9, "bbox": [0, 0, 1, 1]},
        ],
    } | changes


def test_files_of_other_programs_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(json.dumps(foreign()))

    (labelmap,) = coco.read_layers(tmp_path / "a", Grid.regular((2, 2, 3)))

    assert labelmap.array.tolist() == [[[1, 1, 0], [0, 0, 0]], [[0, 2, 0], [2, 2, 0]]]
    assert [one.name for one in labelmap.categories.values()] == ["cat", "dog"]


def test_boxes_and_points_of_other_programs_are_marks(tmp_path: Path) -> None:
    """COCO counts from the corner of the first sample, an index from its middle."""
    image = {"image_id": 1, "category_id": 1}
    document = {
        "images": [{"id": 1, "width": 20, "height": 10, "file_name": "trap.jpg"}],
        "categories": [{"id": 1, "name": "moth"}],
        "annotations": [
            {**image, "bbox": [5, 2, 3, 1], "score": 0.5},
            {**image, "bbox": [0, 0, 0, 0], "keypoints": [1, 1, 0, 5.5, 2.5, 2]},
            {**image, "bbox": [0, 0, 4, 4], "keypoints": [1, 1, 2, 3, 3, 2]},
            {**image, "bbox": [0, 0, 20, 10], "iscrowd": 1},
            {**image, "bbox": [1, 1, 0, 0]},
            {**image, "bbox": [2, 4, 2, 1], "segmentation": [[2, 4, 4, 4, 4, 5, 2, 5]]},
        ],
    }
    (tmp_path / "a").write_text(json.dumps(document))
    grid = Grid.regular((1, 10, 20), unit="px")

    one, two, three = coco.read_marks(tmp_path / "a", grid)
    *_, outlined = coco.read_marks(tmp_path / "a", grid, outlined=True)

    assert (one.box, one.score, one.category.name) == (
        ((4.5, 1.5, -0.5), (7.5, 2.5, 0.5)),
        0.5,
        "moth",
    )
    assert (two.point, two.box, two.score) == ((5.0, 2.0, 0.0), None, None)
    assert (three.point, three.box) == (None, ((-0.5, -0.5, -0.5), (3.5, 3.5, 0.5)))
    (ring,) = outlined.contours
    assert ring.points.tolist() == [[1.5, 3.5, 0], [3.5, 3.5, 0], [3.5, 4.5, 0], [1.5, 4.5, 0]]
    (area,) = coco.read_layers(tmp_path / "a", grid)
    assert np.argwhere(area.array).tolist() == [[0, 4, 2], [0, 4, 3]]


def test_images_that_are_not_the_slices_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(json.dumps(foreign()))

    with pytest.raises(InputError, match="give the image"):
        coco.read_layers(tmp_path / "a")
    with pytest.raises(InputError, match="annotates 2 images"):
        coco.read_layers(tmp_path / "a", Grid.regular((3, 2, 3)))
    with pytest.raises(InputError, match="annotates another image"):
        coco.read_layers(tmp_path / "a", Grid.regular((2, 3, 3)))
    images = [{"id": 1, "width": 3, "height": 2, "slice": 4}]
    (tmp_path / "a").write_text(json.dumps(foreign(images=images, annotations=[])))
    with pytest.raises(InputError, match="does not have"):
        coco.read_layers(tmp_path / "a", Grid.regular((2, 2, 3)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps(foreign(images=[1])),
        json.dumps(foreign(categories=[{"id": 0}])),
        *(
            json.dumps(
                foreign(annotations=[{"image_id": 5, "category_id": 0, "segmentation": one}])
            )
            for one in ([[0, 0]], ["a"], [[0, "x", 1]], {"size": [1], "counts": ""}, 5)
        ),
        json.dumps(foreign(annotations=[{"image_id": 1, "category_id": 0, "segmentation": [[1]]}])),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a").write_text(text)

    with pytest.raises(UnreadableFileError):
        coco.read_layers(tmp_path / "a", Grid.regular((2, 2, 3)))


def test_a_file_cannot_ask_for_all_memory(tmp_path: Path) -> None:
    place = {"shape": [1 << 20, 1 << 20, 1 << 20], "affine": np.eye(4).tolist(), "unit": "mm"}
    (tmp_path / "a").write_text(json.dumps(foreign(info={"delineate": place})))

    with pytest.raises(TooLargeError):
        coco.read_layers(tmp_path / "a")


def test_what_does_not_belong_together_is_not_written(tmp_path: Path) -> None:
    first, _ = recipe(tmp_path / "a")

    with pytest.raises(ExportError, match="another grid"):
        coco.write([first], Grid.regular((2, 4, 5)), tmp_path / "b")
    with pytest.raises(ExportError, match="names of images"):
        coco.write([first], first.grid, tmp_path / "b", file_names=["a"])
