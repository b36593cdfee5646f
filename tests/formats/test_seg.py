"""DICOM Segmentation: labels come back, and belong to their series."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as itk  # noqa: N813
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from delineate.errors import ExportError, GeometryError, InputError, UnreadableFileError
from delineate.formats import read as read_image
from delineate.formats import seg
from delineate.formats.dicom import DicomSource, write_series
from delineate.imaging import Category, Code, Grid, Image, LabelMap, place
from tests.formats.dicom_objects import from_dicom
from tests.strategies import labelmaps

KINDS: tuple[Any, ...] = ("binary", "labelmap")
LIVER = "ct_labelled/dcmqi_liver_spine"
CATEGORIES = {
    2: Category("kidney", (10, 200, 30), Code("64033007", "SCT", "Kidney"), "left"),
    5: Category("Ähre"),
    9: Category("not there"),
}


def series(folder: Path, grid: Grid) -> Image:
    write_series(Image(np.zeros(grid.shape, np.int16), grid, "CT"), folder)
    return read_image(folder)


def labelled(image: Image) -> LabelMap:
    array = np.random.default_rng(2).choice([0, 2, 5], image.grid.shape).astype(np.uint8)
    return LabelMap(array, image.grid, CATEGORIES)


def overlapping(image: Image, seed: int = 4) -> tuple[LabelMap, LabelMap]:
    """Labels 1 and 4 in one layer, 3 in another."""
    rng = np.random.default_rng(seed)
    one = rng.choice([0, 1, 4], image.grid.shape).astype(np.uint8)
    other = rng.choice([0, 3], image.grid.shape).astype(np.uint8)
    other[-1] = 0  # a slice without a frame
    return (
        LabelMap(one, image.grid, {1: Category("a"), 4: Category("b")}),
        LabelMap(other, image.grid, {3: Category("c")}),
    )


def masks(layers: Sequence[LabelMap]) -> dict[int, Any]:
    return {label: layer.mask(label) for layer in layers for label in layer.present()}


@given(labelmaps(max_size=6), st.sampled_from(KINDS))
@settings(max_examples=40)
def test_what_is_written_is_read_on_any_grid(labelmap: LabelMap, kind: Any) -> None:
    assume(labelmap.grid.shape[1] * labelmap.grid.shape[2] >= 8)
    image = from_dicom(labelmap.grid)
    known = seg.segments([labelmap], image, kind=kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seg.dcm"
        seg.write([labelmap], image, path, kind=kind)

        back = place(seg.read_labels(path), labelmap.grid)

    for label in labelmap.categories:
        np.testing.assert_array_equal(back.mask(known.numbers[label]), labelmap.mask(label))
    assert list(back.categories) == list(known.numbers.values())


@given(labelmaps(max_size=5), st.integers(0, 99))
@settings(max_examples=30)
def test_structures_that_overlap_come_back_as_layers(labelmap: LabelMap, seed: int) -> None:
    assume(labelmap.grid.shape[1] * labelmap.grid.shape[2] >= 8)
    image = from_dicom(labelmap.grid)
    layers = overlapping(image, seed)
    known = seg.segments(layers, image)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seg.dcm"
        seg.write(layers, image, path)

        back = masks([place(layer, image.grid) for layer in seg.read_layers(path)])

    expected = masks(layers)
    assert set(back) == {known.numbers[label] for label in expected}
    for label, mask in expected.items():
        np.testing.assert_array_equal(back[known.numbers[label]], mask)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", ["SPL", "IPL", "ASL", "RSP"])
def test_labels_come_back_where_they_were(tmp_path: Path, kind: Any, orientation: str) -> None:
    grid = Grid.regular((4, 6, 8), (3.0, 0.7, 0.5), (-20.0, 7.0, 100.0)).oriented(orientation)
    image = series(tmp_path / "ct", grid)
    labelmap = labelled(image)

    seg.write([labelmap], image, tmp_path / "seg.dcm", kind=kind)
    back = seg.read_labels(tmp_path / "seg.dcm")

    assert back.grid.matches(image.grid)  # every slice holds something
    for segment, label in ((1, 2), (2, 5)):
        np.testing.assert_array_equal(back.mask(segment), labelmap.mask(label))
    assert back.categories[1].laterality == "left"
    assert back.categories[1].code == CATEGORIES[2].code
    names = [one.name for one in back.categories.values()]
    assert names == ["kidney left", "Ähre", "not there"]
    assert back.present() == (1, 2)
    colours = [back.categories[n + 1].colour for n in range(3)]
    expected = [CATEGORIES[n].colour for n in (2, 5, 9)]
    assert np.abs(np.array(colours) - expected).max() <= 2  # CIELab and back


def test_a_segmentation_belongs_to_its_series(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", Grid.regular((3, 4, 5)))

    seg.write([labelled(image)], image, tmp_path / "seg.dcm", algorithm="organs.ct 1")

    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    slices = [pydicom.dcmread(path) for path in sorted((tmp_path / "ct").iterdir())]
    assert dataset.StudyInstanceUID == slices[0].StudyInstanceUID
    assert dataset.FrameOfReferenceUID == slices[0].FrameOfReferenceUID
    assert dataset.PatientID == "phantom"
    (referenced,) = dataset.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == slices[0].SeriesInstanceUID
    uids = {one.ReferencedSOPInstanceUID for one in referenced.ReferencedInstanceSequence}
    assert uids == {one.SOPInstanceUID for one in slices}
    kidney = dataset.SegmentSequence[0]
    assert kidney.SegmentAlgorithmType == "AUTOMATIC"
    assert kidney.SegmentAlgorithmName == "organs.ct 1"


def test_the_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", Grid.regular((2, 4, 5)))
    labelmap = labelled(image)
    for name in ("a", "b"):
        seg.write([labelmap], image, tmp_path / name)
    seg.write([labelmap], image, tmp_path / "c", algorithm="another")

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    first, other = (pydicom.dcmread(tmp_path / name) for name in ("a", "c"))
    assert first.SOPInstanceUID != other.SOPInstanceUID


def test_what_was_looked_for_and_not_found_stays_in_the_file(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", Grid.regular((3, 4, 6)))
    empty = LabelMap(np.zeros((3, 4, 6), np.uint8), image.grid, CATEGORIES)

    for kind in KINDS:
        seg.write([empty], image, tmp_path / "a.dcm", kind=kind)
        dataset = pydicom.dcmread(tmp_path / "a.dcm")
        back = seg.read_layers(tmp_path / "a.dcm")

        described = [one for one in dataset.SegmentSequence if one.SegmentNumber]
        assert [one.SegmentDescription for one in described] == ["looked for and not found"] * 3
        (referenced,) = dataset.ReferencedSeriesSequence
        assert len(referenced.ReferencedInstanceSequence) == 3
        assert len(back) == 1
        assert back[0].present() == ()
        assert list(back[0].categories) == [1, 2, 3]


def test_what_cannot_be_a_segmentation_is_not_written(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", Grid.regular((2, 4, 5)))
    elsewhere = LabelMap(np.ones((2, 4, 5), np.uint8), Grid.regular((2, 4, 5), (2, 2, 2)), {})
    plain = Image(image.array, image.grid, "CT")
    nothing = LabelMap(np.zeros((2, 4, 5), np.uint8), image.grid, {})
    one, other = overlapping(image)

    with pytest.raises(ExportError, match="no label"):
        seg.write([nothing], image, tmp_path / "a")
    with pytest.raises(ExportError, match="at least one"):
        seg.write([], image, tmp_path / "a")
    with pytest.raises(ExportError, match="grid"):
        seg.write([elsewhere], image, tmp_path / "a")
    with pytest.raises(ExportError, match="DICOM series"):
        seg.write([labelled(plain)], plain, tmp_path / "a")
    with pytest.raises(ExportError, match="overlap"):
        seg.write([one, other], image, tmp_path / "a", kind="labelmap")
    with pytest.raises(ExportError, match=r"\[1, 4\] in two"):
        seg.write([one, one], image, tmp_path / "a")


def test_accuracy_is_said_where_viewers_show_it(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", Grid.regular((2, 4, 5)))

    seg.write([labelled(image)], image, tmp_path / "a", accuracy="round trip: Dice 1.000000")
    seg.write([labelled(image)], image, tmp_path / "b")

    said, silent = (pydicom.dcmread(tmp_path / name) for name in ("a", "b"))
    assert said.ContentDescription == "round trip: Dice 1.000000"
    assert not silent.ContentDescription
    known = seg.segments([labelled(image)], image)
    assert said.SOPInstanceUID == silent.SOPInstanceUID == known.sop_instance_uid
    assert said.SegmentSequence[0].TrackingUID == known.tracking_uids[2]


def test_a_segmentation_of_a_multi_frame_series_names_its_frames(
    shared_data: Path, tmp_path: Path
) -> None:
    image = read_image(shared_data / LIVER / "24x38x3" / "multiframe" / "mf.dcm")
    assert isinstance(image.source, DicomSource)
    labelmap = labelled(image)

    seg.write([labelmap], image, tmp_path / "seg.dcm")

    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    (referenced,) = dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert referenced.ReferencedSOPInstanceUID == image.source.sop_instance_uids[0]
    assert referenced.ReferencedSOPClassUID == image.source.sop_class_uids[0]
    for group in dataset.PerFrameFunctionalGroupsSequence:
        (item,) = group.DerivationImageSequence[0].SourceImageSequence
        place_of = group.PlanePositionSequence[0].ImagePositionPatient
        index = image.source.frame_numbers.index(item.ReferencedFrameNumber)
        np.testing.assert_allclose(place_of, image.grid.to_world((index, 0, 0)), atol=1e-3)
    back = seg.read_labels(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(back.array == 1, labelmap.mask(2))


def changed(path: Path, how: Any) -> Path:
    """The same file with its data set changed."""
    dataset = pydicom.dcmread(path)
    how(dataset)
    dataset.save_as(path.with_name("changed.dcm"), enforce_file_format=True)
    return path.with_name("changed.dcm")


def shuffle(dataset: Any) -> None:
    order = np.random.default_rng(1).permutation(int(dataset.NumberOfFrames))
    size = dataset.Rows * dataset.Columns
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    bits = bits[: len(order) * size].reshape(len(order), size)[order]
    groups = dataset.PerFrameFunctionalGroupsSequence
    dataset.PerFrameFunctionalGroupsSequence = [groups[int(k)] for k in order]
    dataset.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()


def test_frames_may_come_in_any_order_and_some_be_left_out(tmp_path: Path) -> None:
    grid = Grid.regular((9, 5, 7), (2.5, 1, 1))  # 35 samples: frames do not begin with a byte
    image = series(tmp_path / "ct", grid)
    array = labelled(image).array.copy()
    array[[0, 2, 4, 8]] = 0  # slices 1, 3, 5, 6, 7 remain
    labelmap = LabelMap(array, image.grid, CATEGORIES)
    seg.write([labelmap], image, tmp_path / "seg.dcm")

    def unsaid(dataset: Any) -> None:
        shuffle(dataset)
        measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        del measures.SpacingBetweenSlices

    for how in (shuffle, unsaid):
        found = seg.read_labels(changed(tmp_path / "seg.dcm", how))
        assert found.grid.shape == (7, 5, 7)
        back = place(found, image.grid)
        for segment, label in ((1, 2), (2, 5)):
            np.testing.assert_array_equal(back.mask(segment), labelmap.mask(label))


def test_two_frames_at_one_place_and_frames_between_slices_are_refused(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", Grid.regular((4, 4, 4), (2, 1, 1)))
    seg.write([labelled(image)], image, tmp_path / "seg.dcm")

    def move(z: float) -> Any:
        def how(dataset: Any) -> None:
            groups = dataset.PerFrameFunctionalGroupsSequence
            groups[1].PlanePositionSequence[0].ImagePositionPatient = [0, 0, z]

        return how

    with pytest.raises(UnreadableFileError, match="one position"):
        seg.read_layers(changed(tmp_path / "seg.dcm", move(0.0)))
    with pytest.raises(GeometryError, match="regular grid"):
        seg.read_layers(changed(tmp_path / "seg.dcm", move(2.377)))

    def sideways(dataset: Any) -> None:
        groups = dataset.PerFrameFunctionalGroupsSequence
        groups[1].PlanePositionSequence[0].ImagePositionPatient = [0.5, 0, 2.0]

    with pytest.raises(GeometryError, match="shifted"):
        seg.read_layers(changed(tmp_path / "seg.dcm", sideways))


def test_padding_of_label_maps_is_nothing_and_labels_that_are_not_described_are_refused(
    tmp_path: Path,
) -> None:
    image = series(tmp_path / "ct", Grid.regular((3, 4, 6)))
    seg.write([labelled(image)], image, tmp_path / "seg.dcm", kind="labelmap")
    plain = seg.read_labels(tmp_path / "seg.dcm")

    def nines(dataset: Any) -> None:
        dataset.PixelData = dataset.PixelData.replace(b"\0", b"\x09")

    def padded(dataset: Any) -> None:
        nines(dataset)
        dataset.PixelPaddingValue = 9

    found = seg.read_labels(changed(tmp_path / "seg.dcm", padded))
    np.testing.assert_array_equal(found.array, plain.array)
    with pytest.raises(UnreadableFileError, match="segment 9"):
        seg.read_labels(changed(tmp_path / "seg.dcm", nines))


def test_a_file_that_is_cut_short_is_never_read_in_part(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", Grid.regular((3, 16, 16)))
    seg.write([labelled(image)], image, tmp_path / "seg.dcm")
    good = (tmp_path / "seg.dcm").read_bytes()

    for cut in range(0, len(good) - 2, len(good) // 30):
        (tmp_path / "a.dcm").write_bytes(good[:cut])
        with pytest.raises(UnreadableFileError):
            seg.read_layers(tmp_path / "a.dcm")


@pytest.mark.parametrize(
    ("name", "nrrd"),
    [("liver.dcm", "liver_seg.nrrd"), ("24x38x3/seg/label.seg", "24x38x3/nrrd/label.nrrd")],
)
def test_segmentations_of_dcmqi_are_read_as_their_nrrd(
    shared_data: Path, name: str, nrrd: str
) -> None:
    theirs = itk.ReadImage(str(shared_data / LIVER / nrrd))

    found = seg.read_labels(shared_data / LIVER / name)

    assert [one.name for one in found.categories.values()] == ["Liver"]
    np.testing.assert_array_equal(found.array > 0, itk.GetArrayFromImage(theirs) > 0)
    place = theirs.TransformIndexToPhysicalPoint((3, 2, 1))
    np.testing.assert_allclose(found.grid.to_world((1, 2, 3)), place, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_liver_and_spine_of_dcmqi_are_written_and_read_as_their_nrrd(
    shared_data: Path, tmp_path: Path, kind: Any
) -> None:
    image = read_image(shared_data / LIVER / "ct-3slice")
    theirs = itk.GetArrayFromImage(itk.ReadImage(str(shared_data / LIVER / "liver_spine_seg.nrrd")))
    named = {1: Category("liver"), 2: Category("spine")}
    labelmap = LabelMap(theirs.astype(np.uint8), image.grid, named)

    seg.write([labelmap], image, tmp_path / "seg.dcm", kind=kind)

    back = place(seg.read_labels(tmp_path / "seg.dcm"), image.grid)
    np.testing.assert_array_equal(back.array, theirs)


def test_overlapping_segments_of_dcmqi_are_read_as_their_nrrds(shared_data: Path) -> None:
    image = read_image(shared_data / LIVER / "ct-3slice")
    expected = {}
    for number in (1, 2, 3):
        path = shared_data / LIVER / f"partial_overlaps-{number}.nrrd"
        labels = itk.GetArrayFromImage(itk.ReadImage(str(path)))
        expected |= {int(n): labels == n for n in np.unique(labels) if n}

    layers = seg.read_layers(shared_data / LIVER / "partial_overlaps.dcm")

    found = masks([place(layer, image.grid) for layer in layers])
    assert len(layers) > 1
    assert set(found) == set(expected) == {1, 2, 3, 4, 5}
    for number, mask in expected.items():
        np.testing.assert_array_equal(found[number], mask)


@pytest.mark.parametrize("name", ["noppv", "ppv5"])
def test_sparse_label_maps_of_dcmqi_are_read_as_their_nrrd(shared_data: Path, name: str) -> None:
    theirs = itk.ReadImage(str(shared_data / LIVER / f"sparse_labelmap_{name}_seg.nrrd"))

    found = seg.read_labels(shared_data / LIVER / f"sparse-labelmap-{name}.dcm")

    assert [one.name for one in found.categories.values()] == ["Liver"]
    np.testing.assert_array_equal(found.array == 1, itk.GetArrayFromImage(theirs) == 1)


def test_segmentations_of_highdicom_are_read_as_highdicom_reads_them(shared_data: Path) -> None:
    import highdicom

    for name in ("ct_binary", "ct_binary_overlap", "ct_binary_fractional", "ct_true_fractional"):
        path = shared_data / "odd_files" / "highdicom" / f"seg_image_{name}.dcm"
        volume = highdicom.seg.segread(path).get_volume(rescale_fractional=True)
        array = volume.array.reshape(*volume.array.shape[:3], -1)
        layers = seg.read_layers(path)
        found = masks(layers)

        affine = layers[0].grid.affine
        flipped = float(affine[:3, 0] @ np.asarray(volume.affine)[:3, 0]) < 0
        for number, mask in found.items():
            expected = array[..., number - 1] >= 0.5
            np.testing.assert_array_equal(mask, expected[::-1] if flipped else expected)
        assert sum(int(mask.sum()) for mask in found.values()) == int((array >= 0.5).sum())


def test_overlapping_and_foreign_files_are_refused(shared_data: Path, tmp_path: Path) -> None:
    odd = shared_data / "odd_files" / "highdicom"

    with pytest.raises(InputError, match="overlap"):
        seg.read_labels(shared_data / LIVER / "partial_overlaps.dcm")
    with pytest.raises(UnreadableFileError, match="no DICOM Segmentation"):
        seg.read_labels(odd / "ct_image.dcm")
    with pytest.raises(UnreadableFileError, match="microscope"):
        seg.read_labels(odd / "seg_image_sm_control.dcm")  # a microscope slide
    (tmp_path / "a").write_bytes(b"text")
    with pytest.raises(UnreadableFileError):
        seg.read_labels(tmp_path / "a")


@pytest.mark.parametrize("kind", KINDS)
def test_highdicom_reads_what_is_written_to_the_same_labels(tmp_path: Path, kind: Any) -> None:
    import highdicom

    image = series(tmp_path / "ct", Grid.regular((4, 6, 8), (3.0, 0.7, 0.5)))
    labelmap = labelled(image)
    seg.write([labelmap], image, tmp_path / "seg.dcm", kind=kind)

    found = highdicom.seg.segread(tmp_path / "seg.dcm")
    uids = image.source.sop_instance_uids if isinstance(image.source, DicomSource) else ()
    pixels = found.get_pixels_by_source_instance(list(uids), combine_segments=True)

    numbers = seg.segments([labelmap], image, kind=kind).numbers
    for label in labelmap.present():
        np.testing.assert_array_equal(pixels == numbers[label], labelmap.mask(label))
