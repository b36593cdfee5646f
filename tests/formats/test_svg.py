"""SVG: pictures of slices in their physical size, which can be read back exactly."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings

from delineate.contour import Contour, Structure, fill_layers, trace_all
from delineate.errors import GeometryError, InputError, UnreadableFileError
from delineate.formats import annotations, svg
from delineate.formats.bundle import write_zip
from delineate.formats.marks import Mark
from delineate.imaging import Category, Code, Grid, LabelMap
from tests.strategies import grids, layers

GOLDEN = Path(__file__).parent / "golden" / "contours.svg.zip"
PATH = "{http://www.w3.org/2000/svg}path"


def recipe(path: Path) -> LabelMap:
    """Write what contours.svg.zip holds: a ring with a hole, and a name that is no markup."""
    array = np.zeros((2, 4, 5), np.uint8)
    array[1, :3, 1:4] = 1
    array[1, 1, 2] = 0
    affine = np.array([[0, 0.5, 2, 10], [0.25, 1.5, 0, -20], [4, 0, 0, 30], [0, 0, 0, 1.0]])
    kidney = Category("kidney_left", (255, 128, 0), Code("64033007", "SCT", "Kidney"), "left")
    named = {1: kidney, 3: Category('</title><script>"', (1, 2, 3))}
    labelmap = LabelMap(array, Grid((2, 4, 5), affine), named)
    svg.write(trace_all(labelmap), labelmap.grid, path, accuracy="round trip: Dice 1.000000")
    return labelmap


def pictures(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@given(layers())
@settings(max_examples=60)
def test_structures_are_read_back(drawn: tuple[LabelMap, ...]) -> None:
    structures = [one for layer in drawn for one in trace_all(layer)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zip"
        svg.write(structures, drawn[0].grid, path)
        back = svg.read(path)

    assert [(one.number, one.category) for one in back] == [
        (one.number, one.category) for one in structures
    ]
    for ours, theirs in zip(structures, back, strict=True):
        for one, other in zip(ours.contours, theirs.contours, strict=True):
            assert one.is_hole == other.is_hole
            np.testing.assert_allclose(other.points, one.points, atol=1e-4)
    grid = drawn[0].grid
    for layer, other in zip(fill_layers(structures, grid), fill_layers(back, grid), strict=True):
        np.testing.assert_array_equal(other.array, layer.array)


@given(layers(max_size=4))
@settings(max_examples=30)
def test_names_never_become_markup(drawn: tuple[LabelMap, ...]) -> None:
    structures = [one for layer in drawn for one in trace_all(layer)]
    with tempfile.TemporaryDirectory() as folder:
        svg.write(structures, drawn[0].grid, Path(folder) / "a.zip")
        found = pictures(Path(folder) / "a.zip")

    names = {one.category.name for one in structures}
    for name, text in found.items():
        if name.endswith(".svg"):
            root = ElementTree.fromstring(text)
            kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
            assert kinds <= {"svg", "title", "style", "g", "path"}
            for path in root.iter(PATH):
                assert path.attrib["data-name"] in names
                assert path[0].text == path.attrib["data-name"]


def test_a_picture_worked_by_hand(tmp_path: Path) -> None:
    """
    Columns are 2 mm, rows 1.5 mm::

        . # # # .
        . # . # .
        . # # # .
        . . . . .
    """
    array = np.zeros((1, 4, 5), np.uint8)
    array[0, :3, 1:4] = 1
    array[0, 1, 2] = 0
    grid = Grid.regular((1, 4, 5), (4.0, 1.5, 2.0))
    svg.write(
        trace_all(LabelMap(array, grid, {1: Category("a", (255, 0, 16))})), grid, tmp_path / "a"
    )

    (path,) = ElementTree.fromstring(pictures(tmp_path / "a")["slice-0000.svg"]).iter(PATH)
    text = pictures(tmp_path / "a")["slice-0000.svg"]

    assert path.attrib["d"] == "M1 0H4V3H1ZM3 1H2V2H3Z"
    assert path.attrib["data-holes"] == "1"
    assert path.attrib["fill"] == "#ff0010"
    assert 'width="10mm" height="6mm" viewBox="0 0 10 6"' in text
    assert 'transform="matrix(2 0 0 1.5 0 0)" fill-rule="evenodd"' in text


def test_smoothed_outlines_keep_their_places(tmp_path: Path) -> None:
    grid = Grid.regular((2, 9, 9), (3.0, 0.7, 0.9), (-10.0, 4.0, 7.0))
    turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    index = np.stack((np.ones(40), 4 + 3 * np.sin(turns), 4 + 3 * np.cos(turns)), axis=1)
    drawn = Structure(1, Category("a"), (Contour(grid.to_world(index)),))

    svg.write([drawn], grid, tmp_path / "a")
    (back,) = svg.read(tmp_path / "a")

    np.testing.assert_allclose(back.contours[0].points, drawn.contours[0].points, atol=2e-6)


def test_the_golden_file_is_read_and_written(tmp_path: Path) -> None:
    labelmap = recipe(tmp_path / "a.zip")

    assert pictures(tmp_path / "a.zip") == pictures(GOLDEN)
    recipe(tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    back = svg.read(GOLDEN)
    assert {one.number: one.category for one in back} == dict(labelmap.categories)
    np.testing.assert_array_equal(fill_layers(back, labelmap.grid)[0].array, labelmap.array)
    assert "<desc>round trip: Dice 1.000000</desc>" in pictures(GOLDEN)["slice-0001.svg"]
    table = json.loads(pictures(GOLDEN)["structures.json"])
    assert table["accuracy"] == "round trip: Dice 1.000000"


def marked(grid: Grid) -> tuple[Mark, ...]:
    """A point, a box and an outline in the slice of number 1."""
    ring = grid.to_world([(1, 1.5, 2.5), (1, 1.5, 4.5), (1, 5.5, 4.5)])
    low, high = (grid.to_world(corner) for corner in ((0.5, 0.5, 2.5), (1.5, 2.5, 6.5)))
    bee = Category('a "bee"', (1, 2, 3), Code("1", "SCT", "Bee"), "left")
    return (
        Mark(2, bee, 0.123456789, point=tuple(grid.to_world((1.25, 3.5, 6.0)).tolist())),
        Mark(7, Category("wasp"), None, box=(tuple(low.tolist()), tuple(high.tolist()))),
        Mark(9, bee, 1.0, contours=(Contour(ring),)),
    )


@given(grids())
@settings(max_examples=30, deadline=None)
def test_marks_are_read_back(grid: Grid) -> None:
    shape = (grid.shape[0] + 2, *grid.shape[1:])
    marks = marked(Grid(shape, grid.affine, grid.unit))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zip"
        svg.write((), Grid(shape, grid.affine, grid.unit), path, marks)
        back = svg.read_marks(path)

        assert svg.read(path) == ()
    for one, other in zip(marks, back, strict=True):
        assert (other.number, other.category, other.score) == (
            one.number,
            one.category,
            one.score,
        )
        assert (other.point, other.box) == (one.point, one.box)
        for ours, theirs in zip(one.contours, other.contours, strict=True):
            np.testing.assert_allclose(theirs.points, ours.points, atol=1e-4)


def test_marks_are_circles_rectangles_and_paths_with_their_scores(tmp_path: Path) -> None:
    grid = Grid.regular((3, 8, 9), (2.0, 1.0, 1.0))
    svg.write((), grid, tmp_path / "a.zip", marked(grid))

    (name,) = (one for one in pictures(tmp_path / "a.zip") if one.endswith(".svg"))
    root = ElementTree.fromstring(pictures(tmp_path / "a.zip")[name])
    point, box, outline = (one for one in root.iter() if one.get("class") == "mark")

    assert name == "slice-0001.svg"
    assert (point.get("id"), point.get("data-score")) == ("mark-2", "0.123457")
    assert (point.get("data-name"), point.get("data-code")) == ('a "bee"', "SCT 1")
    assert point[0].text == '2 a "bee", 0.12'
    assert (point[1].get("cx"), point[1].get("cy"), point[1].get("r")) == ("6.5", "4", "0.5")
    assert (box.get("id"), box.get("data-score")) == ("mark-7", None)
    assert [box[1].get(key) for key in ("x", "y", "width", "height")] == ["3", "1", "4", "2"]
    assert outline[1].get("d") == "M3 2H5V6Z"


def test_converting_takes_the_marks_along(tmp_path: Path) -> None:
    grid = Grid.regular((3, 8, 9), (2.0, 1.0, 1.0))
    svg.write((), grid, tmp_path / "a.zip", marked(grid))

    found = annotations.read_annotation(tmp_path / "a.zip", grid)

    assert [one.number for one in found.marks] == [2, 7, 9]
    assert found.structures == ()


@pytest.mark.parametrize(
    "files",
    [
        {"a.svg": "<svg/>"},
        {"structures.json": "[]"},
        {"structures.json": '{"schema": "delineate/svg/2"}'},
        {"structures.json": None, "slice-0001.svg": "<svg"},
        {"structures.json": None, "slice-0001.svg": '<!DOCTYPE a [<!ENTITY b "c">]><svg/>'},
        {"structures.json": None, "slice-0001.svg": "\xff"},
        {
            "structures.json": None,
            "slice-0001.svg": '<svg xmlns="http://www.w3.org/2000/svg" data-slice="1">'
            '<path data-number="1" d="M1 1C2 2 3 3 4 4Z"/></svg>',
        },
    ],
)
def test_what_is_no_such_zip_is_refused(tmp_path: Path, files: dict[str, str | None]) -> None:
    table = pictures(GOLDEN)["structures.json"]
    content = {name: table if text is None else text for name, text in files.items()}
    write_zip(tmp_path / "a", [(name, text.encode("latin-1")) for name, text in content.items()])

    with pytest.raises(UnreadableFileError):
        svg.read(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"no zip")
    with pytest.raises(InputError):
        svg.read(tmp_path / "b")


def test_contours_between_the_slices_are_refused(tmp_path: Path) -> None:
    points = np.array([[0, 0, 9.0], [1, 0, 9], [0, 1, 9]])

    with pytest.raises(GeometryError):
        svg.write(
            [Structure(1, Category("a"), (Contour(points),))],
            Grid.regular((1, 2, 2)),
            tmp_path / "a",
        )


@pytest.mark.browser
def test_a_browser_fills_what_is_inside(tmp_path: Path) -> None:
    """A hole stays open, and a sample of 2 x 1.5 mm is 2:1.5 on the screen."""
    from PIL import Image

    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed")
    array = np.zeros((1, 40, 50), np.uint8)
    array[0, 10:30, 10:40] = 1
    array[0, 15:25, 20:30] = 0
    grid = Grid.regular((1, 40, 50), (4.0, 1.5, 2.0))
    named = {1: Category("a", (255, 0, 0))}
    svg.write(trace_all(LabelMap(array, grid, named)), grid, tmp_path / "a.zip")
    (tmp_path / "a.svg").write_text(pictures(tmp_path / "a.zip")["slice-0000.svg"])
    picture = tmp_path / "a.png"
    subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--window-size=400,300", f"--screenshot={picture}", f"file://{tmp_path}/a.svg"),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )

    shot = np.asarray(Image.open(picture).convert("RGB"), int)
    per_mm = 96 / 25.4
    for row in range(2, 40, 4):
        for column in range(2, 50, 4):
            y, x = int((row + 0.5) * 1.5 * per_mm), int((column + 0.5) * 2 * per_mm)
            red = shot[y, x, 0] - shot[y, x, 1]
            assert (red > 40) == bool(array[0, row, column]), (row, column)
