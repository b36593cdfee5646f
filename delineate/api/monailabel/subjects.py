"""What a client calls an image, and which series of which stored image that is.

A client may say the id of an image, the name under which it sent one, or, as OHIF does, a
SeriesInstanceUID.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from delineate.api.state import State
from delineate.errors import ConflictError, InputError, UnknownImageError
from delineate.jobs.datastore import Datastore
from delineate.jobs.store import StoredImage, TenantStore
from delineate.jobs.upload import suffix

__all__ = [
    "Subject",
    "datastore_of",
    "find",
    "name_demanded",
    "remembered",
    "subject_of",
    "subjects",
]

_UID = r"[0-9]+(\.[0-9]+){3,}"
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A usable series of an image.

    ``id`` is what labels are kept under, and what clients see where they gave no name: the
    SeriesInstanceUID where there is one, else the image's id. ``suffix`` is that of the one file
    that was sent; empty if there are several, or DICOM's.
    """

    id: str
    image_id: str
    series: str
    format: str
    modality: str
    slices: int
    suffix: str


# Images never change: what was read of one holds for as long as it is there.
_known: dict[tuple[str, str], tuple[Subject, ...]] = {}


def datastore_of(service: State) -> Datastore:
    """Names, labels and sessions."""
    return Datastore(service.database)


def subjects(service: State, store: TenantStore) -> list[Subject]:
    """What clients may choose from: each series once, without what is kept for a while only.

    A series that was sent again with more slices is the longest of those.
    """
    kept = datastore_of(service)
    hidden = {one.image_id for one in kept.sessions(store.tenant)}
    hidden |= {one.image_id for one in kept.labels(store.tenant) if one.image_id is not None}
    found: dict[str, Subject] = {}
    for image_id in store.ids():
        if image_id in hidden:
            continue
        for one in remembered(store, image_id):
            if one.id not in found or one.slices > found[one.id].slices:
                found[one.id] = one
    return list(found.values())


def remembered(store: TenantStore, image_id: str) -> tuple[Subject, ...]:
    """The usable series of an image; none if it has gone meanwhile."""
    key = store.tenant, image_id
    if key not in _known:
        try:
            _known[key] = tuple(_usable(store.document(image_id)))
        except UnknownImageError:
            return ()
    return _known[key]


def subject_of(stored: StoredImage, series: str | None = None) -> Subject:
    """The series of that id, or the only one.

    Raises
    ------
    SeriesChoiceError
        If there are several.
    """
    chosen = stored.series(series)["id"]
    return next(one for one in _usable(stored.document, every=True) if one.series == chosen)


def find(service: State, store: TenantStore, image: str) -> Subject:
    """What a client means.

    Raises
    ------
    UnknownImageError
        If there is no such image.
    SeriesChoiceError
        If it has several series.
    """
    image_id = datastore_of(service).named(store.tenant, image)
    if image_id is None and re.fullmatch(r"[0-9a-f]{64}", image):
        image_id = image
    if image_id is not None:
        return subject_of(store.image(image_id))
    if re.match(_UID, image):
        for one in subjects(service, store):
            if image in (one.id, one.series):
                return one
    raise UnknownImageError(
        "no image has this id, name or SeriesInstanceUID; send it first: PUT /datastore/?image="
    )


def name_demanded(name: str) -> str:
    """A name that an image may be sent under.

    Raises
    ------
    InputError
        If it is too long, or could be taken for an id.
    """
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise InputError(
            f"an image is called by at most {_LONGEST_NAME} printable characters; rename the volume"
        )
    if re.fullmatch(rf"{_UID}|[0-9a-f]{{64}}", name):
        raise ConflictError(
            "this name looks like a SeriesInstanceUID or an id, by which other images are found; "
            "rename the volume"
        )
    return name


def _usable(document: Mapping[str, Any], *, every: bool = False) -> Iterable[Subject]:
    image_id = document["id"]
    for one in document["report"]["series"]:
        if one["verdict"] == "refused" or (one.get("set_aside") and not every):
            continue
        is_dicom = one["format"] == "dicom"
        yield Subject(
            id=one["id"] if is_dicom else image_id,
            image_id=image_id,
            series=one["id"],
            format=one["format"],
            modality=one["modality"],
            slices=one["slices"],
            suffix="" if is_dicom or document["files"] > 1 else suffix(one["files"][0]),
        )
