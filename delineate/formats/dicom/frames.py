"""What the functional groups of a multi-frame instance say of each frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from delineate.formats.dicom.quiet import quiet_pydicom

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["FrameValues", "frame_values"]


@dataclass(frozen=True, slots=True)
class FrameValues:
    """Geometry and rescale of one frame; ``None`` where nothing is said."""

    position: tuple[float, float, float] | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, float] | None = None
    step: float | None = None
    slope: float | None = None
    intercept: float | None = None
    rescale_type: str = ""
    acquisition: tuple[str, ...] = ()

    def over(self, other: FrameValues) -> FrameValues:
        """These values, and those of ``other`` where nothing is said here."""
        return FrameValues(
            *(
                getattr(other, name) if getattr(self, name) in (None, "") else getattr(self, name)
                for name in self.__dataclass_fields__
            )
        )


def frame_values(dataset: Dataset, frames: int) -> tuple[FrameValues, ...]:
    """Per-frame over shared functional groups (PS3.3 C.7.6.16); empty where there are none."""
    with quiet_pydicom():
        shared = dataset.get("SharedFunctionalGroupsSequence") or ()
        each = dataset.get("PerFrameFunctionalGroupsSequence") or ()
        if not shared and not each:
            return ()
        common = _values(shared[0]) if shared else FrameValues()
        own = [_values(item) for item in each[:frames]]
    own += [FrameValues()] * (frames - len(own))
    return tuple(values.over(common) for values in own)


def _values(item: Dataset) -> FrameValues:
    position = _numbers(item, "PlanePositionSequence", "ImagePositionPatient", 3)
    orientation = _numbers(item, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    spacing = _numbers(item, "PixelMeasuresSequence", "PixelSpacing", 2)
    step = _numbers(item, "PixelMeasuresSequence", "SpacingBetweenSlices", 1) or _numbers(
        item, "PixelMeasuresSequence", "SliceThickness", 1
    )
    rescale = "PixelValueTransformationSequence"
    slope = _numbers(item, rescale, "RescaleSlope", 1)
    intercept = _numbers(item, rescale, "RescaleIntercept", 1)
    content = _first(item, "FrameContentSequence")
    return FrameValues(
        position=(position[0], position[1], position[2]) if position else None,
        orientation=orientation,
        spacing=(spacing[0], spacing[1]) if spacing and min(spacing) > 0 else None,
        step=abs(step[0]) if step and step[0] else None,
        slope=slope[0] if slope else None,
        intercept=intercept[0] if intercept else None,
        rescale_type=str((_first(item, rescale) or {}).get("RescaleType", "") or ""),
        acquisition=tuple(
            str(content.get(name, "")) for name in ("StackID", "TemporalPositionIndex")
        )
        if content is not None
        else ("", ""),
    )


def _first(item: Dataset, sequence: str) -> Any:
    items = item.get(sequence)
    return items[0] if items else None


def _numbers(item: Dataset, sequence: str, name: str, count: int) -> tuple[float, ...] | None:
    inner = _first(item, sequence)
    value = None if inner is None else inner.get(name)
    if value is None or value == "":
        return None
    values = (float(value),) if count == 1 else tuple(float(part) for part in value)
    if len(values) != count or not all(math.isfinite(part) for part in values):
        return None
    return values
