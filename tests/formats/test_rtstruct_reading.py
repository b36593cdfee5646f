"""Structure sets as other programs write them: what is clear is read, what is not is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from delineate.contour import trace_all
from delineate.errors import GeometryError, UnreadableFileError
from delineate.formats import rtstruct
from delineate.imaging import Category, Grid, LabelMap
from tests.formats.dicom_objects import from_dicom

GRID = Grid.regular((3, 12, 14), (3.0, 1.0, 1.0))
OUTER = ((1, 1), (10, 1), (10, 10), (1, 10))
INNER = ((3, 3), (7, 3), (7, 7), (3, 7))


def item(**values: Any) -> pydicom.Dataset:
    made = pydicom.Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def ring(corners: Any, z: float = 3.0, kind: str = "CLOSED_PLANAR") -> pydicom.Dataset:
    """A contour through ``(x, y)``; edges lie half a sample beside the centres."""
    points = [part for x, y in corners for part in (x - 0.5, y - 0.5, z)]
    return item(
        ContourGeometricType=kind, NumberOfContourPoints=len(points) // 3, ContourData=points
    )


def drawn(*rois: tuple[int, str, list[pydicom.Dataset]]) -> pydicom.Dataset:
    return item(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3",
        SOPInstanceUID="1.2.3",
        Modality="RTSTRUCT",
        StructureSetROISequence=[item(ROINumber=n, ROIName=name) for n, name, _ in rois],
        ROIContourSequence=[
            item(ReferencedROINumber=n, ContourSequence=rings) for n, _, rings in rois
        ],
    )


def saved(dataset: pydicom.Dataset, path: Path) -> Path:
    dataset.save_as(path, implicit_vr=True, little_endian=True)
    return path


def filled(path: Path, grid: Grid = GRID, **options: Any) -> Any:
    return next(iter(rtstruct.masks(rtstruct.read(path), grid, **options).values()))


def square_with_a_hole() -> Any:
    mask = np.zeros(GRID.shape, bool)
    mask[1, 1:10, 1:10] = True
    mask[1, 3:7, 3:7] = False
    return mask


def channel() -> list[pydicom.Dataset]:
    """The hole drawn by a channel from the outer ring, turned against it."""
    return [ring((*OUTER, OUTER[0], INNER[0], *INNER[:0:-1], INNER[0]))]


@pytest.mark.parametrize(
    "rings",
    [
        [ring(OUTER), ring(INNER)],
        [ring(INNER), ring(OUTER)],
        [ring(OUTER), ring(INNER[::-1])],
        [ring(OUTER, kind="CLOSEDPLANAR_XOR"), ring(INNER, kind="CLOSEDPLANAR_XOR")],
        channel(),
        [ring((*OUTER, OUTER[0])), ring((*INNER, INNER[0]))],
        [ring([p for p in OUTER for _ in range(3)]), ring(INNER)],
    ],
    ids=["nested", "inner first", "turned", "xor", "keyhole", "closed", "points repeated"],
)
def test_a_hole_is_a_hole_however_it_is_drawn(tmp_path: Path, rings: Any) -> None:
    path = saved(drawn((1, "a", rings)), tmp_path / "a.dcm")

    np.testing.assert_array_equal(filled(path), square_with_a_hole())
    assert rtstruct.read(path).notes == ()


def test_an_island_in_a_hole_is_inside(tmp_path: Path) -> None:
    island = ((4, 4), (6, 4), (6, 6), (4, 6))
    path = saved(drawn((1, "a", [ring(island), ring(OUTER), ring(INNER)])), tmp_path / "a.dcm")
    expected = square_with_a_hole()
    expected[1, 4:6, 4:6] = True

    np.testing.assert_array_equal(filled(path), expected)
    holes = [one.is_hole for one in rtstruct.read(path).structures[0].contours]
    assert holes == [False, False, True]  # the island, the outer ring and its hole


def delimited(dataset: pydicom.Dataset, outermost: bool = True, first: bool = True) -> None:
    """Give sequences and items delimiters in place of lengths."""
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = outermost or not first
            for one in element.value:
                one.is_undefined_length_sequence_item = True
                delimited(one, outermost, False)


ENCODINGS: dict[str, tuple[str, Callable[[pydicom.Dataset], None]]] = {
    "implicit": ("1.2.840.10008.1.2", lambda _: None),
    "explicit": ("1.2.840.10008.1.2.1", lambda _: None),
    "big endian": ("1.2.840.10008.1.2.2", lambda _: None),
    "deflated": ("1.2.840.10008.1.2.1.99", lambda _: None),
    "implicit, delimiters": ("1.2.840.10008.1.2", delimited),
    "explicit, delimiters": ("1.2.840.10008.1.2.1", delimited),
    "implicit, delimiters within": ("1.2.840.10008.1.2", lambda one: delimited(one, False)),
    "explicit, delimiters within": ("1.2.840.10008.1.2.1", lambda one: delimited(one, False)),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_reads_the_same(tmp_path: Path, name: str) -> None:
    syntax, how = ENCODINGS[name]
    array = np.random.default_rng(1).integers(0, 3, GRID.shape).astype(np.uint8)
    labelmap = LabelMap(array, GRID, {1: Category("a", (1, 2, 3)), 2: Category("b", (4, 5, 6))})
    rtstruct.write(trace_all(labelmap), from_dicom(GRID), tmp_path / "own.dcm")
    dataset = pydicom.dcmread(tmp_path / "own.dcm")
    meta, dataset = dataset.file_meta, pydicom.Dataset.from_json(dataset.to_json())
    how(dataset)
    meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    dataset.file_meta = meta
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)

    back = rtstruct.read(tmp_path / "a.dcm")

    found = rtstruct.to_labelmap(back, GRID)
    np.testing.assert_array_equal(found.array, array)
    assert found.categories == labelmap.categories
    assert back.notes == ()


def test_coordinates_may_be_written_oddly(tmp_path: Path) -> None:
    path = saved(drawn((1, "a", [ring(OUTER)])), tmp_path / "a.dcm")
    plain = b"0.5\\0.5\\3.0\\9.5\\0.5\\3.0\\9.5\\9.5\\3.0\\0.5\\9.5\\3.0"
    content = path.read_bytes()
    assert plain in content
    for text in (
        b"+.5\\.5\\3\\9.5\\5e-1\\3E0\\ 9.5\\9.5 \\3.\\.5\\9,5\\3\\",
        b"0.500\\.5\\3\\9.5\\.5\\3\\9.5\\9.5\\3\\.5\\95.E-1\\3.00\0",
    ):
        assert len(text) <= len(plain)
        (tmp_path / "b.dcm").write_bytes(content.replace(plain, text.ljust(len(plain), b" ")))

        np.testing.assert_array_equal(filled(tmp_path / "b.dcm"), filled(path))


def test_contours_between_slices_are_refused_or_snapped_as_the_tolerance_says(
    tmp_path: Path,
) -> None:
    path = saved(drawn((1, "a", [ring(OUTER, 3.9), ring(INNER, 3.9)])), tmp_path / "a.dcm")

    np.testing.assert_array_equal(filled(path), square_with_a_hole())
    np.testing.assert_array_equal(filled(path, plane_tolerance_mm=1.0), square_with_a_hole())
    found = rtstruct.read(path)
    for fill in (rtstruct.masks, rtstruct.to_labelmap, rtstruct.to_layers):
        with pytest.raises(GeometryError, match=r"tolerance of 0\.500 mm"):
            fill(found, GRID, plane_tolerance_mm=0.5)


def test_holes_are_known_on_planes_that_differ_by_rounding(tmp_path: Path) -> None:
    rings = [ring(OUTER, 3.0049), ring(INNER, 3.0051), ring(OUTER, 6.0)]
    path = saved(drawn((1, "a", rings)), tmp_path / "a.dcm")

    contours = rtstruct.read(path).structures[0].contours

    assert [one.is_hole for one in contours] == [False, True, False]


def test_structures_that_overlap_become_layers(tmp_path: Path) -> None:
    rois = ((1, "a", [ring(OUTER)]), (4, "b", [ring(INNER)]), (6, "none", []))
    path = saved(drawn(*rois), tmp_path / "a.dcm")

    layers = rtstruct.to_layers(rtstruct.read(path), GRID)

    assert [sorted(layer.categories) for layer in layers] == [[1, 6], [4]]
    assert layers[1].mask(4).sum() == 16


def test_what_is_no_ring_is_set_aside_and_said(tmp_path: Path) -> None:
    rings = [
        ring(OUTER),
        ring(OUTER),
        ring(INNER[:1], kind="POINT"),
        ring(INNER, kind="OPEN_PLANAR"),
        ring([INNER[0]] * 5),
        ring(INNER[:2]),
    ]
    path = saved(drawn((1, "a", rings)), tmp_path / "a.dcm")

    found = rtstruct.read(path)

    assert len(found.structures[0].contours) == 1
    assert filled(path).sum() == 81
    assert sorted(found.notes) == [
        "1 contours of ROI 'a' are OPEN_PLANAR and were set aside",
        "1 contours of ROI 'a' are POINT and were set aside",
        "1 contours of ROI 'a' are drawn twice and were set aside",
        "2 contours of ROI 'a' are of fewer than three different points and were set aside",
    ]


def test_rings_that_cross_and_offsets_are_said(tmp_path: Path) -> None:
    beside = [(x + 4, y + 4) for x, y in INNER]
    crossing = [ring(INNER), ring(beside)]
    touching = [ring(INNER), ring([(x + 4, y) for x, y in INNER])]
    shifted = ring(OUTER)
    shifted.ContourOffsetVector = [0, 0, 1.5]
    lying = ring(OUTER)
    lying.ContourOffsetVector = [0, 0, -0.0]

    for rings, what in ((crossing, None), (touching, None), ([shifted], "offset"), ([lying], None)):
        notes = rtstruct.read(saved(drawn((1, "a", rings)), tmp_path / "a.dcm")).notes
        assert len(notes) == (what is not None)
    overlap = [ring(((0, 0), (6, 0), (6, 6), (0, 6))), ring(((3, 3), (9, 3), (9, 9), (3, 9)))]
    (note,) = rtstruct.read(saved(drawn((1, "a", overlap)), tmp_path / "a.dcm")).notes
    assert "1 pairs of contours of ROI 'a' cross" in note


def test_numbers_that_two_rois_share_are_refused_if_it_matters(tmp_path: Path) -> None:
    same = drawn((1, "GTV", [ring(OUTER)]), (1, "Heart", [ring(INNER)]))
    empty = drawn((1, "GTV", [ring(OUTER)]), (2, "x", []), (2, "y", []))
    del empty.ROIContourSequence[1:]

    with pytest.raises(UnreadableFileError, match="'GTV' and 'Heart' both have the number 1"):
        rtstruct.read(saved(same, tmp_path / "a.dcm"))
    found = rtstruct.read(saved(empty, tmp_path / "a.dcm"))
    assert [one.category.name for one in found.structures] == ["GTV", "x", "y"]
    assert len({one.number for one in found.structures}) == 3


def test_a_contour_with_fewer_points_than_it_says_is_refused(tmp_path: Path) -> None:
    short = ring(OUTER)
    short.NumberOfContourPoints = 7
    long = ring(OUTER)
    long.NumberOfContourPoints = 3

    with pytest.raises(UnreadableFileError, match="said to have 7 points and has 4"):
        rtstruct.read(saved(drawn((1, "a", [short])), tmp_path / "a.dcm"))
    found = rtstruct.read(saved(drawn((1, "a", [long])), tmp_path / "a.dcm"))
    assert "more points than the file says" in found.notes[0]


def test_lengths_that_contradict_one_another_are_refused(tmp_path: Path) -> None:
    good = saved(drawn((1, "a", [ring(OUTER), ring(INNER)])), tmp_path / "a.dcm").read_bytes()
    place = good.index(b"\x06\x30\x50\x00") + 4  # the length of the first ContourData
    length = int.from_bytes(good[place : place + 4], "little")

    for wrong in (length + 2, length + 4000, length - 2, 2**31):
        (tmp_path / "b.dcm").write_bytes(
            good[:place] + wrong.to_bytes(4, "little") + good[place + 4 :]
        )
        with pytest.raises(UnreadableFileError):
            rtstruct.read(tmp_path / "b.dcm")


def test_references_may_be_missing_or_many(tmp_path: Path) -> None:
    dataset = drawn((1, "a", [ring(OUTER)]))
    assert rtstruct.read(saved(dataset, tmp_path / "a.dcm")).series_uid == ""
    series = [item(SeriesInstanceUID=f"1.{n}", ContourImageSequence=[]) for n in (5, 6)]
    study = item(ReferencedSOPInstanceUID="1.4", RTReferencedSeriesSequence=series)
    dataset.ReferencedFrameOfReferenceSequence = [
        item(FrameOfReferenceUID="1.3", RTReferencedStudySequence=[study])
    ]

    found = rtstruct.read(saved(dataset, tmp_path / "a.dcm"))

    assert (found.study_uid, found.series_uid, found.frame_of_reference_uid) == (
        "1.4",
        "1.5",
        "1.3",
    )
    assert found.notes == ("it refers to 2 series; the first is taken",)
