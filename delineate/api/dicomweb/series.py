"""From instances to images: a series that is complete becomes an image that jobs take."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool

from delineate.api.dicomweb.node import Node
from delineate.api.faults import RefusedUploadError
from delineate.api.taking import looked_into
from delineate.errors import UnknownInstanceError
from delineate.jobs import dicom_tasks
from delineate.jobs.dicom_record import Record
from delineate.jobs.dicom_tables import INSTANCES, SERIES, STUDIES
from delineate.jobs.store import StoredImage, room
from delineate.jobs.upload import Part

__all__ = ["Completed", "complete", "tie"]

_CHUNK = 500
Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Completed:
    """What became of a series: its image, or why it is none."""

    study: str
    image_id: str | None
    reason: str = ""


def tie(
    database: sa.Engine, tenant: str, stored: StoredImage, records: Sequence[Record]
) -> tuple[Pairs, Pairs]:
    """Say of the series in an image that they are there, where all their instances are.

    Returns
    -------
    tuple
        Study and series UIDs of those, and of series of which other instances lie elsewhere.
    """
    image_id: str = stored.document["id"]
    digests: dict[tuple[str, str], set[str]] = {}
    for record in records:
        digests.setdefault(record.uids[:2], set()).add(record.digest)
    usable = {
        one["id"] for one in stored.document["report"]["series"] if one["verdict"] != "refused"
    }
    whole: Pairs = []
    parts: Pairs = []
    for (study, series), mine in digests.items():
        rows = _instances(database, tenant, series)
        if series not in usable or not {row.digest for row in rows} & mine:
            continue
        if {row.digest for row in rows} <= mine:
            _set_image(database, tenant, series, image_id)
            whole.append((study, series))
        else:
            parts.append((study, series))
    return whole, parts


async def complete(node: Node, tenant: str, series: str) -> Completed:
    """Make an image of all instances of a series, or find the one there is.

    The files are linked, so that each lies on the disk once. They leave the node's own folder some
    minutes later, when nobody reads them there any more.

    Raises
    ------
    UnknownInstanceError
        If there is no such series.
    """
    rows = await run_in_threadpool(_instances, node.database, tenant, series)
    if not rows:
        raise UnknownInstanceError("no such series is stored; a search tells which are")
    study = rows[0].study_instance_uid
    if rows[0].job_id is not None:
        return Completed(study, None, "it is a result of a job")
    if rows[0].image_id is not None and all(row.holder_id == rows[0].image_id for row in rows):
        return Completed(study, rows[0].image_id)
    store = node.service.store.of(tenant)
    with store.incoming() as folder:
        parts = await run_in_threadpool(_linked, node, tenant, rows, folder)
        reading = {"uneven": "refuse", "spacing_mm": None}
        try:
            document = await looked_into(node.service, folder, parts, reading)
        except RefusedUploadError as error:
            return Completed(study, None, str(error))
        stored = await run_in_threadpool(store.keep, folder, document)
    await run_in_threadpool(_move, node, tenant, series, rows, stored)
    return Completed(study, stored.document["id"])


def _instances(database: sa.Engine, tenant: str, series: str) -> list[Any]:
    here = INSTANCES.c
    wanted = (
        sa.select(
            here.id,
            here.holder,
            here.holder_id,
            here.name,
            here.digest,
            SERIES.c.image_id,
            SERIES.c.job_id,
            STUDIES.c.study_instance_uid,
        )
        .select_from(
            INSTANCES.join(SERIES, here.series == SERIES.c.id).join(
                STUDIES, here.study == STUDIES.c.id
            )
        )
        .where(SERIES.c.tenant == tenant, SERIES.c.series_instance_uid == series)
    )
    with database.connect() as connection:
        return [*connection.execute(wanted)]


def _linked(node: Node, tenant: str, rows: Sequence[Any], folder: Path) -> list[Part]:
    """The files once more, in an upload's folder."""
    parts = []
    for number, row in enumerate(rows):
        path = folder / "parts" / f"{number:06d}.dcm"
        with room():
            os.link(node.file(tenant, row), path)
        parts.append(Part(path, f"{number + 1:06d}.dcm", row.digest))
    return parts


def _move(node: Node, tenant: str, series: str, rows: Sequence[Any], stored: StoredImage) -> None:
    """Have the instances found in their image from now on."""
    image_id = stored.document["id"]
    by_number = sorted(stored.files, key=lambda path: int(path.name.partition(".")[0]))
    names = dict(zip(sorted({row.digest for row in rows}), by_number, strict=True))
    with node.database.begin() as connection:
        connection.execute(
            sa.update(INSTANCES)
            .where(INSTANCES.c.id == sa.bindparam("at"))
            .values(holder="image", holder_id=image_id, name=sa.bindparam("called")),
            [{"at": row.id, "called": names[row.digest].name} for row in rows],
        )
        dicom_tasks.put(connection, tenant, "index", image_id, state="done")
    _set_image(node.database, tenant, series, image_id)


def _set_image(database: sa.Engine, tenant: str, series: str, image_id: str) -> None:
    mine = sa.and_(SERIES.c.tenant == tenant, SERIES.c.series_instance_uid == series)
    with database.begin() as connection:
        connection.execute(sa.update(SERIES).where(mine).values(image_id=image_id))
