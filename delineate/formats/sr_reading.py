"""Read the measurement groups of a report."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from delineate.errors import UnreadableFileError
from delineate.formats.derived import SIDES
from delineate.formats.property_types import OWN_SCHEME
from delineate.formats.sr_codes import key_of
from delineate.imaging import Code
from delineate.imaging.category import Laterality

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Report", "Reported", "read"]

_GROUP, _TRACKING, _TRACKING_UID = "125007", "112039", "112040"
_FINDING, _SITE, _LATERALITY, _PRESENCE = "121071", "363698007", "272741003", "121052"
_OLD_SITE, _OLD_LATERALITY = "G-C0E3", "G-C171"
_SEGMENT, _COMMENT, _DERIVATION = "121191", "121106", "121401"
_ABSENT = "272519000"


@dataclass(frozen=True, slots=True, eq=False)
class Reported:
    """One measurement group.

    Parameters
    ----------
    title, tracking_uid
        Its tracking identifier, for people and for programs.
    code, laterality
        Of what was found; no code where it has one of delineate's own.
    segmentation_uid, segment
        The segmentation that it refers to and the number there; empty and 0 if none.
    found
        False for what was looked for and not found.
    measurements
        By the keys of :func:`delineate.contour.measure`; others by what the report calls them,
        with the unit, such as ``"Mean Diffusivity (mm2/s)"``.
    notes
        Comments.
    """

    title: str
    tracking_uid: str
    code: Code | None = None
    laterality: Laterality | None = None
    segmentation_uid: str = ""
    segment: int = 0
    found: bool = True
    measurements: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "measurements", MappingProxyType(dict(self.measurements)))


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A report's measurement groups, and the comments on the whole."""

    groups: tuple[Reported, ...]
    notes: tuple[str, ...] = ()


def read(path: Path | str) -> Report:
    """Read a DICOM SR by the template TID 1500.

    Raises
    ------
    UnreadableFileError
        If it is no report, has no measurement group, or is broken.
    """
    import pydicom

    name = Path(path).name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remarks on values that are not used
        try:
            dataset = pydicom.dcmread(path)
            modality = str(dataset.get("Modality", "") or "")
            containers = list(_containers(dataset, _GROUP))
            groups = tuple(_group(container) for container in containers)
            notes = tuple(str(one.TextValue) for one in _children(dataset, _COMMENT))
        except FileNotFoundError:
            raise
        except Exception as error:  # pydicom raises anything on other files
            raise UnreadableFileError(
                f"{name} is no DICOM report, or a broken one ({type(error).__name__})"
            ) from None
    if modality != "SR" or not groups:
        raise UnreadableFileError(
            f"expected a DICOM SR with measurement groups (TID 1500) in {name}, got "
            f"{modality or 'another kind of file'}"
        )
    return Report(groups, notes)


def _containers(item: Dataset, concept: str) -> Iterator[Dataset]:
    for child in item.get("ContentSequence") or ():
        if child.get("ValueType") == "CONTAINER" and _name(child).value == concept:
            yield child
        else:
            yield from _containers(child, concept)


def _children(item: Dataset, *concepts: str) -> list[Any]:
    return [one for one in item.get("ContentSequence") or () if _name(one).value in concepts]


def _name(item: Dataset) -> Code:
    names = item.get("ConceptNameCodeSequence")
    return _code(names[0]) if names else Code("", "", "")


def _code(item: Dataset) -> Code:
    value = str(item.get("CodeValue") or item.get("LongCodeValue") or "")
    return Code(value, str(item.CodingSchemeDesignator), str(item.get("CodeMeaning") or ""))


def _group(container: Dataset) -> Reported:
    def text(concept: str, attribute: str) -> str:
        return next((str(one[attribute].value) for one in _children(container, concept)), "")

    code = next((_code(one.ConceptCodeSequence[0]) for one in _children(container, _FINDING)), None)
    segments = [one.ReferencedSOPSequence[0] for one in _children(container, _SEGMENT)]
    presence = [one.ConceptCodeSequence[0] for one in _children(container, _PRESENCE)]
    return Reported(
        title=text(_TRACKING, "TextValue"),
        tracking_uid=text(_TRACKING_UID, "UID"),
        code=None if code is None or code.scheme == OWN_SCHEME else code,
        laterality=_side(container),
        segmentation_uid=str(segments[0].ReferencedSOPInstanceUID) if segments else "",
        segment=_first_number(segments[0].get("ReferencedSegmentNumber")) if segments else 0,
        found=not any(_code(one).value == _ABSENT for one in presence),
        measurements=dict(_measurements(container)),
        notes=tuple(str(one.TextValue) for one in _children(container, _COMMENT)),
    )


def _first_number(value: Any) -> int:
    return int(value[0] if hasattr(value, "__len__") else value or 0)


def _side(container: Dataset) -> Laterality | None:
    codes: dict[str, Laterality] = {"G-A101": "left", "G-A100": "right"}
    codes |= {value: "left" if side == "left" else "right" for side, (value, _) in SIDES.items()}
    for site in _children(container, _SITE, _OLD_SITE):
        for side in _children(site, _LATERALITY, _OLD_LATERALITY):
            return codes.get(_code(side.ConceptCodeSequence[0]).value)
    return None


def _measurements(container: Dataset) -> Iterator[tuple[str, float]]:
    for item in container.get("ContentSequence") or ():
        if item.get("ValueType") != "NUM" or not item.get("MeasuredValueSequence"):
            continue
        value = item.MeasuredValueSequence[0]
        concept, unit = _name(item), _code(value.MeasurementUnitsCodeSequence[0]).value
        derivations = [_code(one.ConceptCodeSequence[0]) for one in _children(item, _DERIVATION)]
        derivation = derivations[0] if derivations else None
        derived = f"{derivation.meaning} of " if derivation else ""
        key = key_of(concept, unit, derivation) or f"{derived}{concept.meaning} ({unit})"
        exact = value.get("FloatingPointValue")
        yield key, float(value.NumericValue if exact is None else exact)
