"""What a derived object (RTSTRUCT, SEG) must know of the series that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from delineate.imaging import Source

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["DicomSource", "ResampledSource"]


@dataclass(frozen=True, slots=True, eq=False)
class DicomSource(Source):
    """Identifiers of a DICOM series, slice by slice in the order of the image's first axis.

    Parameters
    ----------
    study_uid, series_uid, frame_of_reference_uid
        Empty where the series does not state them.
    stack
        Id of the series in the report: ``series_uid``, with ``#2`` and so on where one UID holds
        several stacks.
    sop_class_uids, sop_instance_uids
        One a slice. The frames of a multi-frame instance repeat its UID.
    frame_numbers
        One a slice, from 1; all 0 for single-frame instances.
    header
        Header of the first slice, without pixels, for the patient and study that a derived object
        has to repeat. Holds patient data.
    """

    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    stack: str
    sop_class_uids: tuple[str, ...]
    sop_instance_uids: tuple[str, ...]
    frame_numbers: tuple[int, ...]
    header: Dataset
    format = "dicom"


@dataclass(frozen=True, slots=True)
class ResampledSource(Source):
    """The image was interpolated from the uneven slices of the DICOM series ``stack``.

    Its slices are no longer those of the series, so nothing can be said of them there.
    """

    stack: str
    format = "dicom-resampled"
