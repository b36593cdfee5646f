"""One slice as a DICOM header describes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from delineate.formats.dicom.modality_lut import ModalityTable

__all__ = ["Entry", "Slice"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file at ``path`` that its sender calls ``name``.

    ``id`` is what the report calls the image in it where its format has no identifiers; by
    default its name.
    """

    path: Path
    name: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Slice:
    """Header of one slice: a single-frame file, or one frame of a multi-frame one.

    ``position``, ``orientation`` and ``spacing`` are ImagePositionPatient,
    ImageOrientationPatient and PixelSpacing, or ``None`` where the header has none that makes
    sense. ``table``, where there is one, takes the place of ``slope`` and ``intercept``.
    ``offset`` and ``length`` locate the value of the pixel data in the file (``length`` -1:
    encapsulated); both are 0 in a deflated file. ``fault`` is empty or ``(code, what is wrong)``.
    """

    entry: Entry
    frame: int
    frames: int
    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    frame_of_reference_uid: str
    transfer_syntax: str
    modality: str
    description: str
    image_type: tuple[str, ...]
    number: int | None
    acquisition: tuple[str, ...]
    rows: int
    columns: int
    position: tuple[float, float, float] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, float] | None
    step: float | None
    slope: float
    intercept: float
    photometric: str
    bits_allocated: int
    bits_stored: int
    signed: bool
    padding: tuple[int, int] | None
    table: ModalityTable | None
    offset: int
    length: int
    fault: tuple[str, str] = ("", "")

    @property
    def label(self) -> str:
        """How messages call this slice: by its number, else by the end of its UID."""
        if self.frames > 1:
            return f"frame {self.frame + 1}"
        if self.number is not None:
            return f"slice {self.number}"
        if self.sop_instance_uid:
            return f"slice ...{self.sop_instance_uid[-12:]}"
        return "a slice without number or UID"

    @property
    def full_label(self) -> str:
        """The label with the end of the instance's UID, where numbers may repeat."""
        return f"{self.label} (instance ...{self.sop_instance_uid[-12:]})"
