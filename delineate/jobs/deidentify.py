"""Take patients' names out of DICOM files by PS3.15, Annex E.

The Basic Application Confidentiality Profile with the option Retain Longitudinal Temporal
Information with Modified Dates: what Table E.1-1 lists is removed, emptied or replaced, private
attributes go, UIDs are replaced by keyed ones that stay the same for the same, and all dates of a
patient move by the same number of days. Beyond the profile, attributes that DICOM does not know,
free text that the table does not list, and whatever repeats the patient's name or id go too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate.errors import UploadError
from delineate.formats.derived import COPIED
from delineate.jobs.confidentiality import rule_of
from delineate.jobs.pseudonyms import Pseudonyms, Taken

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataelem import DataElement

__all__ = ["METHOD", "clean_file", "words_for"]

METHOD = "PS3.15 basic profile, modified dates"
_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)
_STANDARD = "1.2.840.10008."
# Classes, code systems and the like: of DICOM or of a vendor, of no patient.
_KEPT_UIDS = frozenset({0x00080016, 0x00081150, 0x0008010C, 0x00080117, 0x00080118, 0x0008001A})
_FREE_TEXT = frozenset({"LT", "ST", "UT", "UC", "UR", "AE"})
_TEXT = frozenset({"LO", "SH", "LT", "ST", "UT", "UC"})
_DUMMIES: Mapping[str, Any] = {
    **dict.fromkeys(("AE", "LO", "LT", "SH", "ST", "UC", "UT", "CS"), "REMOVED"),
    **dict.fromkeys(("IS", "DS"), "0"),
    **dict.fromkeys(("FD", "FL", "SL", "SS", "UL", "US", "SV", "UV"), 0),
    **dict.fromkeys(("OB", "OW", "OF", "OD", "OL", "OV"), b"\0" * 8),
    "AS": "000Y",
    "UR": "about:blank",
}
_COUNTERS = frozenset({0x00200011, 0x00200012, 0x00200013})  # of series, acquisition, instance
_SHORTEST_NAME = 4
# Pictures of screens, and what is drawn on: names may stand in the pixels.
_DRAWN_ON = frozenset({"US", "ES", "XC", "GM", "SC", "OT", "IVUS", "RF", "XA", "SM", "OP", "DOC"})
_SECONDARY = "1.2.840.10008.5.1.4.1.1.7"


def clean_file(path: Path, pseudonyms: Pseudonyms) -> None:
    """Rewrite a file without its patient; one that was cleaned with the same key stays as it is.

    What was taken is kept sealed with the pseudonyms.

    Raises
    ------
    UploadError
        If it is no DICOM image, or a name may be drawn into its pixels: it must not be kept.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    from delineate.formats.dicom.quiet import quiet_pydicom

    with quiet_pydicom():
        try:
            dataset = pydicom.dcmread(path)
        except (InvalidDicomError, OSError, ValueError, EOFError) as error:
            raise UploadError(
                f"it is no DICOM file that can be read ({type(error).__name__}), and only DICOM "
                "can be freed of its patient here"
            ) from None
        if _is_clean(dataset, pseudonyms):
            return
        _demand_image(dataset)
        taken = _Cleaning(dataset, pseudonyms).run()
        _close(dataset, pseudonyms)
        draft = path.with_name(f"{path.name}.clean")
        dataset.save_as(draft, enforce_file_format=True)
        draft.replace(path)  # it may be a link to a file that is kept
    pseudonyms.keep(str(dataset.StudyInstanceUID), taken)


def _demand_image(dataset: Dataset) -> None:
    """Refuse what has no pixels, or pixels in which a name may be drawn."""
    uids = (str(dataset.get(name, "")) for name in ("SOPInstanceUID", "StudyInstanceUID"))
    if not all(uids) or "TransferSyntaxUID" not in dataset.file_meta:
        raise UploadError("it lacks the UIDs that every instance has")
    if not any(word in dataset for word in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise UploadError("it holds no image; documents and reports cannot be freed of names here")
    burned = str(dataset.get("BurnedInAnnotation", "")).upper()
    drawn_on = str(dataset.get("Modality", "")).upper() in _DRAWN_ON or str(
        dataset.get("SOPClassUID", "")
    ).startswith(_SECONDARY)
    if burned == "YES" or (drawn_on and burned != "NO"):
        raise UploadError(
            "names may be drawn into its pixels (Burned In Annotation is "
            f"{burned or 'not given'}); only an image that says NO there is taken"
        )


class _Cleaning:
    """The cleaning of one file."""

    def __init__(self, dataset: Dataset, pseudonyms: Pseudonyms) -> None:
        self._dataset, self._pseudonyms = dataset, pseudonyms
        self._patient = str(dataset.get("PatientID", "")) or str(
            dataset.get("StudyInstanceUID", "")
        )
        self._shift = timedelta(days=pseudonyms.days(self._patient))
        self._names = _any_of(_names(dataset))
        self._taken = Taken()

    def run(self) -> Taken:
        """Clean it; what was taken."""
        from pydicom import Dataset

        copied = Dataset()
        for name in COPIED:
            if name in self._dataset:
                copied[name] = self._dataset[name]
        self._taken.attributes = copied.to_json_dict()
        self._clean(self._dataset)
        self._dataset.PatientName = self._dataset.PatientID = self._pseudonyms.patient(
            self._patient
        )
        return self._taken

    def _clean(self, dataset: Dataset) -> None:
        for tag in list(dataset.keys()):
            try:
                element = dataset[tag]
                cleaned = self._cleaned(element)
            except Exception:  # a value that cannot be read cannot be judged
                cleaned = False
            if not cleaned:
                del dataset[tag]

    def _cleaned(self, element: DataElement) -> bool:
        """Clean an element; ``False`` if it is to go."""
        from pydicom.datadict import dictionary_has_tag

        tag, vr = element.tag, element.VR
        rule = rule_of(int(tag))
        if tag.is_private or tag.element == 0 or (rule == "X" and vr not in ("DA", "DT")):
            return False
        if not (dictionary_has_tag(tag) or rule) and tag.group & 0xFF00 not in (0x5000, 0x6000):
            return False
        if vr == "UI":
            return self._replace_uids(element)
        if vr == "SQ":
            if rule not in (None, "XZU"):
                element.value = []
            for item in element.value:
                self._clean(item)
            return True
        if vr in ("DA", "DT") and tag.group != 0x0010:
            element.value = self._moved(element.value)
        elif vr == "TM" and tag.group != 0x0010:
            pass  # of a day that is another now
        elif rule is not None or vr == "PN":
            return _blank(element, rule or "Z")
        elif vr in _FREE_TEXT or (vr in _TEXT and self._tells_name(element)):
            return False
        elif tag in _COUNTERS and self._tells_name(element):
            element.value = None
        return True

    def _replace_uids(self, element: DataElement) -> bool:
        if int(element.tag) in _KEPT_UIDS:
            return True
        several = element.VM > 1
        new = [self._uid(str(old)) for old in (element.value if several else [element.value])]
        element.value = new if several else new[0]
        return True

    def _uid(self, old: str) -> str:
        if not old or old.startswith(_STANDARD):
            return old
        new = self._pseudonyms.uid(old)
        self._taken.uids[new] = old
        return new

    def _moved(self, value: Any) -> Any:
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            return self._moved_one(str(value or ""))
        return [self._moved_one(str(one)) for one in value]

    def _moved_one(self, told: str) -> str:
        """A date, or a date and time, as much earlier; nothing of one that is not whole."""
        found = re.fullmatch(r"(\d{4})\.?(\d\d)\.?(\d\d)(.*)", told.strip(), re.S)
        try:
            assert found is not None
            moved = date(int(found[1]), int(found[2]), int(found[3])) - self._shift
        except (AssertionError, ValueError, OverflowError):
            return ""
        rest = found[4] if re.fullmatch(r"[\d.]*([+-]\d{4})?", found[4]) else ""
        return f"{moved:%Y%m%d}{rest}".rjust(8, "0")

    def _tells_name(self, element: DataElement) -> bool:
        return self._names is not None and self._names.search(str(element.value)) is not None


def _blank(element: DataElement, rule: str) -> bool:
    """Empty a value, or put another in its place where the standard may want one."""
    if "D" not in rule:
        element.value = b"" if element.VR in ("OB", "OW", "UN") else ""
        return True
    dummy = _DUMMIES.get(element.VR)
    if element.VR == "PN":
        dummy = "REMOVED"
    element.value = dummy if dummy is not None else None
    return dummy is not None


def words_for(attributes: Mapping[str, Any]) -> re.Pattern[str] | None:
    """What finds a patient's name or id in a text; ``attributes`` as `Taken` has them."""
    from pydicom import Dataset

    return _any_of(_names(Dataset.from_json(dict(attributes))))


def _any_of(names: Iterable[str]) -> re.Pattern[str] | None:
    ordered = sorted(set(names), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, ordered)), re.I) if ordered else None


def _names(dataset: Dataset) -> Iterator[str]:
    """What a patient is called or known by, in pieces that are long enough to be told apart."""
    for element in dataset:
        if element.VR == "PN" or element.keyword in (
            *("PatientID", "OtherPatientIDs", "AccessionNumber", "PatientBirthName"),
            *("PatientAddress", "PatientTelephoneNumbers", "MedicalRecordLocator"),
        ):
            for piece in re.split(r"[\^=\\\s,;]+", str(element.value)):
                if len(piece) >= _SHORTEST_NAME:
                    yield piece


def _close(dataset: Dataset, pseudonyms: Pseudonyms) -> None:
    """Say in the file what was done, and make its head anew."""
    from pydicom import Dataset, FileMetaDataset

    codes = []
    for value, meaning in _CODES:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        codes.append(code)
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = [METHOD, _mark(dataset, pseudonyms)]
    dataset.DeidentificationMethodCodeSequence = codes
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta = meta
    dataset.preamble = b"\0" * 128


def _is_clean(dataset: Dataset, pseudonyms: Pseudonyms) -> bool:
    """Whether this was done before, with the same key."""
    told = dataset.get("DeidentificationMethod", "")
    mark = _mark(dataset, pseudonyms)
    return not isinstance(told, str) and list(told) == [METHOD, mark]


def _mark(dataset: Dataset, pseudonyms: Pseudonyms) -> str:
    """What only the key could have written into this file."""
    names = ("SOPInstanceUID", "StudyInstanceUID", "PatientID", "PatientName")
    return pseudonyms.mark("\0".join(str(dataset.get(name, "")) for name in names))
