"""Annotations of every format are told by content and give the same layers."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as itk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.contour import trace_all
from delineate.errors import GeometryError, InputError, UnreadableFileError
from delineate.formats import coco, geojson, nifti, nrrd, svg
from delineate.formats.annotations import read_annotation
from delineate.formats.marks import Mark
from delineate.imaging import Category, Code, Grid, LabelMap, anatomy, place
from tests.strategies import layers

LIVER = LabelMap(
    np.array([[[0, 1], [0, 2]]], np.uint8),
    Grid.regular((1, 2, 2), (5.0, 1.0, 1.0)),
    {1: Category("Liver", (9, 8, 7)), 2: Category("Kidney_L", (1, 2, 3))},
)


def write(kind: str, drawn: tuple[LabelMap, ...], folder: Path) -> Path:
    """Under a name that says nothing."""
    grid, path = drawn[0].grid, folder / "file"
    structures = [one for layer in drawn for one in trace_all(layer)]
    if kind == "nifti":
        nifti.write_labels(drawn[0], folder / "a.nii.gz")
        (folder / "a.nii.gz").rename(path)
    elif kind == "masks":
        nifti.write_masks(drawn, folder / "a.zip")
        (folder / "a.zip").rename(path)
    elif kind == "nrrd":
        nrrd.write_labels(drawn, path)
    elif kind == "coco":
        coco.write(drawn, grid, path)
    elif kind == "geojson":
        geojson.write(structures, grid, path)
    else:
        svg.write(structures, grid, path)
    return path


@pytest.mark.parametrize("kind", ["nifti", "masks", "nrrd", "coco", "geojson", "svg"])
@given(data=st.data())
@settings(max_examples=15)
def test_every_format_gives_the_same_structures(kind: str, data: st.DataObject) -> None:
    drawn = data.draw(layers(max_size=5, most=1 if kind == "nifti" else 3))
    with tempfile.TemporaryDirectory() as folder:
        path = write(kind, drawn, Path(folder))
        found = read_annotation(path, drawn[0].grid)

    assert found.format == kind
    assert bool(found.structures) == (kind in ("geojson", "svg"))
    masks = {n: one.mask(n) for one in found.layers for n in one.categories}
    names = {n: category for one in found.layers for n, category in one.categories.items()}
    for layer in drawn:
        for label, category in layer.categories.items():
            np.testing.assert_array_equal(masks.pop(label), layer.mask(label))
            assert (names[label].name, names[label].colour) == (category.name, category.colour)
    assert not masks


def test_names_get_codes_and_sides_but_keep_name_and_colour(tmp_path: Path) -> None:
    found = read_annotation(write("nrrd", (LIVER,), tmp_path)).layers[0].categories

    assert found[1] == Category("Liver", (9, 8, 7), Code("10200004", "SCT", "Liver"))
    assert found[2] == Category("Kidney_L", (1, 2, 3), Code("64033007", "SCT", "Kidney"), "left")


def test_codes_of_the_file_and_contradictions_are_left_alone(tmp_path: Path) -> None:
    own = Code("1", "99LOCAL", "mine")
    named = {
        1: Category("Liver", (9, 8, 7), own),
        2: Category("Kidney_L", (1, 2, 3), None, "right"),
    }
    labelmap = LabelMap(LIVER.array, LIVER.grid, named)

    assert dict(read_annotation(write("nrrd", (labelmap,), tmp_path)).layers[0].categories) == named


def test_a_photograph_gets_no_codes_of_anatomy(tmp_path: Path) -> None:
    labelmap = LabelMap(LIVER.array, Grid.regular((1, 2, 2), unit="px"), LIVER.categories)
    found = read_annotation(write("coco", (labelmap,), tmp_path))

    assert found.layers[0].categories[1].code is None


def test_outlines_need_the_image(tmp_path: Path) -> None:
    for kind in ("geojson", "svg"):
        with pytest.raises(InputError, match="give the image"):
            read_annotation(write(kind, (LIVER,), tmp_path))


def test_marks_are_read(tmp_path: Path) -> None:
    mark = Mark(3, Category("spot"), 0.5, point=(1.0, 1.0, 0.0))
    geojson.write((), LIVER.grid, tmp_path / "a", [mark])
    coco.write((), LIVER.grid, tmp_path / "b", [mark])

    for name in ("a", "b"):
        (found,) = read_annotation(tmp_path / name, LIVER.grid).marks
        assert (found.number, found.point) == (3, mark.point)


def test_a_real_rtstruct_is_what_its_mask_says(shared_data: Path) -> None:
    case = shared_data / "rtstruct_sts" / "STS_002"
    mask = nifti.read_labels(case / "CT_mask.nii.gz")

    found = read_annotation(case / "dicom_mask" / "RS.dcm", mask.grid)

    assert found.format == "rtstruct"
    assert [one.category.name for one in found.structures] == ["GTV_Mass_CT"]
    np.testing.assert_array_equal(found.layers[0].array > 0, mask.array > 0)
    with pytest.raises(InputError, match="give the image"):
        read_annotation(case / "dicom_mask" / "RS.dcm")
    with pytest.raises(GeometryError):
        read_annotation(case / "dicom_mask" / "RS.dcm", Grid.regular((2, 2, 2)))


def test_real_label_files_are_told_apart(shared_data: Path) -> None:
    abdomen = shared_data / "ct_labelled/abdomen_3mm/labels_v2_117classes_fast_model.nii.gz"
    liver = shared_data / "ct_labelled/dcmqi_liver_spine"
    segments = sorted(one for one in liver.rglob("*.dcm") if b"SEG" in one.read_bytes()[:4000])

    assert read_annotation(abdomen).format == "nifti"
    assert read_annotation(liver / "24x38x3/nrrd/label.nrrd").format == "nrrd"
    assert read_annotation(segments[0]).format == "seg"
    with pytest.raises(InputError, match="no label map"):
        read_annotation(abdomen.with_name("ct.nii.gz"))
    slices = next(one for one in liver.rglob("*.dcm") if one not in segments)
    with pytest.raises(InputError, match="expected RTSTRUCT or SEG"):
        read_annotation(slices)


def test_a_folder_may_hold_one_annotation_among_others(tmp_path: Path) -> None:
    write("geojson", (LIVER,), tmp_path).rename(tmp_path / "contours.geojson")
    (tmp_path / "readme.txt").write_text("no outlines")
    (tmp_path / ".DS_Store").write_bytes(b"{")

    assert read_annotation(tmp_path, LIVER.grid).format == "geojson"
    write("coco", (LIVER,), tmp_path)
    with pytest.raises(InputError, match="holds 2 files"):
        read_annotation(tmp_path, LIVER.grid)


def test_a_zip_with_one_label_map_is_that(tmp_path: Path) -> None:
    nifti.write_labels(LIVER, tmp_path / "labels.nii.gz")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "labels.nii.gz", "sub/labels.nii.gz")

    found = read_annotation(tmp_path / "a.zip")

    assert found.format == "nifti"
    np.testing.assert_array_equal(found.layers[0].array, LIVER.array)


def test_a_single_mask_is_named_by_its_file(tmp_path: Path) -> None:
    image = itk.GetImageFromArray(np.ones((2, 2, 2), np.uint8))
    itk.WriteImage(image, str(tmp_path / "spleen.nii.gz"))

    (layer,) = read_annotation(tmp_path).layers

    assert layer.categories[1] == anatomy.category("spleen")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"some text", "a text file"),
        (b"\x89PNG\r\n\x1a\n", "kind photo"),
        (b"{broken", "begins like JSON"),
        (b"[1, 2]", "JSON of another kind"),
        (json.dumps({"type": "FeatureCollection", "features": []}).encode(), "schema"),
    ],
)
def test_what_is_no_annotation_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a").write_bytes(content)

    with pytest.raises(UnreadableFileError, match=message):
        read_annotation(tmp_path / "a", LIVER.grid)


def test_an_image_of_many_numbers_is_no_label_map(tmp_path: Path) -> None:
    array = np.arange(2048, dtype=np.uint16).reshape(8, 16, 16)
    itk.WriteImage(itk.GetImageFromArray(array), str(tmp_path / "a.nrrd"))

    with pytest.raises(InputError, match="looks like an image"):
        read_annotation(tmp_path / "a.nrrd")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_annotation(tmp_path / "a")
    with pytest.raises(UnreadableFileError, match="holds none"):
        read_annotation(tmp_path)


@pytest.mark.parametrize("through", ["nifti", "coco", "geojson", "svg", "nrrd"])
def test_labels_stay_where_they_are_on_an_image_that_is_flipped(
    through: str, tmp_path: Path
) -> None:
    grid = Grid.regular((4, 5, 6))
    array = np.zeros(grid.shape, np.uint8)
    array[0, 1:3, 1:3] = 1
    labelmap = LabelMap(array, grid, {1: Category("Liver")})
    other_end = np.diag([-1.0, 1, 1, 1])
    other_end[0, 3] = 3
    flipped = Grid(grid.shape, grid.affine @ other_end)
    path = write(through, (labelmap,), tmp_path)

    found = read_annotation(path, flipped)

    np.testing.assert_array_equal(place(found.layers[0], flipped).array, array[::-1])


def test_coco_in_pixels_lies_on_the_picture_that_is_given(tmp_path: Path) -> None:
    pixels = Grid.regular((1, 4, 4), unit="px")
    array = np.eye(4, dtype=np.uint8)[None]
    coco.write((LabelMap(array, pixels, {1: Category("Naevus")}),), pixels, tmp_path / "a.json")
    scaled = Grid.regular((1, 4, 4), (1.0, 0.5, 0.5))

    (found,) = read_annotation(tmp_path / "a.json", scaled).layers

    assert found.grid.matches(scaled)
    np.testing.assert_array_equal(found.array, array)


@pytest.mark.parametrize("kind", ["geojson", "svg"])
def test_outlines_in_pixels_are_not_taken_for_mm(kind: str, tmp_path: Path) -> None:
    pixels = Grid.regular((1, 8, 8), unit="px")
    array = np.ones(pixels.shape, np.uint8)
    path = write(kind, (LabelMap(array, pixels, {1: Category("Naevus")}),), tmp_path)

    assert read_annotation(path, pixels).layers[0].array.all()
    with pytest.raises(GeometryError, match="are in px, the image they are to be put on is in mm"):
        read_annotation(path, Grid.regular((1, 8, 8), (1.0, 0.5, 0.5)))
