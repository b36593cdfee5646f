"""Read the header of one DICOM file into slices, and find where its pixels are."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import IO, Literal

from delineate.formats.dicom.elements import Elements, TooMuch, read_elements
from delineate.formats.dicom.faults import cut_short, fault_of, no_hounsfield
from delineate.formats.dicom.frames import FrameValues, frame_values
from delineate.formats.dicom.modality_lut import read_table, table_fault
from delineate.formats.dicom.slices import Entry, Slice
from delineate.formats.dicom.values import Header

__all__ = ["NotASlice", "is_dicom", "parse"]

_ORDERS: tuple[Literal["little", "big"], ...] = ("little", "big")
_PIXELS = 0x7FE00010
# What tells phases with the same positions apart.
_PHASES = (
    0x00200012,  # AcquisitionNumber
    0x00200100,  # TemporalPositionIdentifier
    0x00180086,  # EchoNumbers
    0x00181210,  # ConvolutionKernel
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
    0x00280102,  # HighBit
    0x00280103,  # PixelRepresentation
    0x00280120,  # PixelPaddingValue
    0x00280121,  # PixelPaddingRangeLimit
    0x00281052,  # RescaleIntercept
    0x00281053,  # RescaleSlope
    0x00281054,  # RescaleType
    0x00283000,  # ModalityLUTSequence
    0x52009229,  # SharedFunctionalGroupsSequence
    0x52009230,  # PerFrameFunctionalGroupsSequence
)


class NotASlice(Exception):
    """The file holds no grey-scale slice; the message says what it is.

    ``broken`` if that cannot be known, so that it may have been a slice.
    """

    def __init__(self, message: str, *, broken: bool = False) -> None:
        super().__init__(message)
        self.broken = broken


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
    with entry.path.open("rb") as file:
        try:
            return _slices(entry, file, read_elements(file, _TAGS))
        except NotASlice:
            raise
        except TooMuch as error:
            raise NotASlice(f"it {error}") from None
        except Exception as error:  # pydicom raises anything on broken files
            # Its message may quote the file, patient included: only its kind is passed on.
            raise NotASlice(
                f"its DICOM header cannot be read ({type(error).__name__}); the file is broken",
                broken=True,
            ) from None


def _slices(entry: Entry, file: IO[bytes], elements: Elements) -> tuple[Slice, ...]:
    header = Header(elements)
    syntax, length = elements.syntax, elements.length
    sop_class = header.text(0x00080016) or elements.media_class
    modality = header.text(0x00080060) or "unknown"
    rows, columns = header.integer(0x00280010), header.integer(0x00280011)
    _demand_picture(sop_class, modality, header, elements.pixels != 0)
    if elements.pixels not in (0, _PIXELS):
        raise NotASlice("its pixels are floating-point numbers (a parametric map)")
    frames = max(1, header.integer(0x00280008) or 1)
    allocated = header.integer(0x00280100) or 16
    stored = header.integer(0x00280101) or allocated
    fault = fault_of(header, syntax, rows, columns, allocated, stored, frames, elements.pixels != 0)
    if fault[0]:
        frames = 1
    else:
        size = os.fstat(file.fileno()).st_size
        expected = rows * columns * frames * allocated // 8
        fault = cut_short(file, size, syntax, elements.offset, length, expected)
    signed = bool(header.integer(0x00280103))
    table = None
    if header.text(0x00283000) and not fault[0]:
        table = read_table(file, signed)
        fault = table_fault(table, modality, bool(header.text(0x00281053)))
    groups = () if elements.dataset is None else frame_values(elements.dataset, frames)
    if modality == "CT" and not fault[0]:
        types = {header.text(0x00281054), *(group.rescale_type for group in groups)}
        fault = no_hounsfield(types)
    image_type = header.text(0x00080008)
    kinds = (*(header.text(tag) for tag in _PHASES), image_type)
    shared = FrameValues(
        position=header.triple(0x00200032),
        orientation=header.direction(0x00200037),
        spacing=header.pair(0x00280030),
        step=header.step(),
        slope=header.number(0x00281053, 1.0),
        intercept=header.number(0x00281052, 0.0),
    )
    first = Slice(
        entry=entry,
        frame=0,
        frames=frames,
        study_uid=header.text(0x0020000D),
        series_uid=header.text(0x0020000E),
        sop_class_uid=sop_class,
        sop_instance_uid=header.text(0x00080018),
        frame_of_reference_uid=header.text(0x00200052),
        transfer_syntax=syntax,
        modality=modality,
        description=header.text(0x0008103E),
        image_type=tuple(image_type.split("\\")),
        number=header.whole(0x00200013),
        acquisition=kinds,
        rows=rows,
        columns=columns,
        position=shared.position,
        orientation=shared.orientation,
        spacing=shared.spacing,
        step=shared.step,
        slope=shared.slope or 0.0,
        intercept=shared.intercept or 0.0,
        photometric=header.text(0x00280004),
        bits_allocated=allocated,
        bits_stored=stored,
        signed=signed,
        padding=header.padding(signed),
        table=table,
        offset=elements.offset,
        length=length,
        fault=fault,
    )
    if frames == 1 and not groups:
        return (first,)
    own = groups or (FrameValues(),) * frames
    return tuple(_of_frame(first, frame, own[frame].over(shared)) for frame in range(frames))


def _of_frame(first: Slice, frame: int, values: FrameValues) -> Slice:
    return replace(
        first,
        frame=frame,
        acquisition=first.acquisition + values.acquisition,
        position=values.position,
        orientation=values.orientation,
        spacing=values.spacing,
        step=values.step,
        slope=values.slope or 0.0,
        intercept=values.intercept or 0.0,
    )


def _demand_picture(sop_class: str, modality: str, header: Header, has_pixels: bool) -> None:
    if sop_class in _NOT_PICTURES:
        raise NotASlice(f"{_NOT_PICTURES[sop_class]}, not an image")
    if not has_pixels and not (header.integer(0x00280010) and _is_image_class(sop_class)):
        if sop_class == "1.2.840.10008.1.3.10":
            raise NotASlice("a DICOMDIR, an index of other files")
        if modality == "unknown":
            broken = not sop_class
            raise NotASlice("a DICOM object without pixels (an unknown kind)", broken=broken)
        raise NotASlice(f"a DICOM object without pixels ({modality})")
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
