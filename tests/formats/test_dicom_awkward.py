"""Awkward series made here, one case each: read exactly, or refused by name."""

from __future__ import annotations

import json
import shutil
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from delineate.errors import GeometryError, SeriesChoiceError, UnreadableFileError
from delineate.formats import inspect, read
from delineate.formats.dicom import DicomSource, elements, write_series
from delineate.imaging import Grid, Image

SHAPE = (6, 40, 36)
Edit = Callable[[int, Dataset], None]


def phantom(grid: Grid | None = None) -> Image:
    samples = np.random.default_rng(3).integers(-1024, 2000, SHAPE).astype(np.int16)
    return Image(samples, grid or Grid.regular(SHAPE, (2.5, 0.7, 0.8), (-30, 20, 100)), "CT")


def series(folder: Path, edit: Edit | None = None, image: Image | None = None) -> list[Path]:
    """A phantom's files, each changed by ``edit(index, dataset)``."""
    paths = write_series(image or phantom(), folder)
    for index, path in enumerate(paths):
        if edit is not None:
            dataset = pydicom.dcmread(path)
            edit(index, dataset)
            dataset.save_as(path)
    return paths


def codes(folder: Path) -> list[str]:
    return [problem.code for one in inspect(folder).series for problem in one.problems]


def test_a_clean_series_is_usable_without_remark(tmp_path: Path) -> None:
    series(tmp_path)

    report = inspect(tmp_path)

    assert (report.verdict, report.advice, codes(tmp_path)) == ("usable", "Nothing to do.", [])
    assert report.to_json()["series"][0] == {
        "id": report.series[0].id,
        "format": "dicom",
        "modality": "CT",
        "description": "",
        "why": (
            f"6 files that share series UID {report.series[0].id}, 40 x 36 samples, 0.7 x 0.8 mm, "
            "one direction (SPL)."
        ),
        "files": [f"{number:04d}.dcm" for number in range(1, 7)],
        "set_aside": "",
        "slices": 6,
        "shape": [6, 40, 36],
        "spacing_mm": [2.5, 0.7, 0.8],
        "orientation": "SPL",
        "tilt_degrees": 0.0,
        "unit": "mm",
        "scale_known": True,
        "field_of_view_mm": [15.0, 28.0, 28.8],
        "spacings": [{"mm": 2.5, "count": 5}],
        "gaps": [],
        "duplicates": [],
        "localizer": False,
        "samples": {
            "bits_allocated": 16,
            "bits_stored": 16,
            "signed": True,
            "kind": "integer",
            "photometric": "MONOCHROME2",
            "compression": "",
            "frames": 1,
            "rescale": "none",
            "slope": 1.0,
            "intercept": 0.0,
            "padding": None,
        },
        "verdict": "usable",
        "advice": "Nothing to do.",
        "problems": [],
    }


def test_gantry_tilt_is_a_shear_of_the_affine(tmp_path: Path) -> None:
    # Slices stand 2.5 mm apart along the bed, their planes turned by 20 degrees about x:
    #
    #     y ^   / / / /      each plane's normal n = (0, -sin, cos),
    #       |  / / / /       each step (0, 0, 2.5)
    #       +----------> z
    turn = np.radians(20)
    affine = np.eye(4)
    affine[:3, 0] = 0, 0, 2.5
    affine[:3, 1] = 0, 0.7 * np.cos(turn), 0.7 * np.sin(turn)
    affine[:3, 2] = 0.8, 0, 0
    tilted = phantom(Grid(SHAPE, affine))
    series(tmp_path, image=tilted)

    image = read(tmp_path)
    (report,) = inspect(tmp_path).series

    np.testing.assert_array_equal(image.array, tilted.array)
    np.testing.assert_allclose(image.grid.affine, affine, atol=1e-9)
    assert (report.verdict, report.tilt_degrees) == ("usable", 20.0)
    assert report.spacing_mm[0] == 2.5
    assert "tilted by 20.0 degrees" in report.problems[0].message


def test_slices_numbered_from_head_to_foot_are_sorted_by_position(tmp_path: Path) -> None:
    def renumber(index: int, dataset: Dataset) -> None:
        dataset.InstanceNumber = 100 - index

    series(tmp_path, renumber)

    assert read(tmp_path).content_hash == phantom().content_hash


def test_a_missing_slice_is_refused(tmp_path: Path) -> None:
    paths = series(tmp_path)
    paths[2].unlink()

    with pytest.raises(GeometryError, match=r"slice 2 at 102\.50 mm and slice 4 at 107\.50 mm are"):
        read(tmp_path)

    assert codes(tmp_path) == ["missing_slice"]


def test_several_missing_slices_are_counted(tmp_path: Path) -> None:
    paths = series(tmp_path)
    paths[2].unlink()
    paths[3].unlink()

    with pytest.raises(GeometryError, match="2 slices are probably missing"):
        read(tmp_path)


@pytest.mark.parametrize(("shift", "good"), [(0.09, True), (0.12, False), (1.0, False)])
def test_a_slice_may_lie_a_tenth_of_a_millimetre_off(
    tmp_path: Path, shift: float, good: bool
) -> None:
    def move(index: int, dataset: Dataset) -> None:
        if index == 3:
            dataset.ImagePositionPatient[2] += shift

    series(tmp_path, move)

    if good:
        assert read(tmp_path).content_hash == phantom().content_hash
    else:
        with pytest.raises(GeometryError, match="slice"):
            read(tmp_path)
        assert codes(tmp_path) == ["uneven_spacing"]


def test_a_slice_that_is_shifted_sideways_is_refused(tmp_path: Path) -> None:
    def move(index: int, dataset: Dataset) -> None:
        if index == 3:
            dataset.ImagePositionPatient[0] += 2

    series(tmp_path, move)

    with pytest.raises(GeometryError, match=r"slice 4 at 107\.50 mm lies 2\.00 mm from its place"):
        read(tmp_path)


def test_positions_rounded_to_one_decimal_make_an_even_series(tmp_path: Path) -> None:
    grid = Grid.regular(SHAPE, (1.25, 0.7, 0.8))

    def round_off(index: int, dataset: Dataset) -> None:
        dataset.ImagePositionPatient[2] = round(float(dataset.ImagePositionPatient[2]), 1)

    series(tmp_path, round_off, phantom(grid))

    assert read(tmp_path).grid.matches(grid, tolerance=0.1)


def test_two_slices_at_one_position_are_refused(tmp_path: Path) -> None:
    def move(index: int, dataset: Dataset) -> None:
        if index == 3:
            dataset.ImagePositionPatient[2] -= 2.5

    series(tmp_path, move)

    with pytest.raises(GeometryError, match=r"slice 3 .* and slice 4 .* both lie at 105\.00 mm"):
        read(tmp_path)

    assert codes(tmp_path) == ["duplicate_position", "missing_slice"]


def test_two_phases_under_one_uid_are_two_series(tmp_path: Path) -> None:
    late = Image(phantom().array + np.int16(50), phantom().grid, "CT")

    def in_acquisition(number: int) -> Edit:
        def change(index: int, dataset: Dataset) -> None:
            dataset.SeriesInstanceUID = "1.2.3"
            dataset.AcquisitionNumber = number

        return change

    series(tmp_path / "early", in_acquisition(1))
    series(tmp_path / "late", in_acquisition(2), late)

    with pytest.raises(SeriesChoiceError) as caught:
        read(tmp_path)

    assert [one["id"] for one in caught.value.series] == ["1.2.3", "1.2.3#2"]
    assert read(tmp_path, "1.2.3").content_hash == phantom().content_hash
    assert read(tmp_path, "1.2.3#2").content_hash == late.content_hash


def test_the_order_of_files_decides_nothing(tmp_path: Path) -> None:
    def jitter(index: int, dataset: Dataset) -> None:
        dataset.SeriesInstanceUID = "1.2.3"
        dataset.ImageOrientationPatient = [1, index * 1e-5, 0, 0, 1, 0]

    axial = series(tmp_path / "a", jitter)
    turned = Grid(SHAPE, phantom().grid.affine[:, [1, 0, 2, 3]])
    coronal = series(tmp_path / "b", jitter_uid, phantom(turned))

    forward, backward = inspect(axial + coronal), inspect(coronal[::-1] + axial[::-1])

    assert forward.series == backward.series
    for one in forward.series:
        assert (
            read(axial + coronal, one.id).content_hash
            == read(coronal[::-1] + axial[::-1], one.id).content_hash
        )


def jitter_uid(index: int, dataset: Dataset) -> None:
    dataset.SeriesInstanceUID = "1.2.3"


def test_second_copies_of_files_are_left_out(tmp_path: Path) -> None:
    paths = series(tmp_path)
    shutil.copy(paths[2], tmp_path / "copy")

    report = inspect(tmp_path)

    assert report.verdict == "corrected"
    assert codes(tmp_path) == ["duplicate_instance"]
    assert report.advice == "1 file is a second copy of a slice and left out."
    assert read(tmp_path).content_hash == phantom().content_hash


def test_different_slices_under_one_instance_uid_are_refused(tmp_path: Path) -> None:
    def rename(index: int, dataset: Dataset) -> None:
        dataset.SOPInstanceUID = "1.2.3"

    series(tmp_path, rename)

    with pytest.raises(UnreadableFileError, match="6 slices that differ claim to be the same"):
        read(tmp_path)

    assert codes(tmp_path) == ["duplicate_instance"]


def test_a_scout_in_the_series_is_left_out(tmp_path: Path) -> None:
    def scout(index: int, dataset: Dataset) -> None:
        if index == 0:
            dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    series(tmp_path, scout)

    report = inspect(tmp_path)

    assert [one.verdict for one in report.series] == ["corrected", "refused"]
    assert report.series[0].advice == "Left out: slice 1, of another direction."
    assert codes(tmp_path) == ["mixed_orientation", "not_a_volume"]
    np.testing.assert_array_equal(read(tmp_path).array, phantom().array[1:])
    with pytest.raises(GeometryError, match="slice 1 is a localizer, not a volume"):
        read(tmp_path, report.series[1].id)


def test_a_slice_of_another_size_leaves_a_gap_that_is_named(tmp_path: Path) -> None:
    def shrink(index: int, dataset: Dataset) -> None:
        if index == 2:
            dataset.Rows = 8
            dataset.PixelData = dataset.PixelData[: 8 * 36 * 2]

    series(tmp_path, shrink)

    with pytest.raises(GeometryError, match=r"slice 2 .* and slice 4 .* apart"):
        read(tmp_path)

    assert codes(tmp_path) == ["missing_slice", "mixed_sizes", "not_a_volume"]


def test_a_single_scout_is_no_volume(tmp_path: Path) -> None:
    def scout(index: int, dataset: Dataset) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    paths = series(tmp_path, scout)

    with pytest.raises(GeometryError, match="localizer"):
        read(paths[0])


def test_a_single_slice_is_as_thick_as_it_says(tmp_path: Path) -> None:
    image = read(series(tmp_path)[0])

    assert image.grid.shape == (1, 40, 36)
    assert image.grid.spacing == pytest.approx((2.5, 0.7, 0.8))


def test_monochrome1_keeps_its_hounsfield_units(tmp_path: Path) -> None:
    def invert(index: int, dataset: Dataset) -> None:
        dataset.PhotometricInterpretation = "MONOCHROME1"

    series(tmp_path, invert)

    assert read(tmp_path).content_hash == phantom().content_hash
    assert codes(tmp_path) == ["monochrome1"]


def as_unsigned(padding: int | None, vr: str = "US") -> Edit:
    """Store samples as unsigned with an intercept of -1024, and the first column as padding."""

    def change(index: int, dataset: Dataset) -> None:
        stored = (dataset.pixel_array.astype(int) + 1024).astype("<u2")
        if padding is not None:
            stored[:, 0] = padding
            dataset.add_new("PixelPaddingValue", vr, padding)
        dataset.PixelData = stored.tobytes()
        dataset.PixelRepresentation, dataset.RescaleIntercept = 0, "-1024"

    return change


def test_unsigned_samples_with_padding_become_air_where_padded(tmp_path: Path) -> None:
    series(tmp_path, as_unsigned(63536))
    expected = phantom().array.copy()
    expected[:, :, 0] = -1024

    image = read(tmp_path)

    assert image.array.dtype == np.int16
    np.testing.assert_array_equal(image.array, expected)
    assert codes(tmp_path) == ["padding"]


def test_padding_that_is_a_plausible_value_is_left_alone(tmp_path: Path) -> None:
    series(tmp_path, as_unsigned(1024))  # 0 HU: water, where somebody's software was careless
    expected = phantom().array.copy()
    expected[:, :, 0] = 0

    np.testing.assert_array_equal(read(tmp_path).array, expected)
    assert codes(tmp_path) == []


def test_padding_of_signed_samples_under_an_unsigned_vr_is_understood(tmp_path: Path) -> None:
    def pad(index: int, dataset: Dataset) -> None:
        stored = dataset.pixel_array.copy()
        stored[:, 0] = -2000
        dataset.PixelData = stored.tobytes()
        dataset.add_new("PixelPaddingValue", "US", 63536)

    series(tmp_path, pad)
    expected = phantom().array.copy()
    expected[:, :, 0] = -1024

    np.testing.assert_array_equal(read(tmp_path).array, expected)


def test_values_beyond_int16_come_as_float(tmp_path: Path) -> None:
    def raise_up(index: int, dataset: Dataset) -> None:
        dataset.RescaleIntercept = "32000"

    series(tmp_path, raise_up)

    image = read(tmp_path)

    assert image.array.dtype == np.float32
    np.testing.assert_array_equal(image.array, phantom().array.astype(np.float32) + 32000)


def test_every_slice_has_its_own_rescale(tmp_path: Path) -> None:
    def rescale(index: int, dataset: Dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = str(1 + index / 4), str(-index)

    series(tmp_path, rescale)
    slopes = (1 + np.arange(6) / 4)[:, None, None]

    image = read(tmp_path)

    assert image.array.dtype == np.float32
    np.testing.assert_array_equal(
        image.array, (phantom().array * slopes - np.arange(6)[:, None, None]).astype(np.float32)
    )
    assert codes(tmp_path) == ["per_slice_rescale"]


@pytest.mark.parametrize("slope", ["0", "nan", "abc"])
def test_a_rescale_slope_that_is_no_number_is_refused(tmp_path: Path, slope: str) -> None:
    def spoil(index: int, dataset: Dataset) -> None:
        dataset.add_new("RescaleSlope", "LO", slope)

    series(tmp_path, spoil)

    with pytest.raises(UnreadableFileError, match="rescale slope"):
        read(tmp_path)


def test_old_overlays_in_the_high_bits_are_cleared(tmp_path: Path) -> None:
    def overlay(index: int, dataset: Dataset) -> None:
        stored = (dataset.pixel_array.astype(int) + 1024).astype("<u2")
        stored[3, 4] |= 0x8000
        dataset.PixelData = stored.tobytes()
        dataset.PixelRepresentation, dataset.RescaleIntercept = 0, "-1024"
        dataset.BitsStored, dataset.HighBit = 12, 11

    series(tmp_path, overlay)

    assert read(tmp_path).content_hash == phantom().content_hash


def test_eight_and_thirty_two_bits_are_read(tmp_path: Path) -> None:
    small = Image(phantom().array // 16 + 100, phantom().grid, "CT")

    def pack(dtype: str) -> Edit:
        def change(index: int, dataset: Dataset) -> None:
            stored = dataset.pixel_array.astype(dtype)
            dataset.PixelData = stored.tobytes()
            bits = stored.dtype.itemsize * 8
            dataset.BitsAllocated = dataset.BitsStored = bits
            dataset.HighBit, dataset.PixelRepresentation = bits - 1, int(stored.dtype.kind == "i")
            dataset["PixelData"].VR = "OW"

        return change

    series(tmp_path / "32", pack("<i4"), small)
    positive = Image(np.abs(small.array) % 256, small.grid, "CT")
    series(tmp_path / "8", pack("u1"), positive)

    assert read(tmp_path / "32").content_hash == small.content_hash
    assert read(tmp_path / "8").content_hash == positive.content_hash


@pytest.mark.parametrize("tag", ["Rows", "Columns", "BitsAllocated", "PixelRepresentation"])
def test_a_wrong_vr_does_not_matter(tmp_path: Path, tag: str) -> None:
    def spoil(index: int, dataset: Dataset) -> None:
        dataset.add_new(tag, "UL", dataset[tag].value)

    series(tmp_path, spoil)

    assert read(tmp_path).content_hash == phantom().content_hash


def test_decimal_commas_and_blanks_in_numbers_do_not_matter(tmp_path: Path) -> None:
    def spoil(index: int, dataset: Dataset) -> None:
        dataset.add_new("PixelSpacing", "LO", ["0,7 ", " 0,8"])

    series(tmp_path, spoil)

    assert read(tmp_path).content_hash == phantom().content_hash


def test_rows_that_the_pixels_do_not_cover_are_refused(tmp_path: Path) -> None:
    def spoil(index: int, dataset: Dataset) -> None:
        dataset.Rows = dataset.Columns = 65535

    series(tmp_path, spoil)

    with pytest.raises(UnreadableFileError, match="holds 2880 of 8589672450 bytes of pixels"):
        read(tmp_path)

    assert codes(tmp_path) == ["truncated"]


def test_a_file_without_preamble_is_read(tmp_path: Path) -> None:
    for path in series(tmp_path):
        path.write_bytes(path.read_bytes()[132:])

    assert read(tmp_path).content_hash == phantom().content_hash


def test_a_bare_dataset_without_file_meta_is_read(tmp_path: Path) -> None:
    for path in series(tmp_path):
        dataset = pydicom.dcmread(path)
        del dataset.file_meta
        dataset.save_as(path, implicit_vr=True, little_endian=True)

    assert read(tmp_path).content_hash == phantom().content_hash


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_every_uncompressed_transfer_syntax_is_read(tmp_path: Path, syntax: Any) -> None:
    for path in series(tmp_path):
        dataset = pydicom.dcmread(path)
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = dataset.pixel_array.astype(">i2").tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
        implicit = syntax == ImplicitVRLittleEndian
        little = syntax != ExplicitVRBigEndian
        dataset["PixelData"].VR = "OW"
        fresh = pydicom.Dataset()
        fresh.update(dataset)
        fresh.file_meta = dataset.file_meta
        fresh.save_as(path, implicit_vr=implicit, little_endian=little, enforce_file_format=True)

    assert read(tmp_path).content_hash == phantom().content_hash


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_every_lossless_compression_is_read(tmp_path: Path, syntax: Any) -> None:
    def compress(index: int, dataset: Dataset) -> None:
        dataset.compress(syntax, generate_instance_uid=False)

    series(tmp_path, compress)

    assert read(tmp_path).content_hash == phantom().content_hash
    assert codes(tmp_path) == []


def test_an_unknown_transfer_syntax_is_refused_by_name(tmp_path: Path) -> None:
    def compress(index: int, dataset: Dataset) -> None:
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"

    series(tmp_path, compress)

    with pytest.raises(UnreadableFileError, match=r"MPEG2 Main Profile.*without compression"):
        read(tmp_path)

    assert codes(tmp_path) == ["unsupported_transfer_syntax"]


def test_garbage_in_compressed_pixels_is_refused(tmp_path: Path) -> None:
    def spoil(index: int, dataset: Dataset) -> None:
        dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
        if index == 3:
            dataset.PixelData = dataset.PixelData[:40] + bytes(len(dataset.PixelData) - 40)

    series(tmp_path, spoil)

    with pytest.raises(UnreadableFileError, match="slice 4"):
        read(tmp_path)


def test_a_codestream_larger_than_its_header_says_is_refused(tmp_path: Path) -> None:
    def spoil(index: int, dataset: Dataset) -> None:
        dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
        dataset.Rows = 8

    series(tmp_path, spoil)

    with pytest.raises(UnreadableFileError, match="8 x 36 in its header and 40 x 36"):
        read(tmp_path)


def test_a_deflate_bomb_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "_MAX_INFLATED", 4 << 20)
    path = series(tmp_path)[0]
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    head = path.read_bytes()
    start = 144 + int.from_bytes(head[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(packer.compress(bytes(1 << 24)) for _ in range(1)) + packer.flush()
    path.write_bytes(head[:start] + bomb)

    with pytest.raises(UnreadableFileError, match="inflates to more than 4 MiB"):
        read(path)


def test_a_giant_value_in_the_file_meta_is_not_parsed(tmp_path: Path) -> None:
    path = series(tmp_path)[0]
    meta = b"\x02\0\x10\0UT\0\0" + (4 << 20).to_bytes(4, "little") + b"1\\" * (2 << 20)
    content = path.read_bytes()
    at = content.index(b"\x08\0\x05\0CS")
    path.write_bytes(content[:at] + meta + content[at:])
    start = time.process_time()

    with pytest.raises(UnreadableFileError):
        read(path)

    assert time.process_time() - start < 1  # pydicom would take six seconds


def test_nothing_of_the_file_reaches_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in series(tmp_path):
        content = path.read_bytes().replace(
            b"1.2.840.10008.1.2.1\0", b"CANARY.2.1\0\0\0\0\0\0\0\0\0\0"
        )
        path.write_bytes(content)

    inspect(tmp_path)

    assert "CANARY" not in caplog.text


def test_sequences_nested_a_thousand_deep_do_no_harm(tmp_path: Path) -> None:
    path = series(tmp_path)[0]
    content = path.read_bytes()
    at = content.index(b"\x10\x00\x10\x00PN")
    open_ = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    path.write_bytes(content[:at] + open_ * 5000 + content[at:])

    report = inspect(path)

    assert report.verdict == "refused"
    assert "DICOM" in report.ignored[0].reason or report.series


def test_sequences_without_length_are_skipped(tmp_path: Path) -> None:
    def add(index: int, dataset: Dataset) -> None:
        inner = Dataset()
        inner.PatientID = "x"
        dataset.ReferencedImageSequence = Sequence([inner, inner])
        dataset["ReferencedImageSequence"].is_undefined_length = True

    series(tmp_path, add)

    assert read(tmp_path).content_hash == phantom().content_hash


def test_uids_with_dots_and_slashes_touch_no_path(tmp_path: Path) -> None:
    def spoil(index: int, dataset: Dataset) -> None:
        dataset.add_new("SeriesInstanceUID", "LO", "../../../etc/passwd")

    series(tmp_path, spoil)

    image = read(tmp_path)

    assert isinstance(image.source, DicomSource)
    assert image.source.series_uid == "../../../etc/passwd"


def test_a_series_without_any_uid_is_read(tmp_path: Path) -> None:
    def strip(index: int, dataset: Dataset) -> None:
        for name in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "InstanceNumber"):
            del dataset[name]

    series(tmp_path, strip)

    assert read(tmp_path).content_hash == phantom().content_hash
    assert inspect(tmp_path).series[0].id == "unnamed"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ImagePositionPatient", None),
        ("ImagePositionPatient", ["1", "2"]),
        ("ImagePositionPatient", ["1", "2", "x"]),
        ("ImageOrientationPatient", None),
        ("ImageOrientationPatient", ["1", "0", "0", "1", "0", "0"]),
        ("ImageOrientationPatient", ["0"] * 6),
        ("PixelSpacing", ["0", "0"]),
        ("PixelSpacing", ["0.7"]),
    ],
)
def test_geometry_that_makes_no_sense_is_refused_by_its_name(
    tmp_path: Path, name: str, value: list[str] | None
) -> None:
    def spoil(index: int, dataset: Dataset) -> None:
        del dataset[name]
        if value is not None:
            dataset.add_new(name, "LO", value)

    series(tmp_path, spoil)

    with pytest.raises(GeometryError, match=name):
        read(tmp_path)

    assert codes(tmp_path)[0] == "missing_geometry"


def test_a_colour_picture_is_ignored_with_its_reason(tmp_path: Path) -> None:
    def colour(index: int, dataset: Dataset) -> None:
        if index == 5:
            dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"

    series(tmp_path, colour)

    report = inspect(tmp_path)

    assert read(tmp_path).grid.shape[0] == 5
    assert report.ignored[0].reason == "a colour picture (RGB), not a grey-scale slice"


def test_messages_hold_no_patient_data(tmp_path: Path) -> None:
    def name(index: int, dataset: Dataset) -> None:
        dataset.PatientName = dataset.PatientID = dataset.SeriesDescription = "CANARY"
        dataset.add_new("ImagePositionPatient", "LO", "CANARY")

    for index, path in enumerate(series(tmp_path, name)):
        path.rename(tmp_path / f"CANARY{index}.dcm")

    with pytest.raises(GeometryError) as caught:
        read(tmp_path)

    assert "CANARY" not in str(caught.value)
    assert "CANARY" not in str([one.message for one in inspect(tmp_path).series[0].problems])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"RescaleType": "MGML"}, "values of type MGML, not Hounsfield units"),
        ({"RescaleType": "Z_EFF"}, "values of type Z_EFF, not Hounsfield units"),
        ({"BitsStored": 12, "HighBit": 15}, "keeps its samples in bits 4 to 15, not from 0"),
    ],
)
def test_what_would_be_taken_for_hounsfield_units_and_is_none_is_refused(
    values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    series(tmp_path, lambda _, dataset: [setattr(dataset, *each) for each in values.items()])

    assert codes(tmp_path) == ["unreadable"]
    with pytest.raises(UnreadableFileError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["HU", "US", "HU_MOD", ""])
def test_hounsfield_units_by_any_of_their_names_are_read(kind: str, tmp_path: Path) -> None:
    series(tmp_path, lambda _, dataset: setattr(dataset, "RescaleType", kind))

    np.testing.assert_array_equal(read(tmp_path).array, phantom().array)


@pytest.mark.parametrize("text", [b"nan ", b"inf ", b"1e999 ", b"-inf\\nan "])
@pytest.mark.parametrize("slices", ["one", "all"])
def test_numbers_that_are_none_make_a_report_that_is_json(
    tmp_path: Path, text: bytes, slices: str
) -> None:
    tags = [
        *("RescaleSlope", "RescaleIntercept", "PixelSpacing", "ImagePositionPatient"),
        *("ImageOrientationPatient", "SliceThickness", "SliceLocation", "GantryDetectorTilt"),
        *("WindowCenter", "WindowWidth", "InstanceNumber"),
    ]
    for tag in tags:

        def spoil(index: int, dataset: Dataset, tag: str = tag) -> None:
            if slices == "all" or index == 2:
                vr = pydicom.datadict.dictionary_VR(tag)
                number = pydicom.datadict.tag_for_keyword(tag)
                dataset[number] = pydicom.dataelem.RawDataElement(
                    pydicom.tag.Tag(number), vr, len(text), text, 0, False, True
                )

        series(tmp_path / tag, spoil)

        report = inspect(tmp_path / tag).to_json()

        json.dumps(report, allow_nan=False)
        for one in report["series"]:
            sizes = np.array(one["spacing_mm"], float)
            assert one["verdict"] == "refused" or (np.isfinite(sizes) & (sizes > 0)).all()
