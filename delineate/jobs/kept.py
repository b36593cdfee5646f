"""What is kept of a result, and results that no worker made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from isal import igzip
from sqlalchemy.exc import IntegrityError

from delineate import delineation
from delineate.delineation import Delineation, Finding
from delineate.formats import thumbnail
from delineate.jobs.disk import room, sync
from delineate.jobs.job import Job, ended, jobs, new_id, now
from delineate.jobs.tenant_store import TenantStore

__all__ = ["SUMMARY", "THUMBNAIL", "enter", "summary", "write"]

SUMMARY, THUMBNAIL = "summary.json", "thumbnail.jpg"

_MOST_NAMES = 200
_CUT = "cut by the field of view"


def write(found: Delineation, folder: Path) -> None:
    """Keep a result with what the service hands out of it without reading it again.

    Beside the files of :func:`~delineate.delineation.save`: the document packed, the formats that
    it can be had in, what a list of cases shows, and a picture for it.

    Parameters
    ----------
    found
        The result.
    folder
        Made where it is missing.
    """
    delineation.save(found, folder)
    document = (folder / "delineation.json").read_bytes()
    (folder / "delineation.json.gz").write_bytes(igzip.compress(document, 3, mtime=0))
    (folder / "formats.json").write_text(json.dumps(_offered(found)))
    (folder / SUMMARY).write_text(json.dumps(summary(found)))
    thumbnail.write(delineation.drawing(found), folder / THUMBNAIL)
    sync(folder)


def summary(found: Delineation) -> dict[str, Any]:
    """What a list of cases tells of a result, names at most 200 at a time.

    Returns
    -------
    dict
        ``found``, ``missing`` and ``cut``: names of what was found, of what was looked for and not
        found, and of what the field of view cuts. ``things``: how many were found, each by itself.
        ``notes``: remarks on the whole. ``overall``: numbers about the whole.
    """
    there = [one for one in found.findings if _is_there(one)]
    names = dict.fromkeys(one.category.name for one in there)
    missing = dict.fromkeys(
        one.category.name for one in found.findings if one.category.name not in names
    )
    cut = dict.fromkeys(one.category.name for one in there if _CUT in one.notes)
    return {
        "gives": found.detector.gives,
        "found": list(names)[:_MOST_NAMES],
        "missing": list(missing)[:_MOST_NAMES],
        "cut": list(cut)[:_MOST_NAMES],
        "things": len(there),
        "notes": list(found.notes),
        "overall": dict(found.overall),
    }


def _is_there(one: Finding) -> bool:
    if one.contours or one.point is not None or one.box is not None:
        return True
    return bool(one.measurements.get("voxels", 1))


def _offered(found: Delineation) -> list[dict[str, str]]:
    """The formats that a result can be had in."""
    return [
        {"format": one.name, "title": one.title, "media_type": one.media_type}
        for one in delineation.offers(found)
    ]


def enter(
    database: sa.Engine,
    store: TenantStore,
    folder: Path,
    *,
    image_id: str,
    series: str,
    detector: str,
    options: Mapping[str, Any],
    modality: str | None = None,
    key: str | None = None,
) -> Job:
    """Enter a result that no worker made as that of a job that is done.

    It has all that results of detectors have: an address, exports, a place in the lists, an end by
    retention. Whoever is killed before the row is written leaves a folder, which the next purge
    removes.

    Parameters
    ----------
    database, store
        Where its row and its files go.
    folder
        With what :func:`write` wrote; it is moved.
    image_id, series, modality
        What it is a result on.
    detector
        What it says it was made by, instead of a detector's id.
    options
        What is told of how it was made; no names.
    key
        The same for the same result: it is entered once, and what was sent again is dropped.

    Raises
    ------
    UnavailableError
        If it cannot be published; then it is not kept.
    """
    made = now()
    values = {
        "id": new_id(),
        "created": made,
        "started": made,
        "attempts": 1,
        "key": key,
        "image_id": image_id,
        "series": series,
        "modality": modality,
        "detector": detector,
        "options": dict(options),
        "tenant": store.tenant,
        "causes": [],
        **ended("done"),
    }
    pending = Job(**{**dict.fromkeys(Job.__slots__), **values})
    place = store.attempt(pending).parent
    with room():
        place.mkdir(parents=True)
        folder.rename(place / "1")
    try:
        store.publish(pending)
        with database.begin() as connection:
            return Job.of(connection.execute(sa.insert(jobs).values(values).returning(jobs)).one())
    except IntegrityError:  # the same was entered before
        store.remove_results(pending.id)
        same = sa.and_(jobs.c.tenant == store.tenant, jobs.c.key == key)
        with database.connect() as connection:
            return Job.of(connection.execute(sa.select(jobs).where(same)).one())
    except BaseException:
        store.remove_results(pending.id)
        raise
