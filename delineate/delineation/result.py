"""What one detector found in one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from delineate.contour import Contour, Structure
from delineate.formats.derived import Made
from delineate.imaging import Category, Image
from delineate.plugins import DetectorSpec, Output, OutputKind, Weights
from delineate.plugins.contract import Task

__all__ = [
    "Change",
    "Correction",
    "Delineation",
    "DetectorIdentity",
    "Finding",
    "Provenance",
    "structures",
]

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Finding:
    """One thing found, or looked for and not found.

    Parameters
    ----------
    id
        The label in a label map; else its place, counted from 1.
    category
        What it is.
    score
        Confidence or probability from 0 to 1; ``None`` where the detector gives none.
    contours
        From the first slice to the last, each outer ring before its holes; points to 1e-4 mm.
    measurements
        As :func:`~delineate.contour.measure` names them, to seven digits.
    notes
        What to know before using it, such as ``"cut by the field of view"``.
    point
        World position ``(x, y, z)``, for one found as a point.
    box
        World positions of two opposite corners of a box along the grid's axes.
    """

    id: int
    category: Category
    score: float | None = None
    contours: tuple[Contour, ...] = ()
    measurements: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    point: Point | None = None
    box: tuple[Point, Point] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "measurements", MappingProxyType(dict(self.measurements)))


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorIdentity:
    """Which detector it was, kept with the result when the detector is long uninstalled."""

    id: str
    title: str
    version: str
    task: Task
    gives: OutputKind
    intended_use: str

    @classmethod
    def of(cls, spec: DetectorSpec) -> DetectorIdentity:
        """The part of a spec that a result keeps."""
        return cls(
            id=spec.id,
            title=spec.title,
            version=spec.version,
            task=spec.task,
            gives=spec.gives,
            intended_use=spec.intended_use,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What somebody did to one structure or thing of a result.

    Parameters
    ----------
    id, name
        Its number and what it is called since; of a deleted one, what they were. Things are
        numbered anew in each version.
    what
        ``"drawn"``: it is new; ``"changed"``: other samples, or another place; ``"renamed"``: the
        same under another name or in another colour; ``"deleted"``: gone from the list.
    added, removed
        How many samples it gained and lost; 0 of a thing, which has none.
    added_ml, removed_ml
        The same as volumes; ``None`` on a picture.
    """

    id: int
    name: str
    what: Literal["drawn", "changed", "renamed", "deleted"]
    added: int
    removed: int
    added_ml: float | None = None
    removed_ml: float | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Correction:
    """What a result was made from, where a person has corrected another one.

    Parameters
    ----------
    of, sha256
        Id of the result that was corrected, and the hash of its document.
    who
        As the service knows them.
    comment
        In their own words; may be empty.
    detector
        What found the result that all corrections began with.
    changes
        Against the result that was corrected, by number.
    made
        How each structure came about that a person had a part in, in this correction or in one
        before it; the others are the detector's.
    """

    of: str
    sha256: str
    who: str
    comment: str
    detector: DetectorIdentity
    changes: tuple[Change, ...]
    made: Mapping[int, Made]

    def __post_init__(self) -> None:
        object.__setattr__(self, "made", MappingProxyType(dict(self.made)))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Provenance:
    """How a result came about.

    Parameters
    ----------
    image_hash
        :attr:`~delineate.imaging.Image.content_hash` of what went in.
    created
        UTC, such as ``"2026-01-01T12:00:00Z"``.
    seconds
        From the image in memory to the findings.
    options
        All options, defaults included, as JSON has them.
    references
        Of options that name an image: its content hash.
    device
        As the detector says; may be empty.
    weights
        Files of parameters that the detector declares.
    versions
        Of delineate, Python, numpy and what else the detector names.
    correction
        What it was made from, where a person has corrected it; options and weights are those of
        the detector then.
    """

    image_hash: str
    created: str
    seconds: float
    options: Mapping[str, Any]
    device: str
    weights: tuple[Weights, ...]
    versions: Mapping[str, str]
    references: Mapping[str, str] = field(default_factory=dict)
    correction: Correction | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))
        object.__setattr__(self, "references", MappingProxyType(dict(self.references)))
        object.__setattr__(self, "versions", MappingProxyType(dict(self.versions)))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Delineation:
    """All that one detector found in one image.

    Parameters
    ----------
    image
        What went in, as it was read.
    detector
        Which detector.
    output
        What the detector returned, brought back to the image's grid.
    findings
        The same as people want it: outlines, numbers, notes; by ascending id.
    provenance
        How it came about.
    overall
        Numbers about the image as a whole, such as ``count``, to seven digits.
    notes
        Remarks on the whole result.
    """

    image: Image
    detector: DetectorIdentity
    output: Output
    findings: tuple[Finding, ...]
    provenance: Provenance
    overall: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "overall", MappingProxyType(dict(self.overall)))


def structures(delineation: Delineation) -> tuple[Structure, ...]:
    """The findings as numbered structures with contours, for formats that know nothing else.

    Those found as points, boxes or classes have no outline and are left out; those looked for and
    not found stay in, without contours.
    """
    outlined = delineation.detector.gives in ("labelmap", "masks", "field")
    return tuple(
        Structure(finding.id, finding.category, finding.contours)
        for finding in delineation.findings
        if outlined or finding.contours
    )
