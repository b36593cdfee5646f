"""The attributes by which DICOM objects are found, and how their values are compared (PS3.18)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

__all__ = [
    "ATTRIBUTES",
    "LEVELS",
    "REQUEST",
    "SERIES_TAGS",
    "SHOWN",
    "STUDY_TAGS",
    "Attribute",
    "DicomJson",
    "Level",
    "compared",
    "folded",
    "text_of",
    "texts_of",
]

Level = Literal["study", "series", "instance"]
LEVELS: tuple[Level, ...] = ("study", "series", "instance")
# A data set as the DICOM JSON model has it: tag -> {"vr": ..., "Value": [...]}.
DicomJson = Mapping[str, Any]

REQUEST = "00400275"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One that can be searched by: its ``tag`` (with a dot: inside a sequence) and its level."""

    tag: str
    keyword: str
    vr: str
    level: Level

    @property
    def column(self) -> str:
        """Name of its column; of a person's name the first of three."""
        name = self.keyword.rpartition(".")[2]
        return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=SOP)", "_", name).lower()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns: a person's name has three spellings (PS3.5 6.2.1)."""
        if self.vr == "PN":
            return (self.column, f"{self.column}_ideographic", f"{self.column}_phonetic")
        return (self.column,)


_LISTED: Mapping[Level, str] = {
    "study": (
        "00080020 StudyDate DA, 00080030 StudyTime TM, 00080050 AccessionNumber SH,"
        "00080090 ReferringPhysicianName PN, 00081030 StudyDescription LO,"
        "00100010 PatientName PN, 00100020 PatientID LO, 00100030 PatientBirthDate DA,"
        "00100040 PatientSex CS, 0020000D StudyInstanceUID UI, 00200010 StudyID SH"
    ),
    "series": (
        "00080060 Modality CS, 0008103E SeriesDescription LO, 00180015 BodyPartExamined CS,"
        "0020000E SeriesInstanceUID UI, 00200011 SeriesNumber IS,"
        "00400244 PerformedProcedureStepStartDate DA,"
        "00400245 PerformedProcedureStepStartTime TM,"
        f"{REQUEST}.00400009 RequestAttributesSequence.ScheduledProcedureStepID SH,"
        f"{REQUEST}.00401001 RequestAttributesSequence.RequestedProcedureID SH"
    ),
    "instance": ("00080016 SOPClassUID UI, 00080018 SOPInstanceUID UI, 00200013 InstanceNumber IS"),
}
ATTRIBUTES: tuple[Attribute, ...] = tuple(
    Attribute(tag, keyword, vr, level)
    for level in LEVELS
    for tag, keyword, vr in (line.split() for line in _LISTED[level].split(","))
)
# What a search answers besides counts and addresses (PS3.18 Tables 10.6.3-3 to 10.6.3-5).
_CHARACTERS, _TIMEZONE = "00080005", "00080201"
_MORE_SHOWN: Mapping[Level, tuple[str, ...]] = {
    "study": (),
    "series": (REQUEST,),
    "instance": ("00280010", "00280011", "00280100", "00280008"),
}
SHOWN: Mapping[Level, tuple[str, ...]] = MappingProxyType(
    {
        level: (
            _CHARACTERS,
            _TIMEZONE,
            *(one.tag for one in ATTRIBUTES if one.level == level and "." not in one.tag),
            *_MORE_SHOWN[level],
        )
        for level in LEVELS
    }
)
# Of a patient or a study (PS3.3 C.7.1 and C.7.2), and of a series or its equipment (C.7.3, C.7.5):
# what ``includefield=all`` means there.
STUDY_TAGS = frozenset(
    (
        *SHOWN["study"],
        *("00080051", "00080061", "00081032", "00081040", "00081048", "00081060", "00081080"),
        *("00081110", "00100021", "00100022", "00100032", "00101000", "00101001", "00101010"),
        *("00101020", "00101030", "00102160", "00102180", "001021B0", "00104000", "00120062"),
        *("00120063", "00120064", "00321032", "00321060", "00380010"),
    )
)
SERIES_TAGS = frozenset(
    (
        *SHOWN["series"],
        *("00080021", "00080031", "00080070", "00080080", "00080081", "00081010", "00081050"),
        *("00081070", "00081090", "00081111", "00180050", "00180060", "00181000", "00181020"),
        *("00181030", "00185100", "00200052", "00200060", "00201040", "00400253", "00400254"),
    )
)


def texts_of(dataset: DicomJson, tag: str) -> list[str]:
    """The values of an attribute as text; of a dotted tag those of the sequence's first item."""
    if "." in tag:
        sequence, inner = tag.split(".", 1)
        items = dataset.get(sequence, {}).get("Value") or [{}]
        return texts_of(items[0], inner)
    values = dataset.get(tag, {}).get("Value") or []
    return ["" if one is None else str(one) for one in values]


def text_of(dataset: DicomJson, tag: str) -> str:
    """The first value of an attribute as text, empty where there is none."""
    return next(iter(texts_of(dataset, tag)), "").strip()


def folded(name: str) -> str:
    """A person's name as it is compared: without case, accents and empty components at its end."""
    plain = unicodedata.normalize("NFKD", name)
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return bare.casefold().strip().rstrip("^ ")


def compared(attribute: Attribute, dataset: DicomJson) -> Iterator[Any]:
    """The value for each of its columns, in the form in which it is compared."""
    vr, tag = attribute.vr, attribute.tag
    text = text_of(dataset, tag)
    if vr == "PN":
        names = dataset.get(tag, {}).get("Value") or [{}]
        for group in ("Alphabetic", "Ideographic", "Phonetic"):
            yield folded(str((names[0] or {}).get(group, "")))
    elif vr == "IS":
        number = re.fullmatch(r"([+-]?\d{1,9})(\.0*)?", text)
        yield int(number[1]) if number else None
    elif vr == "DA":
        yield digits if len(digits := re.sub(r"\D", "", text)) == 8 else ""
    elif vr == "TM":
        yield _time(text)
    else:
        yield text.replace("\0", "")


def _time(text: str) -> str:
    """A time of day as ``HHMMSS.FFFFFF``, empty if it is none; the old form has colons."""
    whole, _, fraction = text.replace(":", "").partition(".")
    if not re.fullmatch(r"(\d\d){1,3}", whole) or not re.fullmatch(r"\d{0,6}", fraction):
        return ""
    return f"{whole:0<6}.{fraction:0<6}"
