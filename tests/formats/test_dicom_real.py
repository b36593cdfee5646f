"""Real series agree with SimpleITK and pydicom, sample for sample; odd ones are refused by name."""

from __future__ import annotations

import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from delineate.errors import GeometryError, SeriesChoiceError, UnreadableFileError
from delineate.formats import inspect, read
from delineate.formats.dicom import DicomSource, Entry, find_stacks
from delineate.formats.dicom.header import parse
from delineate.formats.dicom.pixels import read_samples
from delineate.formats.dicom.values import Header

SERIES = (
    "ct_series/abdomen_crlm_1004/image",
    "ct_labelled/chest_cip/ct-64Dicom",
    "ct_labelled/chest_cip/simple_dicom",
    "ct_labelled/dcmqi_liver_spine/23x38x3/image",
    "ct_labelled/dcmqi_liver_spine/24x38x3/image",
    "ct_labelled/dcmqi_liver_spine/ct-3slice",
    *(f"rtstruct_sts/STS_{n:03d}/dicom_image" for n in (2, 3, 6, 7, 8, 19)),
)


def by_simpleitk(folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Samples and LPS affine in index order ``(slice, row, column)``."""
    sitk = pytest.importorskip("SimpleITK")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    affine = np.eye(4)
    directions = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, :3] = directions[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), affine


@pytest.mark.parametrize("name", SERIES)
def test_a_real_series_agrees_with_simpleitk(shared_data: Path, name: str) -> None:
    samples, affine = by_simpleitk(shared_data / name)

    image = read(shared_data / name)

    # Padding (-2000 stored, -3024 HU) is the one thing that is changed on purpose.
    np.testing.assert_array_equal(image.array, np.where(samples < -2000, -1024, samples))
    assert image.array.dtype == np.int16
    assert image.modality == "CT"
    # One slice thickness is stated to 6 digits only, over tens of slices.
    np.testing.assert_allclose(image.grid.affine, affine, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", ["23x38x3", "24x38x3"])
def test_a_multi_frame_ct_agrees_with_the_classic_series_it_was_made_from(
    shared_data: Path, size: str
) -> None:
    folder = shared_data / "ct_labelled/dcmqi_liver_spine" / size

    enhanced, classic = read(folder / "multiframe"), read(folder / "image")

    np.testing.assert_array_equal(enhanced.array, classic.array)
    np.testing.assert_allclose(enhanced.grid.affine, classic.grid.affine, rtol=0, atol=1e-4)
    assert [one.code for one in inspect(folder / "multiframe").series[0].problems] == [
        "multi_frame"
    ]


# Files of pydicom, highdicom, nibabel, rt-utils and dicompyler that hold one grey slice or volume.
ODD = (
    "dicompyler_core/example_data/ct.0.dcm",
    "highdicom/ct_image.dcm",
    "nibabel/0.dcm",
    "nibabel/nicom/decimal_rescale.dcm",
    "nibabel/nicom/slicethickness_empty_string.dcm",
    "pydicom_data/693_J2KR.dcm",
    "pydicom_data/693_UNCI.dcm",
    "pydicom_data/693_UNCR.dcm",
    "pydicom_data/MR-SIEMENS-DICOM-WithOverlays.dcm",
    "pydicom_data/MR2_J2KI.dcm",
    "pydicom_data/MR2_J2KR.dcm",
    "pydicom_data/MR2_UNCI.dcm",
    "pydicom_data/MR2_UNCR.dcm",
    "pydicom_data/eCT_Supplemental.dcm",
    "pydicom_data/explicit_VR-UN.dcm",
    "pydicom_test_files/693_J2KI.dcm",
    "pydicom_test_files/CT_small.dcm",
    "pydicom_test_files/J2K_pixelrep_mismatch.dcm",
    "pydicom_test_files/MR_small.dcm",
    "pydicom_test_files/MR_small_RLE.dcm",
    "pydicom_test_files/MR_small_bigendian.dcm",
    "pydicom_test_files/MR_small_expb.dcm",
    "pydicom_test_files/MR_small_implicit.dcm",
    "pydicom_test_files/MR_small_jp2klossless.dcm",
    "pydicom_test_files/MR_small_jpeg_ls_lossless.dcm",
    "pydicom_test_files/MR_small_padded.dcm",
    "pydicom_test_files/examples_overlay.dcm",
    "rt_utils/mock_data/ct_1.dcm",
    "rt_utils/one_slice_data/0.dcm",
)


def by_pydicom(path: Path) -> np.ndarray[Any, Any]:
    """Samples as pydicom decodes them, rescaled: ``(frame, row, column)``."""
    import pydicom
    from pydicom.pixels import apply_rescale

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = pydicom.dcmread(path)
        samples = header.pixel_array
        shared = header.get("SharedFunctionalGroupsSequence", [None])[0]
        rescale = header if shared is None else shared
        if shared is not None and "PixelValueTransformationSequence" in shared:
            rescale = shared.PixelValueTransformationSequence[0]
        samples = apply_rescale(samples, rescale)
    return np.asarray(samples).reshape(-1, *samples.shape[-2:])


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_agrees_with_pydicom(shared_data: Path, name: str) -> None:
    path = shared_data / "odd_files" / name
    expected = by_pydicom(path)

    image = read(path)

    ours = image.array
    if image.modality == "CT":
        expected = np.where((expected < -1024) & (ours == -1024), -1024, expected)
    assert isinstance(image.source, DicomSource)
    order = [max(0, number - 1) for number in image.source.frame_numbers]
    np.testing.assert_array_equal(ours, expected[order].astype(ours.dtype))


# Grey pictures that do not say where they lie: refused as a series, but their pixels are decoded.
DECODED = (
    "highdicom/dx_image.dcm",
    "pydicom_charset_files/chrH31.dcm",
    "pydicom_data/JLSL_08_07_0_1F.dcm",
    "pydicom_data/JLSL_16_15_1_1F.dcm",
    "pydicom_data/JPEG2000_UNC.dcm",
    "pydicom_data/RG1_J2KI.dcm",
    "pydicom_data/RG3_J2KI.dcm",
    "pydicom_data/RG3_J2KR.dcm",
    "pydicom_data/emri_small.dcm",
    "pydicom_data/emri_small_RLE.dcm",
    "pydicom_data/emri_small_big_endian.dcm",
    "pydicom_data/emri_small_jpeg_2k_lossless.dcm",
    "pydicom_data/emri_small_jpeg_ls_lossless.dcm",
    "pydicom_data/vlut_04.dcm",
    "pydicom_test_files/JPEG2000.dcm",
    "pydicom_test_files/JPEGLSNearLossless_08.dcm",
    "pydicom_test_files/JPEGLSNearLossless_16.dcm",
    "pydicom_test_files/image_dfl.dcm",
)


@pytest.mark.parametrize("name", DECODED)
def test_pixels_of_every_transfer_syntax_agree_with_pydicom(shared_data: Path, name: str) -> None:
    path = shared_data / "odd_files" / name
    expected = by_pydicom(path)

    ours = read_samples(parse(Entry(path, name)))

    np.testing.assert_array_equal(ours, expected.astype(ours.dtype))
    with pytest.raises(GeometryError, match="ImagePositionPatient"):
        read(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pydicom_test_files/MR_truncated.dcm", "8130 of 8192 bytes"),
        ("pydicom_test_files/JPEG2000-embedded-sequence-delimiter.dcm", "compressed pixels"),
        ("nibabel/nicom/csa_slice_norm.dcm", "ends before its pixels"),
    ],
)
def test_what_cannot_be_decoded_is_refused_with_its_reason(
    shared_data: Path, name: str, reason: str
) -> None:
    path = shared_data / "odd_files" / name

    found, _ = find_stacks([Entry(path, name)])
    faults = "".join(problem.message for problem in found[0].faults)

    if found[0].faults[0].code != "missing_geometry":
        assert re.search(reason, faults)
    else:
        with pytest.raises(UnreadableFileError, match=reason):
            read_samples(found[0].slices)


def test_frames_are_read_though_the_mark_at_their_end_is_missing(shared_data: Path) -> None:
    whole = shared_data / "odd_files/pydicom_data/emri_small_jpeg_2k_lossless.dcm"
    short = shared_data / "odd_files/pydicom_data/emri_small_jpeg_2k_lossless_too_short.dcm"

    np.testing.assert_array_equal(
        read_samples(parse(Entry(short, "short"))), read_samples(parse(Entry(whole, "whole")))
    )


def test_the_quick_way_through_a_header_finds_what_pydicom_finds(shared_data: Path) -> None:
    from delineate.formats.dicom import elements, header

    tags, compared = header._TAGS, 0
    for path in sorted((shared_data / "odd_files").rglob("*")):
        if not path.is_file() or path.read_bytes()[128:132] != b"DICM":
            continue
        with path.open("rb") as file:
            quick = elements._Walk(file, frozenset(tags)).run()
            if quick is None:
                continue
            file.seek(0)
            slow = elements._by_pydicom(file, tags)
        one, other = Header(quick), Header(slow)
        assert [one.text(tag) for tag in tags] == [other.text(tag) for tag in tags], path.name
        assert (quick.syntax, quick.pixels, quick.offset, quick.length) == (
            slow.syntax,
            slow.pixels,
            slow.offset,
            slow.length,
        )
        compared += 1
    assert compared > 150


def test_a_tilted_series_with_uneven_spacing_is_refused_by_its_slices(shared_data: Path) -> None:
    folder = shared_data / "ct_series/head_tilted_ge"

    with pytest.raises(GeometryError) as caught:
        read(folder)

    assert "slice 14 at 18.36 mm and slice 15 at 19.44 mm are 1.08 mm apart" in str(caught.value)
    assert "uneven" in str(caught.value)
    (series,) = inspect(folder).series
    assert series.verdict == "refused"
    assert series.problems[0].code == "uneven_spacing"


def test_the_evenly_spaced_part_of_a_tilted_series_is_read_with_its_shear(
    shared_data: Path,
) -> None:
    folder = shared_data / "ct_series/head_tilted_ge"
    files = sorted(folder.glob("*.dcm"))
    places = {path: read(path).grid.affine[:3, 3] for path in files}
    even = [path for path in files if 1 <= int(path.stem) <= 14]

    image = read(even)
    (report,) = inspect(even).series

    assert report.verdict == "usable"
    assert report.tilt_degrees == pytest.approx(18.5, abs=0.01)
    assert report.problems[0].code == "gantry_tilt"
    for place in (places[path] for path in even):
        index = image.grid.to_index(place)
        np.testing.assert_allclose(index, [round(index[0]), 0, 0], atol=1e-3)


@pytest.mark.parametrize("name", ["", "dupe-positions.zip"])
def test_duplicates_of_one_picture_are_read_once_and_the_gaps_between_refused(
    shared_data: Path, name: str
) -> None:
    folder = shared_data / "ct_series/duplicate_positions" / name

    with pytest.raises(GeometryError, match="the spacing is uneven") as caught:
        read(folder)
    report = inspect(folder)

    assert "slice 190 at -512.50 mm and slice 145 at -400.00 mm" in str(caught.value)
    (one,) = report.series
    codes = [problem.code for problem in one.problems]
    assert codes == ["uneven_spacing", "duplicate_position", "padding"]
    assert [ignored.reason for ignored in report.ignored if "pixels" in ignored.reason] == [
        "the pixels of slice 21 at its position again"
    ]
    with pytest.raises(GeometryError, match="more than 3 slices to make up"):
        read(folder, uneven="resample")


def test_a_missing_slice_is_named_by_its_neighbours(shared_data: Path) -> None:
    files = sorted((shared_data / "ct_series/abdomen_crlm_1004/image").iterdir())
    source = read(files).source
    assert isinstance(source, DicomSource)
    assert len(source.sop_instance_uids) == len(files) == 41

    with pytest.raises(GeometryError, match=r"are 10\.00 mm apart; a slice is") as caught:
        read(files[:20] + files[21:])

    assert "distances are 5.00 mm (38 times), 10.00 mm (once)" in str(caught.value)
    report = inspect(files[:20] + files[21:])
    assert report.verdict == "refused"
    assert report.series[0].problems[0].code == "missing_slice"
    assert report.advice.startswith("Send the whole series; at least one slice is missing.")
    (gap,) = report.series[0].gaps
    assert (gap.mm, gap.missing) == (10.0, 1)


@pytest.mark.parametrize("keep", [0, 3, 100, 400, 1500, 5000, 100_000, -1000, -1])
def test_a_truncated_slice_is_never_read(shared_data: Path, tmp_path: Path, keep: int) -> None:
    files = sorted((shared_data / "ct_series/abdomen_crlm_1004/image").iterdir())
    for index, path in enumerate(files[:8]):
        content = path.read_bytes()
        (tmp_path / f"{index}").write_bytes(content[:keep] if index == 4 else content)

    with pytest.raises((UnreadableFileError, GeometryError), match="slice"):
        read(tmp_path)


def test_files_in_any_order_and_without_suffix_make_the_same_image(
    shared_data: Path, tmp_path: Path
) -> None:
    files = sorted((shared_data / "ct_labelled/chest_cip/ct-64Dicom").iterdir())
    order = np.random.default_rng(1).permutation(len(files))
    shuffled = [
        shutil.copy(files[source], tmp_path / f"{target}") for target, source in enumerate(order)
    ]

    assert read(shuffled).content_hash == read(files[0].parent).content_hash


def test_each_series_of_a_mixed_folder_can_be_chosen(shared_data: Path) -> None:
    folder = shared_data / "ct_labelled/dcmqi_liver_spine"
    paths = [folder / "ct-3slice", folder / "23x38x3" / "image", folder / "liver_seg.nrrd"]

    report = inspect(paths[:2])
    with pytest.raises(SeriesChoiceError, match="2 series can be read") as caught:
        read(paths[:2])

    assert {one["id"] for one in caught.value.series} == {one.id for one in report.series}
    for one in report.series:
        assert read(paths[:2], one.id).grid.shape == one.shape
    with pytest.raises(SeriesChoiceError, match=r"no series 1\.2\.3"):
        read(paths[:2], "1.2.3")
