"""Compressed frames: what decodes, that it decodes exactly, and what is refused."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from delineate.errors import UnreadableFileError
from delineate.formats import read
from delineate.formats.dicom import Entry, write_series
from delineate.formats.dicom.codecs import COMPRESSED, Layout, decode
from delineate.formats.dicom.header import NotASlice, parse
from delineate.formats.dicom.pixels import read_samples, unsupported
from delineate.imaging import Grid, Image
from tests.conftest import SHARED_DATA

Samples = np.ndarray[Any, Any]
JPEG = "1.2.840.10008.1.2.4."


def rle(samples: Samples) -> bytes:
    """PackBits of each byte of the samples, the highest first, each row by itself."""
    width = samples.dtype.itemsize
    cells = samples.view(np.uint8).reshape(*samples.shape, width)
    planes = [
        imagecodecs.packbits_encode(cells[..., k].copy(), axis=-1) for k in reversed(range(width))
    ]
    planes = [plane + b"\0" * (len(plane) % 2) for plane in planes]
    ends = np.cumsum([64, *map(len, planes)])
    header = np.zeros(16, "<u4")
    header[0], header[1 : width + 1] = width, ends[:-1]
    return header.tobytes() + b"".join(planes)


def deflate(samples: Samples) -> bytes:
    return zlib.compress(samples.tobytes(), wbits=-zlib.MAX_WBITS)


def unsigned(samples: Samples) -> Samples:
    return samples.view(f"u{samples.dtype.itemsize}")


LOSSLESS: dict[str, tuple[str, Callable[[Samples], bytes]]] = {
    "plain": ("1.2.840.10008.1.2.1.98", lambda x: x.tobytes()),
    "deflated": ("1.2.840.10008.1.2.8.1", deflate),
    "rle": ("1.2.840.10008.1.2.5", rle),
    "jpeg_2000": (
        JPEG + "90",
        lambda x: imagecodecs.jpeg2k_encode(x, level=0, reversible=True, codecformat="j2k"),
    ),
    "jp2": (
        JPEG + "91",
        lambda x: imagecodecs.jpeg2k_encode(x, level=0, reversible=True, codecformat="jp2"),
    ),
    "htj2k": (JPEG + "201", lambda x: imagecodecs.htj2k_encode(x, reversible=True)),
    "jpeg_ls": (JPEG + "80", lambda x: imagecodecs.jpegls_encode(unsigned(x))),
    "jpeg_lossless": (
        JPEG + "57",
        lambda x: imagecodecs.jpeg8_encode(
            unsigned(x), lossless=True, predictor=5, bitspersample=8 * x.dtype.itemsize
        ),
    ),
}
WIDE = ("plain", "deflated", "rle")


@st.composite
def frames(draw: st.DrawFn, name: str) -> Samples:
    kinds = ["u1", "i1", "u2", "i2", *(["u4", "i4"] if name in WIDE else [])]
    shape = (draw(st.integers(5, 40)), draw(st.integers(5, 40)))
    smooth = draw(st.booleans())
    kind = np.dtype(draw(st.sampled_from(kinds)))
    if smooth:
        start, step = draw(st.integers(0, 100)), draw(st.integers(0, 3))
        return (start + step * np.add.outer(*map(np.arange, shape))).astype(kind)
    return draw(hnp.arrays(kind, shape))


@pytest.mark.parametrize("name", LOSSLESS)
def test_decoding_gives_back_what_was_encoded(name: str) -> None:
    syntax, encode = LOSSLESS[name]

    @given(frames(name))
    @settings(max_examples=25, deadline=None)
    def law(samples: Samples) -> None:
        layout = Layout(*samples.shape, samples.dtype.itemsize * 8, samples.dtype.kind == "i")
        np.testing.assert_array_equal(decode(encode(samples), syntax, layout), samples)

    law()


@pytest.mark.parametrize(
    ("syntax", "bits"),
    [
        *itertools.product((JPEG2000Lossless, JPEGLSLossless), (5, 8, 12, 15)),
        (RLELossless, 12),
        (RLELossless, 15),
    ],
)
def test_few_bits_with_a_sign_as_pydicom_packs_them(tmp_path: Path, syntax: str, bits: int) -> None:
    half = 1 << (bits - 1)
    samples = np.random.default_rng(bits).integers(-half, half, (40, 36)).astype(np.int16)
    path = series(tmp_path, samples, "1.2.840.10008.1.2.1", samples.tobytes(), bits)
    dataset = pydicom.dcmread(path)
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(path)

    np.testing.assert_array_equal(read(path).array[0], samples)


@given(
    st.sampled_from(("u1", "i1", "u2", "i2", "u4", "i4")),
    st.sampled_from((1.0, -1.0, 2.0, 0.5, 0.001)),
    st.sampled_from((0.0, -1024.0, 40000.0, 0.25)),
    st.sampled_from(("native", "rle")),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_samples_are_what_the_rescale_makes_of_them(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    slope: float,
    intercept: float,
    how: str,
    data: st.DataObject,
) -> None:
    stored = data.draw(hnp.arrays(kind, (5, 6)))
    bits = stored.dtype.itemsize * 8
    syntax, pixels = "1.2.840.10008.1.2.1", stored.tobytes()
    if how == "rle":
        syntax, pixels = LOSSLESS["rle"][0], encapsulate([rle(stored)])
    given = {"RescaleSlope": str(slope), "RescaleIntercept": str(intercept), "Modality": "MR"}
    path = series(tmp_path_factory.mktemp("rescale"), stored, syntax, pixels, bits, **given)

    ours = read(path).array[0]

    exact = stored.astype(np.float64) * slope + intercept
    whole = slope.is_integer() and intercept.is_integer()
    fits = whole and exact.min() >= -32768 and exact.max() <= 32767
    assert ours.dtype == (np.int16 if fits else np.float32)
    np.testing.assert_array_equal(ours, exact.astype(ours.dtype))


@pytest.mark.parametrize(("bits", "syntax"), [(8, "50"), (8, "51"), (12, "51")])
def test_lossy_jpeg_decodes_as_gdcm_does(tmp_path: Path, bits: int, syntax: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(bits)
    ramp = np.hypot(*np.mgrid[-40:40, -36:37]) * (1 << bits) / 60
    kind = np.uint8 if bits == 8 else np.uint16
    stored = np.clip(ramp + rng.normal(0, 5, ramp.shape), 0, (1 << bits) - 1).astype(kind)
    stream = imagecodecs.jpeg8_encode(stored, level=80, bitspersample=bits)
    path = series(tmp_path, stored, JPEG + syntax, encapsulate([stream]), bits)

    ours = read(path).array
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))

    np.testing.assert_array_equal(ours, theirs)
    assert 0 < np.abs(ours[0].astype(int) - stored).max() < (1 << bits) // 8


def series(
    folder: Path, stored: Samples, syntax: str, pixels: bytes, bits: int, **elements: Any
) -> Path:
    """One slice of unsigned samples, written as they are told."""
    image = Image(np.zeros((1, *stored.shape), np.int16), Grid.regular((1, *stored.shape)), "CT")
    (path,) = write_series(image, folder)
    dataset = pydicom.dcmread(path)
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.BitsAllocated = stored.dtype.itemsize * 8
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelData = pixels
    dataset["PixelData"].VR = "OB"
    later = syntax == LOSSLESS["deflated"][0]  # pydicom does not know it yet
    dataset.file_meta.TransferSyntaxUID = LOSSLESS["plain"][0] if later else syntax
    for name, value in elements.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    if later:
        plain, deflated = LOSSLESS["plain"][0].encode(), syntax.encode() + b"\0"
        path.write_bytes(path.read_bytes().replace(plain, deflated, 1))
    return path


@pytest.mark.parametrize("name", ["rle", "deflated", "plain"])
def test_bits_beyond_those_stored_are_cleared(tmp_path: Path, name: str) -> None:
    stored = np.arange(48, dtype=np.uint16).reshape(6, 8) * 37
    overlaid = stored | np.uint16(0xA000)
    syntax, encode = LOSSLESS[name]
    path = series(tmp_path, overlaid, syntax, encapsulate([encode(overlaid)]), 12)

    np.testing.assert_array_equal(read(path).array[0], stored)


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("fragments", [1, 2])
def test_frames_of_one_file_come_in_their_places(tmp_path: Path, name: str, fragments: int) -> None:
    samples = np.random.default_rng(5).integers(0, 4000, (4, 24, 20)).astype(np.uint16)
    syntax, encode = LOSSLESS[name]
    streams = [encode(one) for one in samples]
    pixels = encapsulate(streams, fragments_per_frame=fragments)
    path = series(tmp_path, samples[0], syntax, pixels, 16, NumberOfFrames=4)

    found = parse(Entry(path, path.name))

    np.testing.assert_array_equal(read_samples(found), samples)
    np.testing.assert_array_equal(read_samples(found[::-1]), samples[::-1])
    np.testing.assert_array_equal(read_samples(found[2:3]), samples[2:3])


def test_a_file_with_fewer_frames_than_it_says_is_refused(tmp_path: Path) -> None:
    samples = np.zeros((24, 20), np.uint16)
    stream = LOSSLESS["jpeg_ls"][1](samples)
    path = series(tmp_path, samples, JPEG + "80", encapsulate([stream] * 3), 16, NumberOfFrames=4)

    with pytest.raises(UnreadableFileError, match="4 frames of which 3 are found"):
        read_samples(parse(Entry(path, path.name)))


@pytest.mark.parametrize("name", ["jpeg_2000", "htj2k", "jpeg_ls", "jpeg_lossless", "rle"])
def test_a_stream_cut_short_is_refused(name: str) -> None:
    samples = np.random.default_rng(1).integers(0, 4000, (40, 36)).astype(np.uint16)
    syntax, encode = LOSSLESS[name]
    stream = encode(samples)

    for end in range(2, len(stream) - 9, 61):
        with pytest.raises((ValueError, RuntimeError, IndexError)):
            decode(stream[:end], syntax, Layout(40, 36, 16, False))


@pytest.mark.parametrize("bits", [8, 12])
def test_a_lossy_jpeg_cut_short_is_refused(bits: int) -> None:
    samples = np.random.default_rng(1).integers(0, 255, (40, 36))
    stream = imagecodecs.jpeg8_encode(
        samples.astype(np.uint8 if bits == 8 else np.uint16), bitspersample=bits
    )

    for end in range(2, len(stream) - 2, 7):
        with pytest.raises((ValueError, RuntimeError)):
            decode(stream[:end], JPEG + "51", Layout(40, 36, 16, False))


def test_a_tile_that_is_missing_is_refused() -> None:
    samples = np.random.default_rng(1).integers(0, 4000, (64, 64)).astype(np.uint16)
    stream = imagecodecs.htj2k_encode(samples, reversible=True, tile=(32, 32))
    layout = Layout(64, 64, 16, False)
    np.testing.assert_array_equal(decode(stream, JPEG + "201", layout), samples)
    last = stream.rindex(b"\xff\x90\x00\x0a")

    with pytest.raises(ValueError, match="expected 4 tiles, got 3"):
        decode(stream[:last] + b"\xff\xd9", JPEG + "201", layout)


@pytest.mark.parametrize("syntax", sorted(COMPRESSED))
@pytest.mark.parametrize("stream", [b"", b"\xff\xd8", bytes(200), b"\xff\x4f\xff\x51" + bytes(60)])
def test_what_is_no_stream_is_refused(syntax: str, stream: bytes) -> None:
    with pytest.raises((ValueError, RuntimeError, zlib.error)):
        decode(stream, syntax, Layout(20, 24, 16, False))


@pytest.mark.parametrize("other", [(40, 36, 8), (36, 40, 16), (41, 36, 16)])
@pytest.mark.parametrize("name", ["jpeg_2000", "htj2k", "jpeg_ls", "jpeg_lossless"])
def test_a_stream_of_another_size_or_depth_is_refused(
    name: str, other: tuple[int, int, int]
) -> None:
    syntax, encode = LOSSLESS[name]
    stream = encode(np.full((40, 36), 3000, np.uint16))

    with pytest.raises(ValueError, match=r"at most 8 bits|in its header and 40 x 36"):
        decode(stream, syntax, Layout(*other, False))


def test_colour_in_a_grey_file_is_refused() -> None:
    stream = imagecodecs.jpeg8_encode(np.zeros((16, 16, 3), np.uint8))

    with pytest.raises(ValueError, match="expected one component, got 3"):
        decode(stream, JPEG + "50", Layout(16, 16, 8, False))


@pytest.mark.parametrize(
    "syntax", [JPEG + "100", JPEG + "108", JPEG + "94", JPEG + "110", JPEG + "55", "1.2.3"]
)
def test_other_transfer_syntaxes_are_refused_by_name(syntax: str) -> None:
    assert syntax in unsupported(syntax)
    assert "is not read" in unsupported(syntax)


# --- real files ---------------------------------------------------------------------------------

# Grey pictures that are not read, with what is said.
REFUSED = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "in its compressed pixels",
    "MR_truncated.dcm": "8130 of 8192 bytes",
    "meta_missing_tsyntax.dcm": "claims 0 rows",
    "nested_priv_SQ.dcm": "claims 0 rows",
    "priv_SQ.dcm": "without pixels",
}
# Neither pydicom nor GDCM decodes it; another file holds the same samples.
SAME_AS = {"emri_small_jpeg_2k_lossless_too_short.dcm": "emri_small.dcm"}
OF_PYDICOM = sorted(
    path.relative_to(SHARED_DATA).as_posix()
    for folder in ("pydicom_data", "pydicom_test_files", "pydicom_charset_files")
    for path in (SHARED_DATA / "odd_files" / folder).glob("*.dcm")
)


def theirs(path: Path) -> list[Samples]:
    """Samples after rescale or table, as pydicom and as GDCM (which knows no table) have them."""
    import SimpleITK as sitk  # noqa: N813

    found: list[Samples] = []
    dataset = pydicom.dcmread(path, force=True)
    with contextlib.suppress(Exception):  # it has no decoder, or finds no rows
        found.append(np.asarray(apply_modality_lut(dataset.pixel_array, dataset)))
    if "ModalityLUTSequence" not in dataset:
        sitk.ProcessObject.SetGlobalWarningDisplay(False)
        with contextlib.suppress(Exception):
            found.append(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OF_PYDICOM)
def test_every_grey_picture_of_pydicom_is_decoded_or_refused(shared_data: Path, name: str) -> None:
    path = shared_data / name
    try:
        slices = parse(Entry(path, path.name))
        slices = tuple(replace(one, padding=None) for one in slices)  # the others keep it
        ours = None if slices[0].fault[0] else read_samples(slices)
        said = slices[0].fault[1]
    except (NotASlice, UnreadableFileError) as reason:
        ours, said = None, str(reason)
    if ours is None:
        dataset = pydicom.dcmread(path, force=True)
        grey = "MONOCHROME" in str(dataset.get("PhotometricInterpretation", "MONOCHROME"))
        picture = "PixelData" in dataset and dataset.get("Modality") not in ("SEG", "RTDOSE")
        assert path.name in REFUSED or not (grey and picture)
        assert REFUSED.get(path.name, "") in said
        return
    assert path.name not in REFUSED

    expected = theirs(path.with_name(SAME_AS.get(path.name, path.name)))

    shapes = [one.reshape(ours.shape) for one in expected if one.size == ours.size]
    assert any(np.array_equal(ours, one.astype(ours.dtype)) for one in shapes)


# --- Modality LUT -------------------------------------------------------------------------------


def table(first: int, entries: Any, bits: int, kind: str) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries), first, bits])
    item.ModalityLUTType = kind
    item.add_new("LUTData", "OW", np.asarray(entries, "<u2").tobytes())
    return item


def with_table(folder: Path, stored: Samples, item: Dataset, **elements: Any) -> Path:
    settings = {"RescaleSlope": None, "RescaleIntercept": None, "RescaleType": None}
    settings |= {"ModalityLUTSequence": [item]} | elements
    return series(folder, stored, "1.2.840.10008.1.2.1", stored.tobytes(), 12, **settings)


def test_a_table_by_hand(tmp_path: Path) -> None:
    # Stored 4, 5, 6 become 100, 300, 200; what is below becomes the first, above the last.
    stored = np.asarray([[0, 4], [5, 6], [7, 4095]], np.uint16)
    path = with_table(tmp_path, stored, table(4, [100, 300, 200], 16, "HU"))

    image = read(path)

    np.testing.assert_array_equal(image.array[0], [[100, 100], [300, 200], [200, 200]])
    assert (image.modality, image.array.dtype) == ("CT", np.int16)


@given(
    hnp.arrays(np.int16, (4, 6), elements=st.integers(-2048, 2047)),
    st.integers(-40, 40),
    st.lists(st.integers(0, 65535), min_size=1, max_size=60),
)
@settings(max_examples=30, deadline=None)
def test_a_table_maps_as_pydicom_maps(
    tmp_path_factory: pytest.TempPathFactory, stored: Samples, first: int, entries: list[int]
) -> None:
    item = table(first, entries, 16, "US")
    path = with_table(tmp_path_factory.mktemp("table"), stored, item, Modality="MR")
    if first >= 0:
        item["LUTDescriptor"].VR = "US"

    ours = read(path).array

    dataset = pydicom.dcmread(path)
    np.testing.assert_array_equal(ours[0], apply_modality_lut(dataset.pixel_array, dataset))
    assert ours.dtype == (np.int16 if ours.max() <= 32767 else np.float32)


def test_entries_of_eight_bits_lie_two_in_a_word(tmp_path: Path) -> None:
    stored = np.asarray([[0, 1], [2, 3]], np.uint16)
    item = table(0, [0, 0, 0], 8, "HU")
    item.add_new("LUTData", "OW", bytes((7, 200, 9, 0)))

    image = read(with_table(tmp_path, stored, item))

    np.testing.assert_array_equal(image.array[0], [[7, 200], [9, 9]])


@pytest.mark.parametrize(
    ("item", "elements", "reason"),
    [
        (table(0, [1, 2], 16, "OD"), {}, "Modality LUT to OD, not to Hounsfield units"),
        (table(0, [1, 2], 16, "US"), {}, "Modality LUT to US, not to Hounsfield units"),
        (table(0, [1, 999], 8, "HU"), {}, "Modality LUT that contradicts itself"),
        (
            table(0, [1, 2], 16, "HU"),
            {"RescaleSlope": "1", "RescaleIntercept": "-1024"},
            "a rescale and a Modality LUT",
        ),
    ],
)
def test_tables_that_may_mean_another_thing_are_refused(
    tmp_path: Path, item: Dataset, elements: dict[str, Any], reason: str
) -> None:
    path = with_table(tmp_path, np.zeros((4, 4), np.uint16), item, **elements)

    with pytest.raises(UnreadableFileError, match=reason):
        read(path)


# --- broken streams -----------------------------------------------------------------------------

_CHILD = """
import random, signal, sys
from delineate.formats.dicom.codecs import Layout, decode
syntax, bits, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
stream = sys.stdin.buffer.read()
chance, layout, decoded = random.Random(syntax), Layout(40, 36, bits, False), 0
decode(stream, syntax, layout)
for _ in range(count):
    broken = bytearray(stream)
    reach = len(broken) if chance.random() < 0.5 else min(len(broken), 120)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at, how = min(chance.randrange(reach), len(broken) - 1), chance.random()
        if how < 0.7:
            broken[at] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        elif how < 0.8:
            del broken[at : at + chance.randrange(1, 9)]
        elif how < 0.9:
            broken[at:at] = chance.randbytes(chance.randrange(1, 9))
        else:
            del broken[chance.randrange(1, len(broken)) :]
        if len(broken) < 2:
            break
    signal.alarm(5)  # ends the process, wherever it hangs
    try:
        assert decode(bytes(broken), syntax, layout).shape == (40, 36)
        decoded += 1
    except AssertionError:
        raise
    except Exception:
        pass
    signal.alarm(0)
print(decoded)
"""


@pytest.mark.skipif(not hasattr(__import__("signal"), "alarm"), reason="needs POSIX signals")
@pytest.mark.parametrize("name", [*LOSSLESS, "near_lossless", "lossy_2000", "jpeg_8", "jpeg_12"])
def test_a_broken_stream_is_decoded_or_refused_and_nothing_else(name: str) -> None:
    ramp = np.hypot(*np.mgrid[-20:20, -18:18]) * 20 + np.random.default_rng(0).normal(
        0, 9, (40, 36)
    )
    samples = ramp.astype(np.uint16)
    more = {
        "near_lossless": (JPEG + "81", lambda x: imagecodecs.jpegls_encode(x, level=3)),
        "lossy_2000": (
            JPEG + "91",
            lambda x: imagecodecs.jpeg2k_encode(x, level=30, codecformat="j2k"),
        ),
        "jpeg_8": (JPEG + "50", lambda x: imagecodecs.jpeg8_encode((x // 4).astype(np.uint8))),
        "jpeg_12": (JPEG + "51", lambda x: imagecodecs.jpeg8_encode(x, bitspersample=12)),
    }
    syntax, encode = (LOSSLESS | more)[name]

    ended = subprocess.run(
        [sys.executable, "-c", _CHILD, syntax, "8" if name == "jpeg_8" else "16", "300"],
        input=encode(samples),
        capture_output=True,
        timeout=120,
    )

    assert ended.returncode == 0, ended.stderr.decode()[-2000:]
    assert int(ended.stdout) < 300
