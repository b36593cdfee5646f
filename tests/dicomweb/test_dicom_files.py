"""What the node reads and makes of files, held against pydicom on real ones."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from delineate.errors import NotAcceptableError, UnknownInstanceError
from delineate.jobs.dicom_pictures import render
from delineate.jobs.dicom_pixels import bulk, frames, plain
from delineate.jobs.dicom_reading import read

# Every transfer syntax and form of pixels that pydicom's test files have, small ones.
FILES = (
    *("CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm"),
    *("MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "image_dfl.dcm"),
    *("emri_small.dcm", "emri_small_RLE.dcm", "emri_small_jpeg_2k_lossless.dcm"),
    *("emri_small_big_endian.dcm", "SC_rgb.dcm", "SC_rgb_small_odd.dcm", "SC_rgb_rle_2frame.dcm"),
    *("SC_ybr_full_422_uncompressed.dcm", "liver_nonbyte_aligned.dcm", "liver.dcm"),
    *("JPEG2000.dcm", "examples_palette.dcm", "SC_rgb_jpeg_dcmtk.dcm", "color-pl.dcm"),
)


@pytest.fixture(scope="module")
def odd(shared_data: Path) -> dict[str, Path]:
    return {path.name: path for path in (shared_data / "odd_files").rglob("*.dcm")}


def packed(text: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(text)))


def told(path: Path) -> dict[str, Any]:
    (one,) = read([str(path)], ["name"])
    return one


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_frames_are_found_where_they_lie(odd: dict[str, Path], name: str) -> None:
    path = odd[name]
    one, dataset = told(path), pydicom.dcmread(path)
    places = packed(one["frames"]) if one["frames"] else None
    syntax = dataset.file_meta.TransferSyntaxUID
    if places is None:  # they have to be made
        assert not syntax.is_compressed or syntax.is_deflated
        return
    count = int(dataset.get("NumberOfFrames") or 1)
    content = path.read_bytes()
    assert places["count"] == count
    if syntax.is_encapsulated:
        found = [
            b"".join(content[at : at + size] for at, size in place) for place in places["places"]
        ]
        assert found == list(generate_frames(dataset.PixelData, number_of_frames=count))
    else:
        size = places["bytes"]
        whole = content[places["offset"] : places["offset"] + count * size]
        assert whole == dataset.PixelData[: count * size]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_a_plain_file_has_the_same_pixels(odd: dict[str, Path], name: str, tmp_path: Path) -> None:
    path = odd[name]
    plain(str(path), str(tmp_path / "plain.dcm"))
    original, made = pydicom.dcmread(path), pydicom.dcmread(tmp_path / "plain.dcm")

    assert made.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert made.SOPInstanceUID == original.SOPInstanceUID
    np.testing.assert_array_equal(made.pixel_array, original.pixel_array)


@pytest.mark.parametrize("name", ["emri_small_RLE.dcm", "emri_small_big_endian.dcm"])
def test_frames_are_decoded_one_by_one(odd: dict[str, Path], name: str, tmp_path: Path) -> None:
    array = pydicom.dcmread(odd[name]).pixel_array
    files = frames(str(odd[name]), [10, 1], str(tmp_path))

    for file, frame in zip(files, (array[9], array[0]), strict=True):
        assert Path(file).read_bytes() == frame.astype(frame.dtype.newbyteorder("<")).tobytes()
    with pytest.raises(UnknownInstanceError, match="10 frames"):
        frames(str(odd[name]), [11], str(tmp_path))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_every_kind_of_picture_can_be_looked_at(
    odd: dict[str, Path], name: str, tmp_path: Path
) -> None:
    from PIL import Image as Picture

    dataset = pydicom.dcmread(odd[name], stop_before_pixels=True)
    render(str(odd[name]), 1, str(tmp_path / "picture"), "png")
    with Picture.open(tmp_path / "picture") as picture:
        colours = dataset.SamplesPerPixel > 1 or "Palette" in dir(dataset)
        assert picture.size == (dataset.Columns, dataset.Rows)
        assert picture.mode == ("RGB" if colours or "PALETTE" in dataset[0x00280004].value else "L")


def test_headers_hold_no_long_values_but_say_where_they_are(odd: dict[str, Path]) -> None:
    path = odd["examples_palette.dcm"]
    header, dataset = packed(told(path)["header"]), pydicom.dcmread(path)
    long = {tag: one["BulkDataURI"] for tag, one in header.items() if "BulkDataURI" in one}

    assert long["7FE00010"] == "@/bulkdata/7FE00010"
    for tag, address in long.items():
        assert len(dataset[int(tag, 16)].value) > 256, (tag, address)


def test_bulk_data_within_sequences_have_addresses(tmp_path: Path) -> None:
    dataset = pydicom.Dataset()
    inner = pydicom.Dataset()
    inner.add_new(0x00420011, "OB", bytes(range(256)) * 8)
    dataset.ReferencedImageSequence = [pydicom.Dataset(), inner]
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.3", "1.2.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.5", "1.2.6"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    path = tmp_path / "one.dcm"
    dataset.save_as(path, enforce_file_format=True)
    header = packed(told(path)["header"])
    address = header["00081140"]["Value"][1]["00420011"]["BulkDataURI"]

    assert address == "@/bulkdata/00081140/1/00420011"
    bulk(str(path), address.removeprefix("@/bulkdata/"), str(tmp_path / "value"))
    assert (tmp_path / "value").read_bytes() == bytes(range(256)) * 8
    with pytest.raises(UnknownInstanceError):
        bulk(str(path), "00081140/2/00420011", str(tmp_path / "value"))


def test_what_cannot_be_kept_has_its_reason(odd: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no DICOM")
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(odd["CT_small.dcm"].read_bytes()[:-2000])

    assert told(tmp_path / "text")["code"] == 0xC000
    assert told(cut)["reason"] == "its pixel data is cut short"
    assert told(cut)["instance"]
    assert told(odd["CT_small.dcm"])["size"] == odd["CT_small.dcm"].stat().st_size


def test_a_report_is_no_picture(odd: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(NotAcceptableError, match="no picture"):
        render(str(odd["test-SR.dcm"]), 1, str(tmp_path / "picture"), "png")


def test_no_real_file_breaks_the_reading(odd: dict[str, Path]) -> None:
    paths = [str(path) for name, path in sorted(odd.items())[::4]]
    for path, one in zip(paths, read(paths, paths), strict=True):
        assert ("code" in one) != ("header" in one), path
