"""Data sets as they come: every layout is found by what it holds, and what is amiss is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import labelled
import numpy as np
import pytest
from PIL import Image as Pillow

from delineate import formats
from delineate.contour import Structure, trace
from delineate.errors import GeometryError, InputError
from delineate.formats import dicom, geojson
from delineate.imaging import Category, LabelMap
from delineate.phantom import torso
from delineate.segmentation.training.fingerprint import fingerprint
from delineate.segmentation.training.layouts import DataSet, find, label_names
from delineate.segmentation.training.organ_cases import IGNORED
from delineate.segmentation.training.pairs import read_pair


@pytest.mark.parametrize(
    ("make", "layout", "names", "files"),
    [
        (labelled.balls_folder, "folder", {1: "ball", 2: "stone"}, 1),
        (labelled.discs_folder, "folder", {255: "disc"}, 1),
        (labelled.decathlon_folder, "msd", {1: "ball", 2: "stone"}, 1),
        (labelled.nnunet_folder, "nnunet", {1: "ball", 2: "stone"}, 2),
        (labelled.nnunet_pictures, "nnunet", {1: "disc"}, 1),
    ],
)
def test_a_layout_is_known_by_what_it_holds(
    make: Callable[[Path, int], Path],
    layout: str,
    names: dict[int, str],
    files: int,
    tmp_path: Path,
) -> None:
    found = find(make(tmp_path, 3))

    assert (found.layout, dict(found.names), len(found.cases)) == (layout, names, 3)
    for case in found.cases:
        assert len(case.images) == files
        image, labels = read_pair(case, found)
        assert labels.shape == image.grid.shape
        assert set(np.unique(labels)) - {IGNORED} == set(range(len(names) + 1))


def test_channels_of_nnunet_are_joined_and_its_ignored_label_says_nothing(tmp_path: Path) -> None:
    found = find(labelled.nnunet_folder(tmp_path))

    image, labels = read_pair(found.cases[0], found)

    assert found.channels == ("CT", "T1")
    np.testing.assert_array_equal(image.array[..., 1] - image.array[..., 0], 100)
    assert (labels[:, :2] == IGNORED).all() or (labels[:, -2:] == IGNORED).all()
    assert fingerprint(found.cases, found).modalities[0] == "CT"


def test_pairs_in_one_folder_are_matched_and_a_dicom_folder_is_an_image(tmp_path: Path) -> None:
    image, labelmap = torso(3, spacing_mm=(20, 12, 12), extent_mm=(-200, 100))
    dicom.write_series(image, tmp_path / "scan")
    labels = labelmap.array.transpose(2, 1, 0)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.grid.affine[:, [2, 1, 0, 3]]
    labelled.nifti(labels, tmp_path / "scan_seg.nii.gz", affine)
    names = {number: one.name for number, one in labelmap.categories.items()}

    found = find(tmp_path, names)
    read, drawn = read_pair(found.cases[0], found)

    assert [case.name for case in found.cases] == ["scan"]
    assert read.modality == "CT"
    order = {number: place for place, number in enumerate(found.names, start=1)}
    for number in labelmap.present():
        assert np.count_nonzero(drawn == order[number]) == labelmap.mask(number).sum()


def test_labels_stored_along_other_axes_are_put_in_their_place(tmp_path: Path) -> None:
    hu, labels = labelled.balls(1)
    affine = np.diag([-2.0, -2.0, 2.5, 1.0])
    flipped = affine.copy()
    flipped[:, 0] *= -1
    flipped[0, 3] = affine[0, 0] * (labels.shape[0] - 1)
    labelled.nifti(hu, tmp_path / "images" / "a.nii.gz", affine)
    labelled.nifti(labels, tmp_path / "labels" / "a.nii.gz", affine)
    found = find(tmp_path, {1: "ball", 2: "stone"})
    _, straight = read_pair(found.cases[0], found)

    labelled.nifti(labels[::-1], tmp_path / "labels" / "a.nii.gz", flipped)
    _, drawn = read_pair(found.cases[0], found)

    np.testing.assert_array_equal(drawn, straight)
    assert drawn.max() == 2


def test_labels_of_a_part_of_the_image_are_refused(tmp_path: Path) -> None:
    import nibabel

    data = labelled.balls_folder(tmp_path / "balls")
    path = sorted((data / "labels").glob("*.nii.gz"))[0]
    whole = nibabel.load(path)
    nibabel.save(whole.slicer[:8, :8, :8], path)
    dataset = find(data, None)
    case = next(case for case in dataset.cases if case.labels.name == path.name)

    with pytest.raises(GeometryError, match="would be learned as background"):
        read_pair(case, dataset)


def test_labels_on_another_grid_are_refused_with_both(tmp_path: Path) -> None:
    hu, labels = labelled.balls(1)
    labelled.nifti(hu, tmp_path / "images" / "a.nii.gz")
    labelled.nifti(labels, tmp_path / "labels" / "a.nii.gz", np.diag([-1.0, -1.0, 1.0, 1.0]))
    found = find(tmp_path, {1: "ball", 2: "stone"})

    with pytest.raises(GeometryError, match=r"case a: .*32 x 28 x 24 of 1 x 1 x 1.*2.5 x 2 x 2"):
        read_pair(found.cases[0], found)


def test_a_number_that_nobody_named_is_refused(tmp_path: Path) -> None:
    found = find(labelled.balls_folder(tmp_path, 1), {1: "ball"})

    with pytest.raises(InputError, match=r"case doe_0 hold 2, which nothing names; expected 0, 1"):
        read_pair(found.cases[0], found)


def test_a_mask_with_a_palette_holds_its_indices_and_one_in_colour_is_refused(
    tmp_path: Path,
) -> None:
    colours, mask = labelled.discs(1)
    labelled.png(colours, tmp_path / "images" / "a.png")
    indexed = Pillow.fromarray(mask // 255)
    indexed.putpalette([0, 0, 0, 200, 30, 30])
    (tmp_path / "labels").mkdir()
    indexed.save(tmp_path / "labels" / "a.png")
    found = find(tmp_path, {1: "disc"})

    _, labels = read_pair(found.cases[0], found)
    np.testing.assert_array_equal(labels[0], mask // 255)

    labelled.png(colours, tmp_path / "labels" / "a.png")
    with pytest.raises(InputError, match=r"case a: a\.png is in colour"):
        read_pair(found.cases[0], found)


def test_outlines_are_labels_by_their_names(tmp_path: Path) -> None:
    colours, mask = labelled.discs(1)
    labelled.png(colours, tmp_path / "images" / "a.png")
    image = formats.read(tmp_path / "images" / "a.png")
    drawn = LabelMap((mask[None] > 0).astype(np.uint8) * 7, image.grid, {7: Category("disc")})
    (tmp_path / "labels").mkdir()
    structure = Structure(7, Category("disc"), trace(drawn, 7))
    geojson.write([structure], image.grid, tmp_path / "labels" / "a.json")

    found = find(tmp_path, {3: "ring", 4: "disc"})
    _, labels = read_pair(found.cases[0], found)
    np.testing.assert_array_equal(labels[0] == 2, mask > 0)

    found = find(tmp_path, {7: "ring"})
    with pytest.raises(InputError, match="case a: it holds 'disc'; expected some of ring"):
        read_pair(found.cases[0], found)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is none"):
        find(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no case in"):
        find(tmp_path, {1: "ball"})

    folder = labelled.balls_folder(tmp_path / "plain", 2)
    (folder / "labels" / "doe_1.nii.gz").rename(tmp_path / "kept")
    with pytest.raises(InputError, match="case doe_1 has no labels"):
        find(folder)
    (folder / "labels.json").unlink()
    (tmp_path / "kept").rename(folder / "labels" / "doe_1.nii.gz")
    with pytest.raises(InputError, match="nothing says what the numbers"):
        find(folder)

    folder = labelled.nnunet_folder(tmp_path / "nnunet", 2)
    (folder / "labelsTr" / "b_0.nii.gz").unlink()
    with pytest.raises(InputError, match="case b_0 has no labels"):
        find(folder)

    folder = labelled.decathlon_folder(tmp_path / "msd", 2)
    (folder / "imagesTr" / "ball_001.nii.gz").unlink()
    with pytest.raises(InputError, match="image of case ball_001 is missing"):
        find(folder)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"whole": [1, 2]}, "region"),
        ({"a": "b"}, "expected a number"),
        ({"1": "ball", "2": "ball"}, "name of their own"),
        ({}, "expected labels"),
        ({"0": "background"}, "a number and a name"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(
    labels: object, message: str, tmp_path: Path
) -> None:
    folder = labelled.decathlon_folder(tmp_path, 1)
    content = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**content, "labels": labels}))

    with pytest.raises(InputError, match=message):
        find(folder)


def test_names_on_the_command_line() -> None:
    assert label_names("2=spleen, 1=liver") == {1: "liver", 2: "spleen"}
    for wrong in ("liver", "1=", "=liver", "1=a,1=b", "1=a,2=a", "0=a"):
        with pytest.raises(InputError, match="expected labels"):
            label_names(wrong)


def test_cases_of_different_kinds_and_of_no_label_are_refused(tmp_path: Path) -> None:
    folder = labelled.discs_folder(tmp_path / "mixed", 2)
    colours, _ = labelled.discs(5)
    labelled.png(colours[..., 0], folder / "images" / "plate_1.png")
    found = find(folder)
    with pytest.raises(InputError, match=r"plate_1 has 1 channels in px, plate_0 has 3"):
        fingerprint(found.cases, found)

    for case in found.cases:
        labelled.png(np.zeros((64, 80), np.uint8), case.labels)
    only = DataSet(found.layout, found.cases[:1], found.names)
    with pytest.raises(InputError, match="nothing to learn"):
        fingerprint(only.cases, only)
