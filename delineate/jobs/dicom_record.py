"""An instance and its file, as they were read: what goes into the index, or why it does not."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from delineate.jobs.dicom_attributes import DicomJson, text_of

__all__ = ["Record", "Refusal", "records"]


@dataclass(frozen=True, slots=True)
class Record:
    """An instance and its file, as `jobs.dicom_errands.read` found them.

    ``attributes`` are those that are searched by or shown, ``header`` is all of it, gzipped;
    ``frames`` says where they lie in the file.
    """

    attributes: DicomJson
    header: bytes
    frames: bytes | None
    transfer_syntax: str
    size: int
    digest: str
    name: str

    @property
    def uids(self) -> tuple[str, str, str]:
        """Of the study, the series and the instance."""
        tags = ("0020000D", "0020000E", "00080018")
        study, series, instance = (text_of(self.attributes, tag) for tag in tags)
        return study, series, instance


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an instance was kept out: DICOM's code and a sentence."""

    code: int
    reason: str


def records(told: Sequence[Mapping[str, Any]]) -> list[Record | Refusal]:
    """What the errand answered."""
    return [
        Refusal(one["code"], one["reason"])
        if "code" in one
        else Record(
            one["attributes"],
            base64.b64decode(one["header"]),
            base64.b64decode(one["frames"]) if one["frames"] else None,
            one["transfer_syntax"],
            one["size"],
            one["digest"],
            one["name"],
        )
        for one in told
    ]
