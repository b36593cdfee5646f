"""Records of instances for the index, made up."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from delineate.jobs.dicom_record import Record

STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"


def value(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def record(
    study: str, series: str, instance: str, attributes: Mapping[str, Any] | None = None
) -> Record:
    """An instance of these UIDs, with further attributes in the DICOM JSON model."""
    dataset = {
        "00080016": value("UI", "1.2.840.10008.5.1.4.1.1.2"),
        "00080060": value("CS", "CT"),
        **(attributes or {}),
        STUDY: value("UI", study),
        SERIES: value("UI", series),
        INSTANCE: value("UI", instance),
    }
    text = json.dumps(dataset)
    return Record(
        dataset,
        gzip.compress(text.encode(), mtime=0),
        None,
        "1.2.840.10008.1.2.1",
        len(text),
        hashlib.sha256(text.encode()).hexdigest(),
        f"{instance}.dcm",
    )


def uids(found: Sequence[Mapping[str, Any]], tag: str) -> list[str]:
    """The UIDs that a search found."""
    return [one[tag]["Value"][0] for one in found]
