"""Every format that drawings are written in: nothing is lost, and what is lost is said."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import labelmaps

from delineate import formats
from delineate.contour import Structure, fill, measure, trace_all
from delineate.errors import ExportError, GeometryError
from delineate.formats import geojson, nifti, sheet_legend, svg
from delineate.formats.drawing import EXACT, Drawing, Outlines, outlines
from delineate.formats.format import Choices
from delineate.formats.marks import Mark
from delineate.formats.round_trip import round_trip
from delineate.formats.table import FORMATS
from delineate.formats.writing import demand_series, possible, write
from delineate.imaging import Category, Grid, Image, LabelMap

SHAPES = [name for name, entry in FORMATS.items() if entry.read_back]
FREE = [name for name in SHAPES if not FORMATS[name].refers_to_series]
OUTLINES = [name for name in SHAPES if FORMATS[name].has_outlines]


def drawing_of(*layers: LabelMap, image: Image | None = None, how: Outlines = EXACT) -> Drawing:
    image = image or Image(np.zeros(layers[0].grid.shape, np.int16), layers[0].grid, "CT")
    return Drawing(image=image, structures=outlines(layers, how), layers=layers, how=how)


def doubled(labelmap: LabelMap) -> tuple[LabelMap, LabelMap]:
    """Each label twice, the second one a sample further: they overlap."""
    moved = np.roll(labelmap.array.astype(np.uint16), 1, axis=2)
    again = {n + 10: Category(f"again {n}") for n in labelmap.categories}
    return labelmap, LabelMap(np.where(moved, moved + 10, 0), labelmap.grid, again)


@pytest.mark.parametrize("name", FREE)
@settings(max_examples=25)
@given(labelmap=labelmaps(max_size=5), overlapping=st.booleans())
def test_every_label_comes_back_of_every_format(
    name: str, labelmap: LabelMap, overlapping: bool
) -> None:
    layers = doubled(labelmap) if overlapping else (labelmap,)
    drawing = drawing_of(*layers)
    if name not in possible(drawing):
        assert overlapping
        assert FORMATS[name].takes == "one layer"
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / FORMATS[name].file
        trip = write(drawing, name, path)
        back = FORMATS[name].read_back(drawing, path)

    assert trip is not None
    assert trip.dice == 1.0
    there = {n: layer.mask(n) for layer in back for n in layer.present()}
    for layer in layers:
        for number in layer.present():
            np.testing.assert_array_equal(there[number], layer.mask(number))
    assert len(there) == sum(len(layer.present()) for layer in layers)
    if FORMATS[name].takes != "surfaces":
        assert trip.largest_distance == 0.0


@pytest.mark.parametrize(
    "how", [Outlines("midpoint"), Outlines(smooth_mm=0.7), Outlines("midpoint", 0.4, 0.3)]
)
@pytest.mark.parametrize("name", [name for name in OUTLINES if name in FREE])
@settings(max_examples=15)
@given(labelmap=labelmaps(max_size=5))
def test_outlines_however_drawn_fill_exactly_and_say_how_far_they_were_moved(
    name: str, how: Outlines, labelmap: LabelMap
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / FORMATS[name].file
        trip = write(drawing_of(labelmap, how=how), name, path)
        assert trip is not None
        assert trip.dice == 1.0
        assert trip.largest_distance == 0.0
        assert trip.moved == pytest.approx(how.moved(labelmap.grid))


@pytest.mark.parametrize("shear", [0.0, 0.4, -0.4])
def test_midpoints_cut_a_corner_by_no_more_than_is_said(shear: float) -> None:
    affine = Grid.regular((1, 3, 3), (1.0, 1.0, 2.0)).affine.copy()
    affine[:3, 1] += shear * affine[:3, 2]
    grid = Grid((1, 3, 3), affine)
    array = np.zeros(grid.shape, np.uint8)
    array[0, 1, 1] = 1
    (diamond,) = trace_all(LabelMap(array, grid, {}), style="midpoint")[0].contours
    corners = grid.to_world([(0, 1 + y, 1 + x) for y in (-0.5, 0.5) for x in (-0.5, 0.5)])

    cut = max(_distance(corner, diamond.points) for corner in corners)

    assert Outlines("midpoint").moved(grid) == pytest.approx(cut)


def _distance(point: np.ndarray, ring: np.ndarray) -> float:
    """Of a point from a ring."""
    steps = np.roll(ring, -1, axis=0) - ring
    t = np.clip(((point - ring) * steps).sum(axis=1) / (steps**2).sum(axis=1), 0, 1)
    return float(np.linalg.norm(ring + t[:, None] * steps - point, axis=1).min())


def test_surfaces_say_how_far_they_went(tmp_path: Path) -> None:
    labelmap = ball()
    drawing = drawing_of(labelmap)

    trip = write(drawing, "ply", tmp_path / "a.ply")

    assert trip is not None
    assert trip.dice == 1.0
    assert trip.largest_distance == 0.0
    assert trip.moved == drawing.surfaces[0].deviation_mm
    assert trip.moved


def test_a_picture_without_scale_has_no_surfaces() -> None:
    pixels = Grid.regular((1, 4, 4), unit="px")
    layer = LabelMap(np.ones(pixels.shape, np.uint8), pixels, {1: Category("a")})

    assert not {"stl", "ply", "glb"} & set(possible(drawing_of(layer)))


def test_marks_beside_labels_are_compared_as_well(tmp_path: Path) -> None:
    labelmap = ball()
    (ring,) = trace_all(ball(9))
    mark = Mark(9, Category("Nodule"), 0.5, None, None, ring.contours)
    drawing = replace(drawing_of(labelmap), marks=(mark,))

    kept = write(drawing, "geojson", tmp_path / "a.geojson")
    lost = write(drawing, "nrrd", tmp_path / "a.seg.nrrd")

    assert kept is not None
    assert lost is not None
    assert kept.structures.keys() == {1, 9}
    assert kept.dice == 1.0
    assert lost.dice == 0.0  # label maps have no place for marks
    assert "a structure lost" in lost.sentence


def test_smoothing_passes_no_sample_centre() -> None:
    grid = Grid.regular((1, 12, 12))
    array = (np.random.default_rng(3).random(grid.shape) < 0.6).astype(np.uint8)
    labelmap = LabelMap(array, grid, {1: Category("sponge")})

    drawn = outlines((labelmap,), Outlines(smooth_mm=2.0))

    np.testing.assert_array_equal(fill(drawn[0].contours, grid), array > 0)


def test_nifti_may_be_left_unpacked(tmp_path: Path) -> None:
    write(drawing_of(ball()), "nifti", tmp_path / "a.nii")

    assert nifti.read_labels(tmp_path / "a.nii").present() == ball().present()


def ball(label: int = 1) -> LabelMap:
    grid = Grid.regular((5, 12, 12))
    far = np.linalg.norm(np.argwhere(np.ones(grid.shape)) - (2, 5, 6), axis=1)
    array = np.where(far.reshape(grid.shape) < 2.6, label, 0).astype(np.uint8)
    return LabelMap(array, grid, {label: Category("a")})


@pytest.mark.parametrize("name", ["nifti", "nrrd", "masks"])
def test_labels_that_come_back_at_another_place_are_none(name: str, tmp_path: Path) -> None:
    grid = Grid.regular((3, 3, 3))
    labelmap = LabelMap(np.ones(grid.shape, np.uint8), grid, {1: Category("a")})
    path = tmp_path / FORMATS[name].file
    write(drawing_of(labelmap), name, path)
    elsewhere = Grid.regular((3, 3, 3), origin=(0.0, 0.0, 0.5))
    moved = drawing_of(LabelMap(labelmap.array, elsewhere, labelmap.categories))

    with pytest.raises(GeometryError, match="are not those of the image"):
        FORMATS[name].read_back(moved, path)


@pytest.fixture(scope="module")
def series(phantom_series: Path) -> tuple[Image, LabelMap]:
    image = formats.read(phantom_series)
    array = np.zeros(image.grid.shape, np.uint8)
    array[2:6, 20:40, 20:60] = 5
    array[3:5, 25:30, 30:40] = 0
    array[4, 26, 33] = 9
    named = {2: Category("never seen"), 5: Category("a"), 9: Category("b")}
    return image, LabelMap(array, image.grid, named)


@pytest.mark.parametrize("holes", ["rings", "xor", "keyhole"])
@pytest.mark.parametrize("segments", ["binary", "labelmap"])
@pytest.mark.parametrize("name", ["rtstruct", "seg"])
def test_what_refers_to_a_series_comes_back_too(
    name: str, holes: str, segments: str, series: tuple[Image, LabelMap], tmp_path: Path
) -> None:
    image, labels = series
    drawing = drawing_of(labels, image=image)

    trip = write(drawing, name, tmp_path / "file.dcm", Choices(holes, segments))

    assert trip is not None
    assert (trip.dice, trip.largest_distance) == (1.0, 0.0)
    assert set(trip.structures) == {2, 5, 9}


@pytest.mark.parametrize("name", SHAPES)
def test_the_loss_is_measured_on_the_file_and_said_in_it(
    name: str, series: tuple[Image, LabelMap], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, labels = series
    drawing = drawing_of(labels, image=image)
    entry = FORMATS[name]
    spoilt = np.where(np.arange(labels.array.shape[2]) == 59, 0, labels.array)
    truth = (LabelMap(spoilt, labels.grid, labels.categories),)
    monkeypatch.setattr(Drawing, "truth", property(lambda _: truth))

    trip = write(drawing, name, tmp_path / entry.file)

    assert trip is not None
    assert trip.structures == round_trip(truth, (labels,), labels.grid).structures
    assert trip.dice < 1.0
    said = {path.name: path.read_bytes() for path in tmp_path.iterdir()}[entry.file]
    if name in ("rtstruct", "seg", "geojson", "coco", "ply", "glb"):
        assert trip.sentence.encode() in said


@pytest.mark.parametrize("name", FREE)
def test_the_same_drawing_gives_the_same_bytes(
    name: str, series: tuple[Image, LabelMap], tmp_path: Path
) -> None:
    image, labels = series
    one, two = (tmp_path / f"{n}{FORMATS[name].endings[0]}" for n in "ab")
    for path in (one, two):
        write(drawing_of(labels, image=image), name, path)

    assert one.read_bytes() == two.read_bytes()


def test_what_overlaps_is_never_merged(tmp_path: Path) -> None:
    grid = Grid.regular((1, 2, 3))
    one = LabelMap(np.array([[[1, 1, 0], [0, 0, 0]]]), grid, {1: Category("a")})
    two = LabelMap(np.array([[[0, 2, 2], [0, 0, 0]]]), grid, {2: Category("b")})

    with pytest.raises(ExportError, match="structures overlap, and nifti holds one label a sample"):
        write(drawing_of(one, two), "nifti", tmp_path / "labels.nii.gz")
    assert not list(tmp_path.iterdir())


def test_an_empty_drawing_and_an_unknown_format_are_refused(tmp_path: Path) -> None:
    image = Image(np.zeros((1, 2, 3)), Grid.regular((1, 2, 3)))

    with pytest.raises(ExportError, match="cannot be written as svg; it can as nothing: it is e"):
        write(Drawing(image=image), "svg", tmp_path / "a.zip")
    with pytest.raises(ExportError, match="cannot be written as poem"):
        write(Drawing(image=image), "poem", tmp_path / "a.txt")


def test_marks_come_back_and_their_outlines_are_compared(tmp_path: Path) -> None:
    grid = Grid.regular((1, 8, 9), unit="px")
    labels = LabelMap(np.pad(np.ones((1, 2, 3), np.uint8), ((0, 0), (1, 5), (2, 4))), grid, {})
    ring = trace_all(labels)[0].contours
    bee = Category("bee")
    marks = (
        Mark(1, bee, 0.5, point=(3.0, 4.0, 0.0)),
        Mark(2, bee, 0.25, box=((1.5, 2.5, -0.5), (3.5, 4.5, 0.5))),
        Mark(3, bee, 1.0, contours=ring),
    )
    image = Image(np.zeros(grid.shape), grid, "photo")
    field = (Structure(7, Category("field"), ring),)
    for name, structures in (("geojson", ()), ("coco", ()), ("svg", ()), ("geojson", field)):
        drawing = Drawing(image=image, structures=structures, marks=marks)

        trip = write(drawing, name, tmp_path / FORMATS[name].file)

        assert trip is not None
        assert trip.sentence == "round trip: Dice 1.000000, largest distance 0.000 px"
        assert set(trip.structures) == {3, *(one.number for one in structures)}


def test_things_looked_for_and_not_found_are_an_answer(tmp_path: Path) -> None:
    grid = Grid.regular((1, 8, 9), unit="px")
    drawing = Drawing(image=Image(np.zeros(grid.shape), grid, "photo"), counted=True)

    assert possible(drawing) == ("geojson", "svg", "coco", "csv", "png")
    for name in possible(drawing):
        assert write(drawing, name, tmp_path / FORMATS[name].file) is None
    assert svg.read_marks(tmp_path / FORMATS["svg"].file) == ()
    assert geojson.read_marks(tmp_path / FORMATS["geojson"].file) == ()


def test_dicom_objects_need_a_series(series: tuple[Image, LabelMap]) -> None:
    image, _ = series
    demand_series(image, FORMATS)
    loose = replace(image, source=Image(np.zeros((1, 1, 1)), Grid.regular((1, 1, 1))).source)

    with pytest.raises(ExportError, match="expected a DICOM series for rtstruct and seg"):
        demand_series(loose, ["nifti", "rtstruct", "seg"])
    demand_series(loose, [name for name in FORMATS if not FORMATS[name].refers_to_series])


def test_names_files_and_endings_agree() -> None:
    assert len({entry.file for entry in FORMATS.values()}) == len(FORMATS)
    for name, entry in FORMATS.items():
        assert name.isalnum()
        assert entry.file.endswith(entry.endings[0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"style": "wavy"}, "edge or midpoint"),
        ({"smooth_mm": -1.0}, "smooth_mm of 0 or more"),
        ({"simplify_mm": float("nan")}, "simplify_mm of 0 or more"),
    ],
)
def test_outlines_that_cannot_be_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Outlines(**wrong)


def test_choices_that_cannot_be_are_refused() -> None:
    for wrong in itertools.chain(({"holes": "square"},), ({"segments": "ternary"},)):
        with pytest.raises(ValueError, match="expected"):
            Choices(**wrong)


def test_a_structure_set_says_when_it_was_made(
    series: tuple[Image, LabelMap], tmp_path: Path
) -> None:
    image, labels = series
    drawing = replace(drawing_of(labels, image=image), created=datetime(2026, 2, 3, 4, 5, 6))

    write(drawing, "rtstruct", tmp_path / "a.dcm")

    found = pydicom.dcmread(tmp_path / "a.dcm")
    assert (found.StructureSetDate, found.StructureSetTime) == ("20260203", "040506")


def test_the_sheet_tells_measured_volumes_however_outlines_are_drawn(
    series: tuple[Image, LabelMap],
) -> None:
    _, labels = series
    volumes = {number: one["volume_ml"] for number, one in measure(labels).items()}

    legends = [
        [
            entry.text
            for entry in sheet_legend.of_structures(outlines((labels,), how), labels.grid, volumes)
        ]
        for how in (EXACT, Outlines("midpoint", 1.0))
    ]

    assert legends[0] == legends[1]
    assert legends[0][1] == f"a   {volumes[5]:,.1f} ml"
