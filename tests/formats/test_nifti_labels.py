"""Label maps and masks as NIfTI: names, colours, codes and numbers survive."""

from __future__ import annotations

import gzip
import tempfile
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as itk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.errors import (
    ExportError,
    GeometryError,
    InputError,
    UnreadableFileError,
    UploadError,
)
from delineate.formats import masks, nifti
from delineate.imaging import Category, Code, Grid, LabelMap
from tests.strategies import layers

GOLDEN = Path(__file__).parent / "golden"


def recipe() -> tuple[LabelMap, ...]:
    """What labels.nii.gz (the first) and masks.zip (both) hold."""
    grid = Grid.regular((2, 3, 4), (4.0, 1.5, 2.0), (10.0, -20.0, 30.0))
    organs, cyst = np.zeros((2, *grid.shape), np.uint8)
    organs[:, 1:, 1:3] = 2
    cyst[1, 2, 2:] = 7
    kidney = Category("kidney_left", (255, 128, 0), Code("64033007", "SCT", "Kidney"), "left")
    return (
        LabelMap(organs, grid, {2: kidney, 4: Category("Größe <&> ]]>", (1, 2, 3))}),
        LabelMap(cyst, grid, {7: Category("../cyst", (0, 0, 255))}),
    )


def union(drawn: tuple[LabelMap, ...]) -> dict[int, tuple[Category, bytes]]:
    return {
        label: (category, layer.mask(label).tobytes())
        for layer in drawn
        for label, category in layer.categories.items()
    }


@given(layers(), st.booleans())
@settings(max_examples=40)
def test_masks_are_read_back(drawn: tuple[LabelMap, ...], zipped: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("masks.zip" if zipped else "masks")
        nifti.write_masks(drawn, path)
        back = masks.read_layers(path)

    assert union(back) == union(drawn)
    assert back[0].grid.matches(drawn[0].grid)


@given(layers(most=1))
@settings(max_examples=30)
def test_names_colours_and_codes_survive_nibabel(drawn: tuple[LabelMap, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "a.nii.gz", Path(folder) / "b.nii"
        nifti.write_labels(drawn[0], ours)
        nibabel.save(nibabel.load(ours), theirs)
        back = nifti.read_labels(theirs)

    assert dict(back.categories) == dict(drawn[0].categories)
    np.testing.assert_array_equal(back.array, drawn[0].array)


def test_carets_table_is_there_for_others(tmp_path: Path) -> None:
    """Without the comment, which is our own, names and colours are read from Caret's table."""
    nifti.write_labels(recipe()[0], tmp_path / "a.nii.gz", accuracy="round trip: Dice 1.000000")
    image = nibabel.load(tmp_path / "a.nii.gz")
    assert [one.get_code() for one in image.header.extensions] == [6, 30]
    assert image.header["descrip"].item() == b"round trip: Dice 1.000000"
    del image.header.extensions[0]
    nibabel.save(image, tmp_path / "b.nii.gz")

    found = nifti.read_labels(tmp_path / "b.nii.gz").categories

    assert [(label, one.name, one.colour) for label, one in found.items()] == [
        (2, "kidney_left", (255, 128, 0)),
        (4, "Größe <&> ]]>", (1, 2, 3)),
    ]


def test_the_golden_files_are_read_and_written(tmp_path: Path) -> None:
    nifti.write_labels(recipe()[0], tmp_path / "labels.nii.gz")
    nifti.write_masks(recipe(), tmp_path / "masks.zip")

    for folder in (tmp_path, GOLDEN):
        labelmap = nifti.read_labels(folder / "labels.nii.gz")
        np.testing.assert_array_equal(labelmap.array, recipe()[0].array)
        assert dict(labelmap.categories) == dict(recipe()[0].categories)
        assert union(masks.read_layers(folder / "masks.zip")) == union(recipe())
    plain = [gzip.decompress((one / "labels.nii.gz").read_bytes()) for one in (tmp_path, GOLDEN)]
    assert plain[0] == plain[1]


def test_a_zip_of_masks_has_plain_names_and_no_clock(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        nifti.write_masks(recipe(), tmp_path / name)

    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["kidney_left.nii.gz", "Größe.nii.gz", "cyst.nii.gz"]
    nifti.write_masks(recipe(), tmp_path / "folder")
    image = itk.ReadImage(str(tmp_path / "folder" / "kidney_left.nii.gz"))
    np.testing.assert_array_equal(itk.GetArrayFromImage(image), recipe()[0].array == 2)


def test_names_that_differ_by_case_alone_get_files_of_their_own(tmp_path: Path) -> None:
    grid = Grid.regular((1, 1, 2))
    same = {1: Category("Liver"), 2: Category("liver"), 3: Category("con"), 4: Category("//")}
    nifti.write_masks([LabelMap(np.zeros(grid.shape, np.uint8), grid, same)], tmp_path / "a")

    assert sorted(one.name for one in (tmp_path / "a").iterdir()) == [
        "Liver.nii.gz",
        "_con.nii.gz",
        "liver_2.nii.gz",
        "structure.nii.gz",
    ]


def test_masks_of_other_programs_get_names_from_their_files(tmp_path: Path) -> None:
    for name, value in (("kidney_left", 1), ("Liver", 255), ("thing", 0)):
        array = np.zeros((2, 2, 2), np.uint8)
        array[0] = value
        itk.WriteImage(itk.GetImageFromArray(array), str(tmp_path / f"{name}.nrrd"))
    (tmp_path / "notes.txt").write_text("passed over")

    first, second = masks.read_layers(tmp_path)

    assert [one.name for one in first.categories.values()] == ["Liver", "thing"]
    assert second.categories[2].code == Code("64033007", "SCT", "Kidney")
    assert second.categories[2].laterality == "left"
    assert first.array[0].tolist() == [[1, 1], [1, 1]]


def test_real_masks_of_one_rater_become_layers(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "masks_two_raters/oncologist/TCGA-CV-5978/segmentations"
    for name in ("Spinal-Cord.nrrd", "Spinal-Canal.nrrd", "Lens-Lt.nrrd"):
        (tmp_path / name).symlink_to(folder / name)

    found = masks.read_layers(tmp_path)

    by_name = {one.name: (layer, n) for layer in found for n, one in layer.categories.items()}
    assert (len(found), len(by_name)) == (2, 3)  # the canal holds the cord
    for file in tmp_path.glob("*.nrrd"):
        layer, number = by_name[file.stem]
        theirs = itk.GetArrayFromImage(itk.ReadImage(str(file))) > 0
        np.testing.assert_array_equal(layer.mask(number), theirs)


def test_what_are_no_masks_of_one_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="holds no mask"):
        masks.read_layers(tmp_path)
    for name, size in (("a", 2), ("b", 3)):
        image = itk.GetImageFromArray(np.ones((size, 2, 2), np.uint8))
        itk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    with pytest.raises(GeometryError, match=r"b\.nii\.gz lies on another grid"):
        masks.read_layers(tmp_path)
    (tmp_path / "b.nii.gz").unlink()
    labels = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    itk.WriteImage(itk.GetImageFromArray(labels), str(tmp_path / "a.nii.gz"))
    with pytest.raises(UnreadableFileError, match="holds 7 labels"):
        masks.read_layers(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "a.nii.gz").rename(tmp_path / "b" / "a.nii.gz")
    itk.WriteImage(itk.GetImageFromArray(labels), str(tmp_path / "a.nii.gz"))
    with pytest.raises(InputError, match="masks in 2 folders"):
        masks.read_layers(tmp_path)
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(UploadError):
        masks.read_layers(tmp_path / "a.zip")
    with pytest.raises(ExportError):
        nifti.write_masks([], tmp_path / "b.zip")
