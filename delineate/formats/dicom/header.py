"""Read the header of one DICOM file into slices, and find where its pixels are."""

from __future__ import annotations

import math
import os
import re
import warnings
import zlib
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, Literal

from delineate.formats.dicom.frames import FrameValues, frame_values
from delineate.formats.dicom.slices import Entry, Slice

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["NotASlice", "is_dicom", "parse"]

_ORDERS: tuple[Literal["little", "big"], ...] = ("little", "big")
_PIXELS = 0x7FE00010
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, _PIXELS)
_DEFLATED = "1.2.840.10008.1.2.1.99"
_NATIVE = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    _DEFLATED,
    "1.2.840.113619.5.2",  # GE private: big endian pixels; refused later by its name
    "",
)
# Objects that have pixels but are no pictures of the patient, and what people call them.
_NOT_PICTURES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation (SEG)",
    "1.2.840.10008.5.1.4.1.1.66.7": "a segmentation (SEG)",
    "1.2.840.10008.5.1.4.1.1.481.2": "a radiotherapy dose (RTDOSE)",
    "1.2.840.10008.5.1.4.1.1.30": "a parametric map",
    "1.2.840.10008.5.1.4.1.1.77.1.6": "a microscopy slide",
}
_TAGS = (
    0x00080008,  # ImageType
    0x00080016,  # SOPClassUID
    0x00080018,  # SOPInstanceUID
    0x00080060,  # Modality
    0x0008103E,  # SeriesDescription
    0x00180050,  # SliceThickness
    0x00180086,  # EchoNumbers
    0x00180088,  # SpacingBetweenSlices
    0x00181210,  # ConvolutionKernel
    0x0020000D,  # StudyInstanceUID
    0x0020000E,  # SeriesInstanceUID
    0x00200012,  # AcquisitionNumber
    0x00200013,  # InstanceNumber
    0x00200032,  # ImagePositionPatient
    0x00200037,  # ImageOrientationPatient
    0x00200052,  # FrameOfReferenceUID
    0x00200100,  # TemporalPositionIdentifier
    0x00280002,  # SamplesPerPixel
    0x00280004,  # PhotometricInterpretation
    0x00280008,  # NumberOfFrames
    0x00280010,  # Rows
    0x00280011,  # Columns
    0x00280030,  # PixelSpacing
    0x00280100,  # BitsAllocated
    0x00280101,  # BitsStored
    0x00280103,  # PixelRepresentation
    0x00280120,  # PixelPaddingValue
    0x00280121,  # PixelPaddingRangeLimit
    0x00281052,  # RescaleIntercept
    0x00281053,  # RescaleSlope
    0x52009229,  # SharedFunctionalGroupsSequence
    0x52009230,  # PerFrameFunctionalGroupsSequence
)


class NotASlice(Exception):  # noqa: N818
    """The file holds no grey-scale slice; the message says what it is."""


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins with ``head`` (132 bytes or more) is DICOM.

    Files without preamble count if they begin with an element of group 2 or 8 that makes sense.
    """
    if head[128:132] == b"DICM":
        return True
    if len(head) < 16:
        return False
    for order in _ORDERS:
        group = int.from_bytes(head[:2], order)
        element = int.from_bytes(head[2:4], order)
        if group in (0x0002, 0x0008) and element < 0x1200:
            explicit = re.fullmatch(rb"UL|UI|CS|OB|SH|DA|TM|LO|SQ|DT", head[4:6]) is not None
            implicit = order == "little" and int.from_bytes(head[4:8], "little") <= 128
            if explicit or implicit:
                return True
    return False


def parse(entry: Entry) -> tuple[Slice, ...]:
    """Slices of a DICOM file, without reading its pixels.

    Raises
    ------
    NotASlice
        For everything else: reports, contours, colour pictures, text, broken headers.
    """
    import pydicom.filereader
    from pydicom.tag import Tag

    found: list[tuple[int, int, int]] = []
    with warnings.catch_warnings(), entry.path.open("rb") as file:
        warnings.simplefilter("ignore")

        def at_pixels(tag: int, vr: str | None, length: int) -> bool:
            if tag in _PIXEL_TAGS:
                found.append((int(tag), file.tell(), length))
            return tag >= 0x7FE00008

        try:
            _demand_bounded_deflate(file)
            dataset = pydicom.filereader.read_partial(
                file,
                stop_when=at_pixels,
                force=True,
                specific_tags=[Tag(tag) for tag in _TAGS],
            )
            return _slices(entry, file, dataset, found)
        except NotASlice:
            raise
        except Exception as error:  # pydicom raises anything on broken files
            # Its message may quote the file, patient included: only its kind is passed on.
            raise NotASlice(
                f"its DICOM header cannot be read ({type(error).__name__}); the file is broken"
            ) from None


def _demand_bounded_deflate(file: IO[bytes]) -> None:
    """A deflated file is inflated as a whole by pydicom; see first that it ends somewhere."""
    head = file.read(2048)
    file.seek(0)
    if _DEFLATED.encode() + b"\0" not in head or head[132:136] != b"\x02\0\0\0":
        return
    file.seek(144 + int.from_bytes(head[140:144], "little"))
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while not inflater.eof and (chunk := inflater.unconsumed_tail or file.read(65536)):
        total += len(inflater.decompress(chunk, 1 << 20))
        if total > _MAX_INFLATED:
            raise NotASlice(f"it inflates to more than {_MAX_INFLATED >> 20} MiB")
    file.seek(0)


def _slices(
    entry: Entry, file: IO[bytes], dataset: Dataset, found: list[tuple[int, int, int]]
) -> tuple[Slice, ...]:
    meta = dataset.file_meta
    syntax = str(meta.get("TransferSyntaxUID", "") or "")
    header = _Header(dataset)
    sop_class = header.text(0x00080016) or str(meta.get("MediaStorageSOPClassUID", "") or "")
    modality = header.text(0x00080060) or "unknown"
    rows, columns = header.integer(0x00280010), header.integer(0x00280011)
    _demand_picture(sop_class, modality, header, bool(found))
    if found and found[0][0] != _PIXELS:
        raise NotASlice("its pixels are floating-point numbers (a parametric map)")
    if not syntax:
        syntax = _guess_syntax(dataset)
    frames = max(1, header.integer(0x00280008) or 1)
    groups = frame_values(dataset, frames)
    offset, length = (found[0][1], found[0][2]) if found else (0, 0)
    if length == 0xFFFFFFFF:
        length = -1
    allocated = header.integer(0x00280100) or 16
    stored = header.integer(0x00280101) or allocated
    fault = _fault(header, syntax, rows, columns, allocated, stored, frames, bool(found))
    if not fault[0]:
        size = os.fstat(file.fileno()).st_size
        expected = rows * columns * frames * allocated // 8
        fault = _cut_short(file, size, syntax, offset, length, expected)
    if syntax == _DEFLATED:
        offset = length = 0
    signed = bool(header.integer(0x00280103))
    kinds = (
        header.text(0x00200012),
        header.text(0x00200100),
        header.text(0x00180086),
        header.text(0x00181210),
        header.text(0x00080008),
    )
    shared = FrameValues(
        position=header.triple(0x00200032),
        orientation=_six(header.numbers(0x00200037)),
        spacing=_pair(header.numbers(0x00280030)),
        step=_step(header),
        slope=header.number(0x00281053, 1.0),
        intercept=header.number(0x00281052, 0.0),
    )
    padding = header.padding(signed, stored)
    return tuple(
        Slice(
            entry=entry,
            frame=frame,
            frames=frames,
            study_uid=header.text(0x0020000D),
            series_uid=header.text(0x0020000E),
            sop_class_uid=sop_class,
            sop_instance_uid=header.text(0x00080018),
            frame_of_reference_uid=header.text(0x00200052),
            transfer_syntax=syntax,
            modality=modality,
            description=header.text(0x0008103E),
            image_type=tuple(header.text(0x00080008).split("\\")),
            number=header.whole(0x00200013),
            acquisition=kinds + group.acquisition,
            rows=rows,
            columns=columns,
            position=group.position,
            orientation=group.orientation,
            spacing=group.spacing,
            step=group.step,
            slope=1.0 if group.slope is None else group.slope,
            intercept=group.intercept or 0.0,
            photometric=header.text(0x00280004),
            bits_allocated=allocated,
            bits_stored=stored,
            signed=signed,
            padding=padding,
            offset=offset,
            length=length,
            fault=fault,
        )
        for frame in range(frames)
        for group in (groups[frame].over(shared) if groups else shared,)
    )


def _demand_picture(sop_class: str, modality: str, header: _Header, has_pixels: bool) -> None:
    if sop_class in _NOT_PICTURES:
        raise NotASlice(f"{_NOT_PICTURES[sop_class]}, not an image")
    if not has_pixels and not (header.integer(0x00280010) and _is_image_class(sop_class)):
        if sop_class == "1.2.840.10008.1.3.10":
            raise NotASlice("a DICOMDIR, an index of other files")
        kind = modality if modality != "unknown" else "an unknown kind"
        raise NotASlice(f"a DICOM object without pixels ({kind})")
    samples = header.integer(0x00280002) or 1
    photometric = header.text(0x00280004)
    if samples != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2", ""):
        colour = photometric or f"{samples} samples a pixel"
        raise NotASlice(f"a colour picture ({colour}), not a grey-scale slice")


def _is_image_class(sop_class: str) -> bool:
    """CT, MR, PET images and their enhanced forms: these have pixels unless they were cut off."""
    return sop_class.startswith(
        ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128")
    ) and not sop_class.startswith("1.2.840.10008.5.1.4.1.1.481")


def _guess_syntax(dataset: Dataset) -> str:
    implicit, little = dataset.original_encoding
    if implicit:
        return "1.2.840.10008.1.2"
    return "1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2"


def _fault(
    header: _Header,
    syntax: str,
    rows: int,
    columns: int,
    allocated: int,
    stored: int,
    frames: int,
    has_pixels: bool,
) -> tuple[str, str]:
    if not has_pixels:
        return "truncated", "ends before its pixels"
    if rows < 1 or columns < 1 or frames > 100_000:
        return "unreadable", f"claims {rows} rows, {columns} columns and {frames} frames"
    if allocated not in (8, 16, 32) or not 1 <= stored <= allocated:
        return "unreadable", f"stores {stored} of {allocated} bits; 8, 16 and 32 are read"
    slope, intercept = header.number(0x00281053, 1.0), header.number(0x00281052, 0.0)
    if not (math.isfinite(slope) and math.isfinite(intercept)) or slope == 0:
        return "unreadable", "has a rescale slope or intercept that is no number, or zero"
    return "", ""


def _cut_short(
    file: IO[bytes], size: int, syntax: str, offset: int, length: int, expected: int
) -> tuple[str, str]:
    """Whether the pixels that the header promises cannot all be in the file."""
    if syntax == _DEFLATED:
        return "", ""
    if syntax in _NATIVE:
        present = min(length, size - offset) if length >= 0 else size - offset
        if present < expected:
            return "truncated", f"holds {present} of {expected} bytes of pixels"
        return "", ""
    if length >= 0:
        return "", ""  # encapsulated in a defined length: seen in old files, the decoder will tell
    position, payload = offset, 0
    while position + 8 <= size:
        file.seek(position)
        head = file.read(8)
        if head[:4] != b"\xfe\xff\x00\xe0":
            break
        item = int.from_bytes(head[4:], "little")
        if position + 8 + item > size:
            return "truncated", f"ends {position + 8 + item - size} bytes before its pixels do"
        position, payload = position + 8 + item, payload + item
    if payload == 0:
        return "truncated", "holds no compressed pixels"
    if expected > _MAX_RATIO * payload:
        return "truncated", f"holds {payload} bytes of compressed pixels for {expected}"
    return "", ""


_MAX_INFLATED = 512 << 20
# An empty picture of 65535 x 65535 compresses this well in no format used for CT.
_MAX_RATIO = 20_000


class _Header:
    """Values of a dataset, decoded here: tolerant of wrong VRs, and much quicker than pydicom."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def _raw(self, tag: int) -> tuple[Any, str, bool]:
        if tag not in self._dataset:
            return b"", "", True
        element = self._dataset.get_item(tag)
        value = element.value
        little = bool(getattr(element, "is_little_endian", True))
        return (b"" if value is None else value), str(element.VR or ""), little

    def text(self, tag: int) -> str:
        value, _, _ = self._raw(tag)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace").strip(" \0")
        if isinstance(value, Iterable) and not isinstance(value, str):
            return "\\".join(str(part) for part in value)
        return str(value).strip(" \0")

    def integer(self, tag: int) -> int:
        value, vr, little = self._raw(tag)
        if isinstance(value, bytes) and vr not in ("IS", "DS") and tag != 0x00280008:
            return int.from_bytes(value[:4], "little" if little else "big")
        return self.whole(tag) or 0

    def whole(self, tag: int) -> int | None:
        match = re.match(r"\s*([+-]?\d{1,9})", self.text(tag))
        return int(match[1]) if match else None

    def numbers(self, tag: int) -> tuple[float, ...]:
        return _floats(self.text(tag))

    def number(self, tag: int, default: float) -> float:
        text = self.text(tag)
        if not text:
            return default
        values = _floats(text)
        return values[0] if values else math.nan

    def triple(self, tag: int) -> tuple[float, float, float] | None:
        values = self.numbers(tag)
        return (values[0], values[1], values[2]) if len(values) == 3 else None

    def padding(self, signed: bool, stored: int) -> tuple[int, int] | None:
        """Lowest and highest padding value as stored; a wrong VR (US for SS) does not matter."""
        ends = []
        for tag in (0x00280120, 0x00280121):
            value, vr, little = self._raw(tag)
            if isinstance(value, bytes) and len(value) >= 2 and vr not in ("IS", "DS"):
                number = int.from_bytes(value[:2], "little" if little else "big")
                ends.append(number - 65536 if signed and number >= 32768 else number)
        return (min(ends), max(ends)) if ends else None


def _floats(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part.replace(",", ".")) for part in text.split("\\"))
    except ValueError:
        return ()
    return values if all(math.isfinite(value) for value in values) else ()


def _six(values: tuple[float, ...]) -> tuple[float, ...] | None:
    return values if len(values) == 6 else None


def _pair(values: tuple[float, ...]) -> tuple[float, float] | None:
    if len(values) != 2 or min(values) <= 0:
        return None
    return values[0], values[1]


def _step(header: _Header) -> float | None:
    for tag in (0x00180088, 0x00180050):
        value = abs(header.number(tag, 0.0))
        if math.isfinite(value) and value > 0:
            return value
    return None
