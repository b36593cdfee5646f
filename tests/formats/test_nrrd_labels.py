"""Label maps as 3D Slicer's .seg.nrrd: what is written is read back, by others as well."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as itk  # noqa: N813
from hypothesis import given, settings

from delineate.errors import ExportError, GeometryError, InputError
from delineate.formats import nrrd
from delineate.imaging import Category, Code, Grid, LabelMap
from tests.strategies import layers

GOLDEN = Path(__file__).parent / "golden" / "labels.seg.nrrd"


def recipe() -> tuple[LabelMap, ...]:
    """What labels.seg.nrrd holds; ``nrrd.write_labels(recipe(), GOLDEN)`` writes it."""
    affine = np.array([[0, 0.5, 2, 10], [0.25, 1.5, 0, -20], [4, 0, 0, 30], [0, 0, 0, 1.0]])
    grid = Grid((2, 3, 4), affine)
    kidney = Category("kidney_left", (255, 128, 0), Code("64033007", "SCT", "Kidney"), "left")
    organs = np.zeros(grid.shape, np.uint8)
    organs[:, 1:, 1:3] = 2
    cyst = np.zeros(grid.shape, np.uint8)
    cyst[1, 2, 2:] = 7
    return (
        LabelMap(organs, grid, {2: kidney, 4: Category("not found", (1, 2, 3))}),
        LabelMap(cyst, grid, {7: Category("cyst | of the ~ kidney \\ left", (0, 0, 255))}),
    )


def same(one: tuple[LabelMap, ...], other: tuple[LabelMap, ...]) -> None:
    assert len(one) == len(other)
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours.array, theirs.array)
        assert dict(ours.categories) == dict(theirs.categories)
        np.testing.assert_array_equal(ours.grid.affine, theirs.grid.affine)
        assert ours.grid.unit == theirs.grid.unit


@given(layers())
@settings(max_examples=60)
def test_written_layers_are_read_back(drawn: tuple[LabelMap, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.seg.nrrd"
        nrrd.write_labels(drawn, path)
        same(drawn, nrrd.read_layers(path))


@given(layers())
@settings(max_examples=40)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_itk_and_pynrrd_read_what_is_written(drawn: tuple[LabelMap, ...]) -> None:
    import nrrd as pynrrd

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.seg.nrrd"
        nrrd.write_labels(drawn, path)
        image = itk.ReadImage(str(path))
        array, header = pynrrd.read(str(path))
    grid = drawn[0].grid
    stack = np.stack([layer.array for layer in drawn], axis=-1)

    ours = stack if len(drawn) > 1 else stack[..., 0]
    np.testing.assert_array_equal(itk.GetArrayFromImage(image), ours)
    np.testing.assert_array_equal(
        array.T, np.moveaxis(stack, -1, 3).squeeze(axis=3) if len(drawn) == 1 else stack
    )
    np.testing.assert_allclose(image.GetOrigin(), grid.affine[:3, 3], atol=1e-9)
    corner = [n - 1 for n in grid.shape]
    np.testing.assert_allclose(
        image.TransformIndexToPhysicalPoint(corner[::-1]), grid.to_world(corner), atol=1e-6
    )
    directions = header["space directions"][-3:]
    np.testing.assert_array_equal(np.array(directions, float), grid.affine[:3, 2::-1].T)
    assert header["space"] == "left-posterior-superior"
    names = [header[f"Segment{i}_Name"] for i in range(2 * len(drawn))]
    assert len(names) == sum(len(layer.categories) for layer in drawn)


def test_what_3d_slicer_looks_for_is_there(tmp_path: Path) -> None:
    nrrd.write_labels(recipe(), tmp_path / "a.seg.nrrd", accuracy="round trip: Dice 1.000000")
    head = (tmp_path / "a.seg.nrrd").read_bytes().split(b"\n\n")[0].decode()

    for line in (
        "space: left-posterior-superior",
        "sizes: 2 4 3 2",
        "kinds: list domain domain domain",
        "space directions: none (2.0,0.0,0.0) (0.5,1.5,0.0) (0.0,0.25,4.0)",
        "content: round trip: Dice 1.000000",
        "Segment0_ID:=Segment_2",
        "Segment0_Name:=kidney_left",
        "Segment0_Color:=1 0.501961 0",
        "Segment0_LabelValue:=2",
        "Segment0_Layer:=0",
        "Segment0_Extent:=1 2 1 2 0 1",
        "Segment1_Name:=not found",
        "Segment1_Extent:=0 -1 0 -1 0 -1",
        "Segment2_LabelValue:=7",
        "Segment2_Layer:=1",
        "Segment2_Extent:=2 3 2 2 1 1",
        "Segment0_Tags:=Segmentation.Status:completed|TerminologyEntry:"
        "Segmentation category and type - 3D Slicer General Anatomy list"
        "~SCT^123037004^Anatomical Structure~SCT^64033007^Kidney~SCT^7771000^Left"
        "~Anatomic codes - DICOM master list~^^~^^|",
    ):
        assert line in head.splitlines()


def test_the_golden_file_is_read_and_written(tmp_path: Path) -> None:
    nrrd.write_labels(recipe(), tmp_path / "a.seg.nrrd")

    same(recipe(), nrrd.read_layers(GOLDEN))
    packed = (tmp_path / "a.seg.nrrd").read_bytes()
    assert packed.split(b"\n\n")[0] == GOLDEN.read_bytes().split(b"\n\n")[0]
    nrrd.write_labels(recipe(), tmp_path / "b.seg.nrrd")
    assert (tmp_path / "b.seg.nrrd").read_bytes() == packed


def test_overlaps_are_not_merged(tmp_path: Path) -> None:
    nrrd.write_labels(recipe(), tmp_path / "a.seg.nrrd")

    with pytest.raises(InputError, match="overlap"):
        nrrd.read_labels(tmp_path / "a.seg.nrrd")


def test_layers_without_overlap_are_one_label_map(tmp_path: Path) -> None:
    first, second = recipe()
    apart = LabelMap(second.array * (first.array == 0), second.grid, second.categories)
    nrrd.write_labels((first, apart), tmp_path / "a.seg.nrrd")

    labelmap = nrrd.read_labels(tmp_path / "a.seg.nrrd")

    np.testing.assert_array_equal(labelmap.array, first.array + apart.array)
    assert set(labelmap.categories) == {2, 4, 7}


def test_a_label_that_3d_slicer_uses_twice_gets_a_new_number(tmp_path: Path) -> None:
    """3D Slicer begins at 1 in every layer; here the second layer has 1 and 5."""
    head = (
        "NRRD0004\ntype: unsigned char\ndimension: 4\nspace: left-posterior-superior\n"
        "sizes: 2 2 1 1\nspace directions: none (1,0,0) (0,1,0) (0,0,1)\n"
        "kinds: list domain domain domain\nencoding: raw\nspace origin: (0,0,0)\n"
        "Segment0_Name:=a\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n"
        "Segment1_Name:=b\nSegment1_LabelValue:=1\nSegment1_Layer:=1\n"
        "Segment2_Name:=c\nSegment2_LabelValue:=5\nSegment2_Layer:=1\n\n"
    )
    (tmp_path / "a.nrrd").write_bytes(head.encode() + bytes([1, 1, 0, 5]))

    first, second = nrrd.read_layers(tmp_path / "a.nrrd")

    assert first.array.tolist() == [[[1, 0]]]
    assert second.array.tolist() == [[[2, 5]]]
    assert [one.name for one in (first.categories[1], *second.categories.values())] == list("abc")


def test_colours_are_no_labels(tmp_path: Path) -> None:
    image = itk.GetImageFromArray(np.zeros((2, 3, 4, 3), np.uint8), isVector=True)
    itk.WriteImage(image, str(tmp_path / "a.nrrd"))

    with pytest.raises(GeometryError, match="3 components"):
        nrrd.read_layers(tmp_path / "a.nrrd")


def test_layers_that_do_not_belong_together_are_not_written(tmp_path: Path) -> None:
    first, second = recipe()
    elsewhere = LabelMap(second.array, Grid.regular(second.grid.shape), second.categories)

    for wrong, what in (
        ((), "got none"),
        ((first, first), "label 2"),
        ((first, elsewhere), "grid"),
    ):
        with pytest.raises(ExportError, match=what):
            nrrd.write_labels(wrong, tmp_path / "a.nrrd")


def test_a_picture_in_pixels_stays_one(tmp_path: Path) -> None:
    labelmap = LabelMap(np.eye(3, dtype=np.uint8)[None], Grid.regular((1, 3, 3), unit="px"), {})
    nrrd.write_labels([labelmap], tmp_path / "a.nrrd")

    assert nrrd.read_labels(tmp_path / "a.nrrd").grid.unit == "px"
