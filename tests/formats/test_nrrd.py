"""NRRD and MetaImage: what ITK and pynrrd write is read as they meant it."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as itk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from delineate.errors import GeometryError, InputError, UnreadableFileError
from delineate.formats import nrrd
from delineate.imaging import Code, Grid, LabelMap
from tests.strategies import grids, labelmaps

CHEST = "ct_labelled/chest_cip"
LIVER = "ct_labelled/dcmqi_liver_spine"
REAL = (
    f"{CHEST}/ct-64.nrrd",
    f"{CHEST}/lm-64.nrrd",
    f"{CHEST}/crop_ct_2slices.nrrd",
    f"{CHEST}/crop_ct_partialLungLabelMap.nrrd",
    f"{LIVER}/liver_spine_gapped_seg.nrrd",
    f"{LIVER}/24x38x3/nrrd/label.nrrd",
    "masks_two_raters/oncologist/TCGA-CV-5978/segmentations/Lens-Lt.nrrd",
    "masks_two_raters/radiographer/TCGA-CV-5978/segmentations/Brain.nrrd",
)
HEAD = """NRRD0004
type: short
dimension: 3
sizes: 4 3 2
endian: little
encoding: raw
"""
SAMPLES = np.arange(24, dtype="<i2").reshape(2, 3, 4)


def saved(
    folder: Path, head: str, samples: bytes = SAMPLES.tobytes(), name: str = "a.nrrd"
) -> Path:
    path = folder / name
    path.write_bytes(head.encode() + b"\n" + samples)
    return path


def with_itk(array: NDArray[np.generic], grid: Grid) -> itk.Image:
    """The image as ITK holds it; for grids without shear."""
    image = itk.GetImageFromArray(array)
    image.SetSpacing(grid.spacing[::-1])
    image.SetOrigin(grid.affine[:3, 3])
    image.SetDirection((grid.affine[:3, 2::-1] / grid.spacing[::-1]).ravel())
    return image


@given(labelmaps(), st.sampled_from(("a.nrrd", "a.nhdr", "a.mha", "a.mhd")), st.booleans())
@settings(deadline=None, max_examples=60)
def test_what_itk_writes_is_read_exactly(labelmap: LabelMap, name: str, packed: bool) -> None:
    directions = labelmap.grid.affine[:3, :3] / labelmap.grid.spacing
    if np.abs(directions.T @ directions - np.eye(3)).max() > 1e-6:
        return  # ITK knows no sheared grids
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / name)
        itk.WriteImage(with_itk(labelmap.array, labelmap.grid), path, packed)

        back = nrrd.read_labels(path)

    np.testing.assert_array_equal(back.array, labelmap.array)
    assert back.grid.matches(labelmap.grid, tolerance=1e-3)


@given(grids(), st.sampled_from(("gzip", "raw", "bzip2")), st.sampled_from(("<", ">")))
@settings(deadline=None, max_examples=50)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_pynrrd_writes_is_read_exactly(grid: Grid, encoding: str, order: str) -> None:
    import nrrd as pynrrd

    array = np.random.default_rng(1).integers(-999, 999, grid.shape).astype(f"{order}i2")
    head = {
        "space": "left-posterior-superior",
        "space directions": grid.affine[:3, 2::-1].T,
        "space origin": grid.affine[:3, 3],
        "encoding": encoding,
        "endian": "little" if order == "<" else "big",
    }
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "a.nrrd")
        pynrrd.write(path, array, head, index_order="C")

        image = nrrd.read(path)

    np.testing.assert_array_equal(image.array, array)
    assert image.array.dtype.isnative
    assert image.grid.matches(grid, tolerance=1e-9)


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_read_as_itk_reads_them(shared_data: Path, name: str) -> None:
    path = str(shared_data / name)
    theirs = itk.ReadImage(path)

    image = nrrd.read(path)

    np.testing.assert_array_equal(image.array, itk.GetArrayFromImage(theirs))
    for index in ((0, 0, 0), (1, 22, 22), (1, 0, 3)):
        place = theirs.TransformIndexToPhysicalPoint(index[::-1])
        np.testing.assert_allclose(image.grid.to_world(index), place, atol=1e-4)


def test_a_chest_ct_is_reported(shared_data: Path) -> None:
    report = nrrd.report(shared_data / CHEST / "ct-64.nrrd")

    assert (report.format, report.verdict, report.modality) == ("nrrd", "usable", "CT")
    assert report.shape == (79, 64, 64)
    assert report.orientation == "SPL"
    assert [problem.code for problem in report.problems] == ["modality_assumed"]


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("LPS", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("RAS", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
    ],
)
def test_every_patient_space_becomes_lps(
    tmp_path: Path, space: str, signs: tuple[int, int, int]
) -> None:
    """Columns step by (2, 0, 0), rows by (0, 3, 1), slices by (0, 0, 5); origin (7, 8, 9)."""
    head = f"{HEAD}space: {space}\nspace directions: (2,0,0) (0,3,1) (0,0,5)\n"

    image = nrrd.read(saved(tmp_path, head + "space origin: (7, 8, 9)\n"))

    np.testing.assert_array_equal(image.array, SAMPLES)
    x, y, z = signs
    assert image.grid.to_world((0, 0, 0)).tolist() == [7 * x, 8 * y, 9 * z]
    assert image.grid.to_world((1, 1, 1)).tolist() == [9 * x, 11 * y, 15 * z]


def test_a_space_that_names_no_side_is_refused(tmp_path: Path) -> None:
    head = f"{HEAD}space: scanner-xyz\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n"

    with pytest.raises(GeometryError, match="scanner-xyz"):
        nrrd.read(saved(tmp_path, head))


def test_spacings_without_directions_are_read_and_told(tmp_path: Path) -> None:
    path = saved(tmp_path, f"{HEAD}spacings: 0.5 0.7 3\n")

    report = nrrd.report(path)

    assert nrrd.read(path).grid.matches(Grid.regular((2, 3, 4), (3, 0.7, 0.5)))
    assert (report.verdict, report.problems[0].code) == ("corrected", "no_orientation")


def test_a_file_without_any_scale_is_a_picture_in_pixels(tmp_path: Path) -> None:
    path = saved(tmp_path, HEAD)

    assert nrrd.read(path).grid.unit == "px"
    assert nrrd.report(path).problems[0].code == "no_spacing"


def test_axes_of_one_sample_are_dropped_and_others_refused(tmp_path: Path) -> None:
    directions = "space: LPS\nspace directions: none (1,0,0) (0,1,0) (0,0,1)\n"
    one = HEAD.replace("dimension: 3", "dimension: 4").replace("4 3 2", "1 4 3 2") + directions
    three = one.replace("1 4 3 2", "3 4 3 2")

    image = nrrd.read(saved(tmp_path, one))

    np.testing.assert_array_equal(image.array, SAMPLES)
    path = saved(tmp_path, three, SAMPLES.tobytes() * 3)
    with pytest.raises(GeometryError, match="3 volumes"):
        nrrd.read(path)
    assert nrrd.report(path).problems[0].code == "four_dimensional"


def test_colours_are_refused(tmp_path: Path) -> None:
    image = itk.GetImageFromArray(np.zeros((2, 3, 4, 3), np.uint8), isVector=True)
    for name in ("a.nrrd", "a.mha"):
        itk.WriteImage(image, str(tmp_path / name))
        with pytest.raises(GeometryError, match="3 components"):
            nrrd.read(tmp_path / name)


def test_segments_of_3d_slicer_keep_their_names(tmp_path: Path) -> None:
    tags = (
        "TerminologyEntry:Segmentation category and type~SCT^123037004^Anatomical Structure"
        "~SCT^64033007^Kidney~SCT^7771000^Left~Anatomic codes~^^~^^|other:1"
    )
    head = (
        f"{HEAD.replace('short', 'unsigned char')}Segment0_Name:=left kidney\n"
        f"Segment0_LabelValue:=23\nSegment0_Color:=1 0.5 0\nSegment0_Tags:={tags}\n"
        "Segment1_Name:=plain\nSegment1_LabelValue:=2\n"
    )

    labelmap = nrrd.read_labels(saved(tmp_path, head, bytes(range(24))))

    kidney = labelmap.categories[23]
    assert (kidney.name, kidney.colour, kidney.laterality) == ("left kidney", (255, 128, 0), "left")
    assert kidney.code == Code("64033007", "SCT", "Kidney")
    assert labelmap.categories[2].name == "plain"
    assert labelmap.categories[5].name == "label 5"


@pytest.mark.parametrize(
    "listed", ["../secret.raw", "/etc/passwd", "a/b.raw", "link.raw", "LIST", ".."]
)
def test_a_detached_header_reads_nothing_outside_its_folder(tmp_path: Path, listed: str) -> None:
    folder = tmp_path / "upload"
    folder.mkdir()
    (tmp_path / "secret.raw").write_bytes(SAMPLES.tobytes())
    (folder / "link.raw").symlink_to(tmp_path / "secret.raw")
    header = saved(folder, f"{HEAD}data file: {listed}\n", b"", "a.nhdr")
    meta = folder / "a.mhd"
    meta.write_text(
        f"ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\n"
        f"ElementDataFile = {listed}\n"
    )

    for path in (header, meta):
        with pytest.raises(UnreadableFileError, match="samples in"):
            nrrd.read(path)


def test_skips_are_heeded(tmp_path: Path) -> None:
    (tmp_path / "b.raw").write_bytes(b"line\nline\nxy" + SAMPLES.tobytes())
    head = f"{HEAD}data file: ./b.raw\nspacings: 1 1 1\n"
    for skips in ("line skip: 2\nbyte skip: 2\n", "byte skip: 12\n", "byte skip: -1\n"):
        path = saved(tmp_path, head + skips, b"", "a.nhdr")
        np.testing.assert_array_equal(nrrd.read(path).array, SAMPLES)
    packed = head.replace("raw\n", "gzip\n", 1).replace("b.raw", "b.gz") + "byte skip: 2\n"
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"xy" + SAMPLES.tobytes()))
    np.testing.assert_array_equal(nrrd.read(saved(tmp_path, packed, b"", "c.nhdr")).array, SAMPLES)


def test_broken_files_are_unreadable_and_never_worse(tmp_path: Path) -> None:
    packed = HEAD.replace("raw", "gzip")
    meta = "ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\n"
    broken = {
        "nothing": b"",
        "neither": b"neither of them",
        "header cut": HEAD[:40].encode(),
        "no end of header": HEAD.encode(),
        "samples cut": HEAD.encode() + b"\n" + SAMPLES.tobytes()[:-1],
        "no endian": HEAD.replace("endian: little\n", "").encode() + b"\n" + SAMPLES.tobytes(),
        "a block": HEAD.replace("short", "block").encode() + b"\n",
        "hexadecimal": HEAD.replace("raw", "hex").encode() + b"\n",
        "sizes": HEAD.replace("4 3 2", "4 3 two").encode() + b"\n",
        "too few sizes": HEAD.replace("4 3 2", "4 3").encode() + b"\n",
        "no size": HEAD.replace("4 3 2", "4 3 0").encode() + b"\n",
        "no gzip": packed.encode() + b"\n" + SAMPLES.tobytes(),
        "gzip cut": packed.encode() + b"\n" + gzip.compress(SAMPLES.tobytes())[:-10],
        "bzip2": HEAD.replace("raw", "bzip2").encode() + b"\n" + SAMPLES.tobytes(),
        "a promise of 70 TB": HEAD.replace("4 3 2", "32767 32767 32767").encode() + b"\n",
        "a vector": (HEAD + "space: LPS\nspace directions: (1,x) (1) (1)\n").encode() + b"\n",
        "meta without data": meta.encode(),
        "meta cut": meta.encode() + b"ElementDataFile = LOCAL\n" + SAMPLES.tobytes()[:-1],
        "meta text": meta.encode() + b"BinaryData = False\nElementDataFile = LOCAL\n1 2 3",
        "meta zlib": meta.encode() + b"CompressedData = True\nElementDataFile = LOCAL\nxxxxxx",
        "meta zlib cut": meta.encode() + b"CompressedData = True\nElementDataFile = LOCAL\nx\x9c",
        "meta matrix": meta.encode()
        + b"ElementSpacing = 1 1 1\nTransformMatrix = 1 0 0\nElementDataFile = LOCAL\n"
        + SAMPLES.tobytes(),
    }
    for name, content in broken.items():
        path = tmp_path / "a.nrrd"
        path.write_bytes(content)
        with pytest.raises(UnreadableFileError):
            nrrd.read(path)
        assert nrrd.report(path).verdict == "refused", name


@given(st.integers(0, 200), st.binary(min_size=1, max_size=3))
@settings(deadline=None, max_examples=150)
def test_no_damage_to_a_header_raises_anything_else(place: int, damage: bytes) -> None:
    directions = "space: LPS\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n"
    meta = (
        "ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\nOffset = 0 0 0\n"
        "TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementSpacing = 1 1 1\nElementDataFile = LOCAL"
    )
    for head in (HEAD + directions, meta):
        content = bytearray(head.encode() + b"\n" + SAMPLES.tobytes())
        content[place : place + len(damage)] = damage
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.nrrd"
            path.write_bytes(content)
            report = nrrd.report(path)
            try:
                nrrd.read(path)
            except InputError:
                assert report.verdict == "refused"
            else:
                assert report.verdict != "refused"
