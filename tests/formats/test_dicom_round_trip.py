"""What is written as a CT series is read back: same samples at the same places."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import grids

from delineate.errors import ExportError
from delineate.formats import inspect, read
from delineate.formats.dicom import DicomSource, write_series
from delineate.imaging import Grid, Image


@st.composite
def cts(draw: st.DrawFn) -> Image:
    grid = draw(grids(max_size=5))
    seed = draw(st.integers(0, 2**16))
    low, high = draw(st.sampled_from([(-1024, 3071), (-32768, 32767), (0, 1)]))
    samples = np.random.default_rng(seed).integers(low, high, grid.shape, endpoint=True)
    return Image(samples.astype(np.int16), grid, "CT")


def as_it_comes_back(image: Image) -> Image:
    """Slices of a left-handed grid come back in opposite order; a single slice loses its shear."""
    grid, array = image.grid, image.array
    row, column = grid.affine[:3, 2] / grid.spacing[2], grid.affine[:3, 1] / grid.spacing[1]
    normal = np.cross(column, row) * -1
    affine = grid.affine.copy()
    if float(affine[:3, 0] @ normal) < 0:
        affine[:3, 3] = grid.to_world((grid.shape[0] - 1, 0, 0))
        affine[:3, 0] *= -1
        array = array[::-1]
    if grid.shape[0] == 1:
        affine[:3, 0] = normal * grid.slice_distance
    return Image(array, Grid(grid.shape, affine), "CT")


@given(cts())
@settings(max_examples=40, deadline=None)
def test_a_written_series_is_read_back_sample_for_sample_in_its_place(image: Image) -> None:
    expected = as_it_comes_back(image)

    with tempfile.TemporaryDirectory() as folder:
        paths = write_series(image, folder)
        back = read(folder)
        shuffled = read(paths[::-1])

    assert back.array.dtype == np.int16
    np.testing.assert_array_equal(back.array, expected.array)
    np.testing.assert_allclose(back.grid.affine, expected.grid.affine, rtol=0, atol=1e-6)
    assert back.modality == "CT"
    assert shuffled.content_hash == back.content_hash


@given(cts())
@settings(max_examples=15, deadline=None)
def test_the_report_says_what_reading_will_give(image: Image) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_series(image, folder)
        report = inspect(folder)
        grid = read(folder).grid

    (series,) = report.series
    assert series.verdict == report.verdict == "usable"
    assert series.shape == grid.shape
    assert series.orientation == grid.orientation
    np.testing.assert_allclose(series.spacing_mm, grid.spacing, atol=1e-5)


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    image = Image(np.zeros((2, 3, 4), np.int16), Grid.regular((2, 3, 4)), "CT")

    first = write_series(image, tmp_path / "a", seed="one")
    second = write_series(image, tmp_path / "b", seed="one")
    third = write_series(image, tmp_path / "c", seed="two")

    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert first[0].read_bytes() != third[0].read_bytes()


def test_the_source_names_every_slice_in_the_order_of_the_image(tmp_path: Path) -> None:
    import pydicom

    image = Image(np.zeros((3, 3, 4), np.int16), Grid.regular((3, 3, 4)), "CT")
    paths = write_series(image, tmp_path, patient_name="Some^One")

    source = read(tmp_path).source

    assert isinstance(source, DicomSource)
    headers = [pydicom.dcmread(path) for path in paths]
    assert source.sop_instance_uids == tuple(str(one.SOPInstanceUID) for one in headers)
    assert source.series_uid == source.stack == headers[0].SeriesInstanceUID
    assert source.study_uid == headers[0].StudyInstanceUID
    assert source.frame_of_reference_uid == headers[0].FrameOfReferenceUID
    assert source.frame_numbers == (0, 0, 0)
    assert source.header.PatientName == "Some^One"
    assert "PixelData" not in source.header


def test_pydicom_finds_nothing_to_complain_about_in_what_is_written(tmp_path: Path) -> None:
    import pydicom
    from pydicom.config import RAISE, settings

    image = Image(
        np.arange(24, dtype=np.int16).reshape(2, 3, 4),
        Grid.regular((2, 3, 4), (1 / 3, 1 / 7, 1e-2 / 3), (-1e3 / 3, 1e-7 / 3, 200 / 7)),
        "CT",
    )
    mode = settings.reading_validation_mode
    settings.reading_validation_mode = RAISE
    try:
        for index, path in enumerate(write_series(image, tmp_path)):
            header = pydicom.dcmread(path)
            for element in header:
                assert element.value is not None or element.VM == 0
            np.testing.assert_array_equal(header.pixel_array, image.array[index])
    finally:
        settings.reading_validation_mode = mode


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Image(np.full((1, 2, 2), 0.5, np.float32), Grid.regular((1, 2, 2)), "CT"), "whole"),
        (Image(np.full((1, 2, 2), 40000, np.int32), Grid.regular((1, 2, 2)), "CT"), "int16"),
        (Image(np.full((1, 2, 2), np.nan, np.float32), Grid.regular((1, 2, 2)), "CT"), "int16"),
        (Image(np.zeros((1, 2, 2), np.int16), Grid.regular((1, 2, 2), unit="px"), "CT"), "pixels"),
        (Image(np.zeros((1, 2, 2), np.int16), Grid.regular((1, 2, 2)), "MR"), "MR"),
    ],
)
def test_what_a_ct_cannot_hold_is_not_written(image: Image, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=reason):
        write_series(image, tmp_path)
