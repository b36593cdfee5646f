"""GeoJSON: valid polygons that come back as the contours they were."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from delineate.contour import Contour, Structure, fill_all, trace_all
from delineate.errors import GeometryError, UnreadableFileError
from delineate.formats import geojson
from delineate.formats.marks import Mark
from delineate.imaging import Category, Code, Grid, LabelMap
from tests.strategies import labelmaps, marked


def written(labelmap: LabelMap) -> tuple[dict[str, Any], tuple[Structure, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "contours.geojson"
        geojson.write(trace_all(labelmap), labelmap.grid, path)
        return json.loads(path.read_text(encoding="utf-8")), geojson.read(path)


def signed_area(ring: list[list[float]]) -> float:
    x, y = np.array(ring).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)


@given(labelmaps())
@settings(deadline=None, max_examples=40)
def test_contours_come_back_as_they_were(labelmap: LabelMap) -> None:
    structures = trace_all(labelmap)

    _, back = written(labelmap)

    assert [one.category for one in back] == [one.category for one in structures]
    for ours, theirs in zip(structures, back, strict=True):
        assert [one.is_hole for one in theirs.contours] == [one.is_hole for one in ours.contours]
        for one, other in zip(ours.contours, theirs.contours, strict=True):
            assert other.area == pytest.approx(one.area, abs=1e-4)
    np.testing.assert_array_equal(fill_all(back, labelmap.grid).array, labelmap.array)


@given(labelmaps())
@settings(deadline=None, max_examples=40)
def test_rings_are_closed_and_wound_as_the_standard_has_it(labelmap: LabelMap) -> None:
    document, _ = written(labelmap)

    for feature in document["features"]:
        assert feature["geometry"]["type"] == "MultiPolygon"
        area = 0.0
        for outer, *holes in feature["geometry"]["coordinates"]:
            for ring in (outer, *holes):
                assert ring[0] == ring[-1]
                assert len(ring) >= 4
            assert signed_area(outer) > 0
            assert all(signed_area(hole) < 0 for hole in holes)
            area += sum(signed_area(ring) for ring in (outer, *holes))
        properties = feature["properties"]
        inside = labelmap.array[properties["slice"]] == properties["number"]
        assert area == pytest.approx(inside.sum() * labelmap.grid.pixel_area, abs=1e-3)


@given(labelmaps())
@settings(deadline=None, max_examples=40)
def test_the_plane_of_a_slice_maps_to_the_patient(labelmap: LabelMap) -> None:
    document, back = written(labelmap)
    planes = {entry["slice"]: np.array(entry["plane"]) for entry in document["slices"]}
    contours = {one.number: iter(one.contours) for one in back}

    for feature in document["features"]:
        properties = feature["properties"]
        for polygon in feature["geometry"]["coordinates"]:
            for ring in polygon:
                x, y = np.array(ring[:-1]).T
                flat = np.stack((x, y, np.zeros_like(x), np.ones_like(x)))
                world = (planes[properties["slice"]] @ flat)[:3].T
                np.testing.assert_allclose(world, next(contours[properties["number"]]).points)
                k = labelmap.grid.to_index(world)[:, 0]
                np.testing.assert_allclose(k, properties["slice"], atol=1e-4)


def test_a_ring_with_a_hole_worked_by_hand(tmp_path: Path) -> None:
    """
    Columns are 1 mm, rows 2 mm::

        # # #
        # . #
        # # #
    """
    array = np.array([[[1, 1, 1], [1, 0, 1], [1, 1, 1]]], np.uint8)
    category = Category("kidney", (255, 0, 16), Code("64033007", "SCT", "Kidney"), "left")
    grid = Grid.regular((1, 3, 3), (5.0, 2.0, 1.0), (100.0, 200.0, 300.0))

    document, back = written(LabelMap(array, grid, {4: category, 1: category}))

    (feature,) = document["features"]
    ((outer, hole),) = feature["geometry"]["coordinates"]
    assert {tuple(point) for point in outer} == {(-0.5, -1), (2.5, -1), (2.5, 5), (-0.5, 5)}
    assert {tuple(point) for point in hole} == {(0.5, 1), (1.5, 1), (1.5, 3), (0.5, 3)}
    assert feature["properties"] == {
        "slice": 0,
        "number": 1,
        "name": "kidney",
        "colour": "#ff0010",
        "laterality": "left",
        "code": {"value": "64033007", "scheme": "SCT", "meaning": "Kidney"},
        "objectType": "annotation",
        "classification": {"name": "kidney", "color": [255, 0, 16]},
    }
    assert [entry["plane"][k][3] for entry in document["slices"] for k in range(3)] == [
        100,
        200,
        300,
    ]
    assert document["coordinate_system"]["unit"] == "mm"
    assert [(one.number, len(one.contours)) for one in back] == [(1, 2), (4, 0)]


def test_a_photograph_is_in_pixels(tmp_path: Path) -> None:
    grid = Grid.regular((1, 2, 2), unit="px")

    document, _ = written(LabelMap(np.eye(2, dtype=np.uint8)[None], grid, {}))

    assert document["coordinate_system"]["unit"] == "px"


def test_the_same_contours_give_the_same_bytes(tmp_path: Path) -> None:
    labelmap = LabelMap(np.eye(3, dtype=np.uint8)[None], Grid.regular((1, 3, 3)), {})
    for name in ("a", "b"):
        geojson.write(trace_all(labelmap), labelmap.grid, tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_contours_between_the_slices_are_refused(tmp_path: Path) -> None:
    points: NDArray[np.float64] = np.array([[0, 0, 9.0], [1, 0, 9], [0, 1, 9]])
    structure = Structure(1, Category("a"), (Contour(points),))

    with pytest.raises(GeometryError):
        geojson.write([structure], Grid.regular((1, 2, 2)), tmp_path / "a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        '{"type": "FeatureCollection", "features": []}',
        '{"schema": "delineate/contours/1"}',
        '{"schema": "delineate/contours/1", "slices": [], "structures": [{}], "features": []}',
        "\xff",
        "[" * 100_000,
    ],
)
def test_what_says_nothing_of_its_slices_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a").write_bytes(text.encode("latin-1"))

    with pytest.raises(UnreadableFileError):
        geojson.read(tmp_path / "a")


@given(marked())
@settings(max_examples=60)
def test_marks_come_back_as_they_were(drawn: tuple[Grid, tuple[Mark, ...]]) -> None:
    grid, marks = drawn
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "marks.geojson"
        geojson.write((), grid, path, marks=marks)
        back = geojson.read_marks(path)
        assert geojson.read(path) == ()

    for one, other in zip(marks, back, strict=True):
        assert (one.number, one.category, one.score) == (other.number, other.category, other.score)
        assert (one.point, one.box) == (other.point, other.box)
        for ours, theirs in zip(one.contours, other.contours, strict=True):
            np.testing.assert_allclose(theirs.area, ours.area, atol=1e-3)
            assert theirs.is_hole == ours.is_hole


@given(labelmaps(max_size=6), marked())
@settings(max_examples=40)
def test_the_standard_is_kept(labelmap: LabelMap, drawn: tuple[Grid, tuple[Mark, ...]]) -> None:
    """RFC 7946, as the package geojson checks it."""
    import geojson as validator

    texts = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.geojson"
        geojson.write(trace_all(labelmap), labelmap.grid, path)
        texts.append(path.read_text(encoding="utf-8"))
        geojson.write((), drawn[0], path, marks=drawn[1])
        texts.append(path.read_text(encoding="utf-8"))

    for text in texts:
        collection = validator.loads(text)
        assert collection.is_valid, collection.errors()
        ids = [feature["id"] for feature in collection["features"]]
        assert len(set(ids)) == len(ids)
        for feature in collection["features"]:
            assert feature.geometry.is_valid, feature.geometry.errors()


def test_marks_worked_by_hand(tmp_path: Path) -> None:
    grid = Grid.regular((3, 10, 20), (5.0, 2.0, 1.0), (100.0, 200.0, 300.0))
    aphid = Category("aphid", (1, 2, 3))
    marks = (
        Mark(1, aphid, 0.5, point=(103.0, 208.0, 305.0)),
        Mark(2, aphid, None, box=((101.5, 203.0, 297.5), (104.5, 207.0, 307.5))),
    )

    geojson.write((), grid, tmp_path / "a", marks=marks, accuracy="round trip: Dice 1.000000")
    document = json.loads((tmp_path / "a").read_text())

    assert document["accuracy"] == "round trip: Dice 1.000000"
    point, box = document["features"]
    assert point["geometry"] == {"type": "Point", "coordinates": [3.0, 8.0]}
    assert (point["properties"]["slice"], point["properties"]["score"]) == (1, 0.5)
    assert box["geometry"]["coordinates"] == [[[1.5, 3], [4.5, 3], [4.5, 7], [1.5, 7], [1.5, 3]]]
    assert box["properties"]["classification"] == {"name": "aphid", "color": [1, 2, 3]}


def test_marks_outside_the_image_are_refused(tmp_path: Path) -> None:
    mark = Mark(1, Category("a"), point=(0.0, 0.0, 99.0))

    with pytest.raises(GeometryError, match="slice 99"):
        geojson.write((), Grid.regular((2, 2, 2)), tmp_path / "a", marks=[mark])


@pytest.mark.parametrize(
    "wrong", [{"number": 0, "point": (0, 0, 0)}, {"number": 1}, {"number": 1, "score": 2.0}]
)
def test_a_mark_has_a_number_a_shape_and_a_score(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"number|needs|score"):
        Mark(category=Category("a"), **wrong)


GOLDEN = Path(__file__).parent / "golden" / "contours.geojson"


def recipe(path: Path) -> LabelMap:
    """Write what contours.geojson holds: a ring with a hole on a sheared grid, and a mark."""
    array = np.zeros((2, 4, 5), np.uint8)
    array[1, :3, 1:4] = 1
    array[1, 1, 2] = 0
    affine = np.array([[0, 0.5, 2, 10], [0.25, 1.5, 0, -20], [4, 0, 0, 30], [0, 0, 0, 1.0]])
    kidney = Category("kidney_left", (255, 128, 0), Code("64033007", "SCT", "Kidney"), "left")
    labelmap = LabelMap(array, Grid((2, 4, 5), affine), {1: kidney, 3: Category("none", (1, 2, 3))})
    marks = [Mark(1, Category("spot", (4, 5, 6)), 0.25, point=(12.0, -18.0, 31.0))]
    geojson.write(trace_all(labelmap), labelmap.grid, path, marks, "round trip: Dice 1.000000")
    return labelmap


def test_the_golden_file_is_read_and_written(tmp_path: Path) -> None:
    labelmap = recipe(tmp_path / "a")

    assert (tmp_path / "a").read_text("utf-8") == GOLDEN.read_text("utf-8")
    back = fill_all(geojson.read(GOLDEN), labelmap.grid)
    np.testing.assert_array_equal(back.array, labelmap.array)
    assert dict(back.categories) == dict(labelmap.categories)
    (mark,) = geojson.read_marks(GOLDEN)
    assert (mark.category.name, mark.score, mark.point) == ("spot", 0.25, (12.0, -18.0, 31.0))
