"""Put the patient back into results, for those who may: what `deidentify` took, by its key."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate.errors import InputError, NotFoundError
from delineate.formats.derived import COPIED
from delineate.jobs.deidentify import words_for
from delineate.jobs.pseudonyms import Pseudonyms, Taken
from delineate.jobs.settings import Settings

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["demand_nameless", "reidentify"]

_MADE_HERE = re.compile(r"2\.25\.\d{1,39}")
_OURS = frozenset({"PatientIdentityRemoved", "DeidentificationMethod"})
_TEXTS = frozenset({".json", ".geojson", ".csv", ".svg", ".xml", ".txt"})


def reidentify(path: str, target: str, tenant: str, paths: list[str], series: str) -> None:
    """Write a result as it would have been without pseudonyms.

    DICOM objects get their patient, their study and all UIDs back, texts their UIDs; files of
    other formats hold nothing of a patient and are copied. Dates of the result itself are true.

    Parameters
    ----------
    path, target
        The result, and where to write it.
    tenant
        Whose pseudonyms they are.
    paths, series
        The files of the image, and the series that the result is about.

    Raises
    ------
    NotFoundError
        If nothing is known of the study: it came before names were taken out, or was no DICOM.
    """
    study = _study(paths, series)
    folder = Settings.from_environment().identities / tenant
    pseudonyms = Pseudonyms(folder) if (folder / "key").exists() else None
    known = _MADE_HERE.fullmatch(study) is not None and pseudonyms is not None
    taken = pseudonyms.taken(study) if known and pseudonyms is not None else None
    if taken is None:
        raise NotFoundError(
            "no names were taken out of this image, so that none can be put back; leave out "
            "identity=original"
        )
    source, goal = Path(path), Path(target)
    if source.suffix == ".dcm":
        _restore_dicom(source, goal, taken)
    elif source.suffix in _TEXTS:
        text = source.read_text()
        goal.write_text(_MADE_HERE.sub(lambda uid: taken.uids.get(uid[0], uid[0]), text))
    else:
        shutil.copyfile(source, goal)


def demand_nameless(texts: Iterable[str], tenant: str, paths: Sequence[str], series: str) -> None:
    """Refuse texts that tell the patient of an image, where the service takes patients out.

    Parameters
    ----------
    texts
        What somebody wrote, to be kept beside the image.
    tenant, paths, series
        As for `reidentify`.

    Raises
    ------
    InputError
        Without saying which word it was.
    """
    settings = Settings.from_environment()
    study = _study(paths, series) if settings.deidentify != "off" else ""
    if _MADE_HERE.fullmatch(study) is None:
        return
    taken = Pseudonyms(settings.identities / tenant).taken(study)
    if taken is not None and (known := words_for(taken.attributes)) is not None:
        for text in texts:
            if known.search(text):
                raise InputError(
                    "this service keeps no names of patients, and a text that was sent has a part "
                    "of this patient's name or id; leave it out"
                )


def _study(paths: Sequence[str], series: str) -> str:
    """The study, as it is called now, of the series; empty where the files are no DICOM."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    names = ["StudyInstanceUID", "SeriesInstanceUID"]
    for path in paths:
        try:
            dataset = pydicom.dcmread(path, specific_tags=names)
        except (InvalidDicomError, OSError):
            continue
        if str(dataset.get("SeriesInstanceUID", "")) == series:
            return str(dataset.get("StudyInstanceUID", ""))
    return ""


def _restore_dicom(path: Path, target: Path, taken: Taken) -> None:
    import pydicom

    dataset = pydicom.dcmread(path)
    for name in COPIED:
        if name in _OURS and name in dataset:
            del dataset[name]
        elif name in dataset:
            dataset[name].value = ""  # where it was missing, and the result needs one
    dataset.update(pydicom.Dataset.from_json(taken.attributes))
    _restore_uids(dataset, taken)
    _restore_uids(dataset.file_meta, taken)
    dataset.save_as(target, enforce_file_format=True)


def _restore_uids(dataset: Dataset, taken: Taken) -> None:
    for element in dataset:
        if element.VR == "UI":
            element.value = _restored(element.value, taken)
        elif element.VR == "SQ":
            for item in element.value:
                _restore_uids(item, taken)


def _restored(value: Any, taken: Taken) -> Any:
    if isinstance(value, str):
        return taken.uids.get(value, value)
    return value if value is None else [taken.uids.get(one, one) for one in value]
