"""Lossless JPEG: decoding undoes a plain encoder, for every predictor, precision and restart."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLossless, JPEGLosslessSV1

from delineate.errors import UnreadableFileError
from delineate.formats import read
from delineate.formats.dicom import Entry, jpeg_lossless, write_series
from delineate.formats.dicom.header import parse
from delineate.formats.dicom.pixels import read_samples
from delineate.imaging import Grid, Image

Samples = np.ndarray[Any, Any]


def guess(out: Samples, row: int, column: int, top: int, predictor: int, initial: int) -> int:
    """Prediction as Table H.1 of ITU-T T.81 has it."""
    if column == 0:
        return initial if row == top else int(out[row - 1, 0])
    a = int(out[row, column - 1])
    if row == top:
        return a
    b, c = int(out[row - 1, column]), int(out[row - 1, column - 1])
    table = (a, b, c, a + b - c, a + ((b - c) >> 1), b + ((a - c) >> 1), (a + b) >> 1)
    return table[predictor - 1]


def encode(samples: Samples, precision: int, predictor: int = 1, lines: int = 0) -> bytes:
    """Encode with one Huffman table of seventeen codes of five bits; a restart every ``lines``."""
    rows, columns = samples.shape
    text, chunks = "", []
    for row in range(rows):
        if lines and row and row % lines == 0:
            chunks.append(text)
            text = ""
        top = row - row % lines if lines else 0
        for column in range(columns):
            initial = 1 << (precision - 1)
            expected = guess(samples, row, column, top, predictor, initial)
            difference = (int(samples[row, column]) - expected) & 0xFFFF
            signed = difference - 65536 if difference > 32768 else difference
            size = abs(signed).bit_length()
            text += f"{size:05b}"
            if 0 < size < 16:
                bits = signed if signed > 0 else signed + (1 << size) - 1
                text += f"{bits:0{size}b}"
    chunks.append(text)
    body = b""
    for index, chunk in enumerate(chunks):
        padded = chunk + "1" * (-len(chunk) % 8)
        content = bytes(int(padded[k : k + 8], 2) for k in range(0, len(padded), 8))
        body += (bytes((0xFF, 0xD0 + (index - 1) % 8)) if index else b"") + content.replace(
            b"\xff", b"\xff\0"
        )
    counts = bytes(17 if length == 5 else 0 for length in range(1, 17))
    return b"".join(
        [
            b"\xff\xd8\xff\xc4\0\x24\0" + counts + bytes(range(17)),
            b"\xff\xc3\0\x0b" + bytes((precision,)) + rows.to_bytes(2, "big"),
            columns.to_bytes(2, "big") + b"\x01\x01\x11\0",
            b"\xff\xdd\0\x04" + (lines * columns).to_bytes(2, "big"),
            b"\xff\xda\0\x08\x01\x01\0" + bytes((predictor, 0, 0)) + body + b"\xff\xd9",
        ]
    )


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Samples, int]:
    precision = draw(st.integers(2, 16))
    shape = (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    values = st.integers(0, (1 << precision) - 1)
    return draw(hnp.arrays(np.uint16, shape, elements=values)), precision


@given(pictures(), st.integers(1, 7), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_decoding_gives_back_what_was_encoded(
    picture: tuple[Samples, int], predictor: int, lines: int
) -> None:
    samples, precision = picture

    decoded, found = jpeg_lossless.decode(
        encode(samples, precision, predictor, lines), *samples.shape
    )

    np.testing.assert_array_equal(decoded, samples)
    assert found == precision


@given(pictures(), st.data())
@settings(max_examples=60, deadline=None)
def test_a_changed_stream_is_decoded_or_refused_and_nothing_else(
    picture: tuple[Samples, int], data: st.DataObject
) -> None:
    samples, precision = picture
    stream = bytearray(encode(samples, precision, 4, 2))
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    del stream[data.draw(st.integers(1, len(stream))) :]

    try:
        decoded, _ = jpeg_lossless.decode(bytes(stream), *samples.shape)
    except ValueError:
        return
    assert decoded.shape == samples.shape


@given(pictures(), st.integers(1, 7), st.integers(0, 2))
@settings(max_examples=30, deadline=None)
def test_a_scan_that_goes_on_after_its_samples_is_refused(
    picture: tuple[Samples, int], predictor: int, lines: int
) -> None:
    samples, precision = picture
    stream = encode(samples, precision, predictor, lines)
    ends = [len(stream) - 2]
    if lines and samples.shape[0] > lines:
        ends.append(stream.index(b"\xff\xd0", stream.index(b"\xff\xda")))

    for end in ends:
        with pytest.raises(ValueError, match="broken"):
            jpeg_lossless.decode(stream[:end] + b"\x12" + stream[end:], *samples.shape)


def test_a_picture_by_hand() -> None:
    # precision 8, first row predicted from the left, the first sample from 128:
    #
    #     130 131      differences  +2 +1      codes 00010 10  00001 1
    #     129 129                   -1  0            00001 0   00000
    bits = "0001010" + "000011" + "000010" + "00000"
    body = int(bits, 2).to_bytes(3, "big")
    head = encode(np.zeros((2, 2), np.uint16), 8)[:-6]
    stream = head[: head.index(b"\xff\xda") + 10] + body + b"\xff\xd9"

    decoded, _ = jpeg_lossless.decode(stream, 2, 2)

    np.testing.assert_array_equal(decoded, [[130, 131], [129, 129]])


@pytest.mark.parametrize("signed", [True, False])
def test_a_series_packed_as_lossless_jpeg_is_read(tmp_path: Path, signed: bool) -> None:
    samples = np.random.default_rng(3).integers(-1024, 1023, (3, 9, 8)).astype(np.int16)
    image = Image(samples, Grid.regular((3, 9, 8), (2.5, 0.7, 0.8)), "CT")
    for index, path in enumerate(write_series(image, tmp_path)):
        dataset = pydicom.dcmread(path)
        bits = 12 if signed else 11
        stored = samples[index] & 0xFFF if signed else samples[index] + 1024
        dataset.PixelRepresentation = int(signed)
        dataset.RescaleIntercept = "0" if signed else "-1024"
        dataset.BitsStored, dataset.HighBit = bits, bits - 1
        dataset.PixelData = encapsulate([encode(stored.astype(np.uint16), bits, 1 + index)])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        dataset.save_as(path, enforce_file_format=True)

    assert read(tmp_path).content_hash == image.content_hash


@pytest.mark.parametrize("marker", [b"\xff\xc3", b"\xff\xda", b"\xff\xdd"])
def test_a_marker_cut_short_is_refused(marker: bytes) -> None:
    stream = encode(np.zeros((9, 8), np.uint16), 12, 1, 2)
    at = stream.index(marker)
    short = stream[: at + 2] + b"\0\4" + stream[at + 4 : at + 6] + stream[at + 13 :]
    flat = stream.replace(b"\x0c\0\x09\0\x08", b"\x0c\0\x09\0\0")

    for broken in (short, flat):
        with pytest.raises(ValueError):
            jpeg_lossless.decode(broken, 9, 8)


@pytest.mark.parametrize("size", [(8, 9), (65535, 65535)])
def test_a_stream_of_another_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="in its header"):
        jpeg_lossless.decode(encode(np.zeros((9, 8), np.uint16), 12), *size)


@pytest.mark.parametrize(
    "name", ["JPEG-LL.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm", "bad_sequence.dcm"]
)
def test_real_files_agree_with_simpleitk(shared_data: Path, name: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    path = shared_data / "odd_files/pydicom_data" / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))

    ours = read_samples(parse(Entry(path, name)))

    np.testing.assert_array_equal(ours, expected.reshape(ours.shape))


def test_a_broken_stream_names_its_slice(tmp_path: Path) -> None:
    image = Image(np.zeros((1, 9, 8), np.int16), Grid.regular((1, 9, 8)), "CT")
    (path,) = write_series(image, tmp_path)
    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate([encode(np.zeros((9, 8), np.uint16), 12)[:80]])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = JPEGLossless
    dataset.save_as(path, enforce_file_format=True)

    with pytest.raises(UnreadableFileError, match="slice 1 cannot be decoded from JPEG Lossless"):
        read(path)
