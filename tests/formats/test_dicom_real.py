"""Real series agree with SimpleITK and pydicom, sample for sample; odd ones are refused by name."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from delineate.errors import DelineateError, GeometryError, SeriesChoiceError, UnreadableFileError
from delineate.formats import inspect, read
from delineate.imaging import Image

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
    "nibabel/nicom/csa_slice_norm.dcm",
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
    "pydicom_data/emri_small.dcm",
    "pydicom_data/emri_small_RLE.dcm",
    "pydicom_data/emri_small_big_endian.dcm",
    "pydicom_data/emri_small_jpeg_2k_lossless.dcm",
    "pydicom_data/emri_small_jpeg_ls_lossless.dcm",
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
    if len(expected) > 1 and not np.array_equal(ours, expected.astype(ours.dtype)):
        expected = expected[::-1]
    np.testing.assert_array_equal(ours, expected.astype(ours.dtype))
