"""The parts of a geometry report: problems, gaps, spacings, samples, and what to do about them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = [
    "ADVICE",
    "CODES",
    "Duplicate",
    "Gap",
    "Ignored",
    "Problem",
    "Rescale",
    "Samples",
    "Spacing",
    "as_json",
]

Rescale = Literal["none", "constant", "per slice", "table"]

# All codes of problems; docs/formats.md says what each means.
CODES = frozenset(
    (
        *("broken_file", "depth", "duplicate_instance", "duplicate_position", "form_disagreement"),
        *("four_dimensional", "gantry_tilt", "gap_too_large", "missing_geometry", "missing_slice"),
        *("mixed_orientation", "mixed_sizes", "mixed_spacing", "modality_assumed", "modality_lut"),
        *("monochrome1", "multi_frame", "no_orientation", "no_spacing", "not_a_volume"),
        *("not_finite", "padding", "per_slice_rescale", "scale", "several_pages", "single_slice"),
        *("truncated", "uneven_spacing", "unit", "unreadable", "unsupported_transfer_syntax"),
        "zero_affine",
    )
)
# What to do about a problem; the first of these that a series has gives its advice.
ADVICE = {
    "unreadable": "Send the series again from its source; at least one of its files is broken.",
    "truncated": "Transfer the series again; the files named are cut short.",
    "unsupported_transfer_syntax": "Export the series again without compression.",
    "duplicate_instance": "Send each instance once; different files claim to be the same one.",
    "missing_geometry": "Send the original series; this one does not say where its slices lie.",
    "not_a_volume": "Choose another series; this one is a single picture without depth.",
    "duplicate_position": "Export one phase or reconstruction at a time; slices share a position.",
    "gap_too_large": "Send the whole series, or each of its parts alone; too much lies between.",
    "missing_slice": (
        "Send the whole series; at least one slice is missing. Or have it interpolated "
        "(--uneven resample; over REST uneven=resample)."
    ),
    "uneven_spacing": (
        "Send a reconstruction with even spacing, or have one "
        "interpolated (--uneven resample; over REST uneven=resample)."
    ),
    "four_dimensional": "Export one volume at a time; this file holds several.",
    "several_pages": "Save the page you want as a picture of its own; this file holds several.",
    "zero_affine": (
        "Export the image again from its source with its geometry (as DICOM, or NIfTI with an "
        "sform); this file does not say where it lies."
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about a series that its reader should know: one of `CODES` and a sentence.

    Messages name slices by number and position and never hold patient data.
    """

    code: str
    message: str

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"{self.code!r} is no code of a problem; see docs/formats.md")


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file that is in no series, by the ``name`` its sender knows, and the ``reason``."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Spacing:
    """``count`` pairs of neighbouring slices whose planes are ``mm`` apart, along their normal."""

    mm: float
    count: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Neighbouring slices that are not as far apart as most.

    ``first`` and ``second`` are what messages call them; they lie at ``first_mm`` and
    ``second_mm`` along their normal, ``mm`` apart. ``missing`` slices would fit between them at
    the most frequent spacing; 0 if it is no multiple of that.
    """

    first: str
    second: str
    first_mm: float
    second_mm: float
    mm: float
    missing: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Slices ``first`` and ``second`` that both lie at ``position_mm`` along their normal."""

    first: str
    second: str
    position_mm: float


@dataclass(frozen=True, slots=True)
class Samples:
    """How a series stores its samples.

    Parameters
    ----------
    bits_allocated, bits_stored, signed
        Of a stored sample.
    kind
        ``"integer"`` or ``"float"``.
    photometric
        DICOM's PhotometricInterpretation, ``"RGB"`` for a colour picture, else empty.
    compression
        Name of the transfer syntax; empty where samples are stored as they are.
    frames
        Of a multi-frame instance; 1 where each slice is a file, or the format knows no frames.
    rescale
        ``"none"``: samples mean what they are; ``"constant"``: ``stored * slope + intercept`` with
        the same numbers in all slices; ``"per slice"``: with numbers of their own, and ``slope``
        and ``intercept`` are ``None``, as they are for ``"table"``, a Modality LUT.
    padding
        Lowest and highest stored value that stands for "outside the picture", or ``None``.
    """

    bits_allocated: int
    bits_stored: int
    signed: bool
    kind: Literal["integer", "float"] = "integer"
    photometric: str = ""
    compression: str = ""
    frames: int = 1
    rescale: Rescale = "none"
    slope: float | None = 1.0
    intercept: float | None = 0.0
    padding: tuple[int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON has it, which has no word for a slope that is no number."""
        return {
            **asdict(self),
            **{name: _finite(getattr(self, name)) for name in ("slope", "intercept")},
            "padding": None if self.padding is None else list(self.padding),
        }

    @classmethod
    def of_dtype(cls, dtype: Any, slope: float = 1.0, intercept: float = 0.0) -> Samples:
        """Samples of a numpy dtype with one rescale for all."""
        bits = dtype.itemsize * 8
        return cls(
            bits_allocated=bits,
            bits_stored=bits,
            signed=dtype.kind != "u",
            kind="float" if dtype.kind == "f" else "integer",
            rescale="none" if (slope, intercept) == (1.0, 0.0) else "constant",
            slope=slope,
            intercept=intercept,
        )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def as_json(parts: Sequence[Any]) -> list[dict[str, Any]]:
    """Parts of a report as JSON has them."""
    return [asdict(part) for part in parts]
