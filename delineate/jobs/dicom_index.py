"""What the DICOMweb node knows of each instance: written when it is stored, made or removed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from delineate.jobs import dicom_tasks
from delineate.jobs.dicom_attributes import (
    ATTRIBUTES,
    SHOWN,
    DicomJson,
    Level,
    compared,
    text_of,
)
from delineate.jobs.dicom_record import Record, Refusal
from delineate.jobs.dicom_tables import HEADERS, INSTANCES, SERIES, STUDIES, TASKS
from delineate.jobs.job import jobs
from delineate.jobs.store import StoredImage

__all__ = ["Holder", "add", "forget", "forget_own", "index", "is_known", "remove"]

Holder = Literal["image", "job", "own"]
# An instance is kept out for one of these (PS3.18 Table I.2-2, and PS3.7 C.5.7 of duplicates).
_DUPLICATE, _CONFLICT = 0x0111, 0xA900
_CHUNK = 500


def index(database: sa.Engine, tenant: str, stored: StoredImage) -> None:
    """Have the DICOM files of an image found by DICOMweb; they are read soon, in a child."""
    if any(series["format"] == "dicom" for series in stored.document["report"]["series"]):
        with database.begin() as connection:
            dicom_tasks.put(connection, tenant, "index", stored.document["id"])


def is_known(database: sa.Engine, tenant: str, image_id: str) -> bool:
    """Whether an image is one that DICOMweb shows, and nobody's for the moment only."""
    mine = sa.and_(TASKS.c.tenant == tenant, TASKS.c.subject == image_id, TASKS.c.kind == "index")
    with database.connect() as connection:
        return connection.execute(sa.select(TASKS.c.id).where(mine)).first() is not None


def add(
    database: sa.Engine,
    tenant: str,
    found: Sequence[Record],
    holder: Holder,
    holder_id: str,
) -> list[Refusal | None]:
    """Index instances, all in one transaction; one that is there already stays as it is.

    Parameters
    ----------
    found
        In the order of the answer.
    holder, holder_id
        Where their files lie: an image or a job's result and its id, or the node's own folder.

    Returns
    -------
    list
        Why each was kept out; ``None`` where it is in, or was, with the same bytes.
    """
    for _ in range(3):  # another process may add the same at the same time
        try:
            with database.begin() as connection:
                return _Adding(connection, tenant, holder, holder_id).all(found)
        except sa.exc.IntegrityError as error:
            last = error
    raise last


class _Adding:
    """One transaction."""

    def __init__(
        self, connection: sa.Connection, tenant: str, holder: Holder, holder_id: str
    ) -> None:
        self._connection, self._tenant = connection, tenant
        self._held = {"holder": holder, "holder_id": holder_id}
        self._job = holder_id if holder == "job" else None
        self._studies: dict[str, sa.Row[Any]] = {}
        self._series: dict[str, sa.Row[Any]] = {}

    def all(self, found: Sequence[Record]) -> list[Refusal | None]:
        there = self._there([one.uids[2] for one in found])
        new: list[tuple[dict[str, Any], Record]] = []
        answers: list[Refusal | None] = []
        for record in found:
            uid = record.uids[2]
            if uid in there:
                answers.append(_compared(there[uid], record))
                continue
            row = self._row(record)
            if isinstance(row, dict):
                there[uid] = (record.digest, record.uids[1])
                new.append((row, record))
            answers.append(None if isinstance(row, dict) else row)
        for start in range(0, len(new), _CHUNK):
            self._insert(new[start : start + _CHUNK])
        return answers

    def _there(self, uids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Digest and series UID of the instances that are there."""
        here = INSTANCES.c
        both = INSTANCES.join(SERIES, here.series == SERIES.c.id)
        rows = (
            row
            for start in range(0, len(uids), _CHUNK)
            for row in self._connection.execute(
                sa.select(here.sop_instance_uid, here.digest, SERIES.c.series_instance_uid)
                .select_from(both)
                .where(
                    here.tenant == self._tenant,
                    here.sop_instance_uid.in_(uids[start : start + _CHUNK]),
                )
            )
        )
        return {uid: (digest, series) for uid, digest, series in rows}

    def _row(self, record: Record) -> dict[str, Any] | Refusal:
        """The new row of an instance, whose study and series are there then."""
        study_uid, series_uid, _ = record.uids
        study = self._studies.get(study_uid) or self._found(STUDIES, "study", study_uid)
        series = self._series.get(series_uid) or self._found(SERIES, "series", series_uid)
        patient = text_of(record.attributes, "00100020")
        if study is not None and study.patient_id and patient and study.patient_id != patient:
            return Refusal(_CONFLICT, "its study is there with another patient's id")
        if series is not None and (study is None or series.study != study.id):
            return Refusal(_CONFLICT, "its series is there in another study")
        if study is None:
            study = self._made(STUDIES, "study", record, {})
        if series is None:
            more = {"study": study.id, "job_id": self._job}
            series = self._made(SERIES, "series", record, more)
        self._studies[study_uid], self._series[series_uid] = study, series
        return {
            "tenant": self._tenant,
            "study": study.id,
            "series": series.id,
            **_values("instance", record.attributes),
            "transfer_syntax": record.transfer_syntax,
            "size": record.size,
            "digest": record.digest,
            "name": record.name,
            **self._held,
        }

    def _found(self, table: sa.Table, level: Level, uid: str) -> sa.Row[Any] | None:
        here = table.c[f"{level}_instance_uid"] == uid
        return self._connection.execute(
            sa.select(table).where(table.c.tenant == self._tenant, here)
        ).one_or_none()

    def _made(
        self, table: sa.Table, level: Level, record: Record, more: Mapping[str, Any]
    ) -> sa.Row[Any]:
        values = {"tenant": self._tenant, **_values(level, record.attributes), **more}
        return self._connection.execute(sa.insert(table).values(values).returning(table)).one()

    def _insert(self, new: Sequence[tuple[dict[str, Any], Record]]) -> None:
        ids = self._connection.execute(
            sa.insert(INSTANCES).returning(INSTANCES.c.id, sort_by_parameter_order=True),
            [row for row, _ in new],
        ).scalars()
        self._connection.execute(
            sa.insert(HEADERS),
            [
                {"instance": number, "header": record.header, "frames": record.frames}
                for number, (_, record) in zip(ids, new, strict=True)
            ],
        )


def _compared(there: tuple[str, str], record: Record) -> Refusal | None:
    """Whether an instance is the one that is there."""
    digest, series = there
    if series != record.uids[1]:
        return Refusal(_CONFLICT, "an instance of its UID is there in another series")
    if digest != record.digest:
        return Refusal(_DUPLICATE, "an instance of its UID is there with other contents")
    return None


def _values(level: Level, dataset: DicomJson) -> dict[str, Any]:
    """The columns of a level."""
    values: dict[str, Any] = {
        "shown": json.dumps(
            {tag: dataset[tag] for tag in SHOWN[level] if tag in dataset},
            ensure_ascii=False,
            separators=(",", ":"),
        )
    }
    for one in ATTRIBUTES:
        if one.level == level:
            values |= dict(zip(one.columns, compared(one, dataset), strict=True))
    return values


def forget(database: sa.Engine, tenant: str, holder: Holder, holder_id: str) -> None:
    """Take what an image or a job held out of the index; its files are the caller's to remove.

    Another job on the same image may have found the same, which is offered from its files then.
    """
    here = INSTANCES.c
    held = sa.and_(here.tenant == tenant, here.holder == holder, here.holder_id == holder_id)
    with database.begin() as connection:
        if holder == "job":
            _offer_again(connection, tenant, held)
        remove(connection, held)
        about = (TASKS.c.subject == holder_id) | TASKS.c.subject.startswith(f"{holder_id}>")
        connection.execute(sa.delete(TASKS).where(TASKS.c.tenant == tenant, about))
        if holder == "image":
            gone = sa.and_(SERIES.c.tenant == tenant, SERIES.c.image_id == holder_id)
            connection.execute(sa.update(SERIES).where(gone).values(image_id=None))


def _offer_again(connection: sa.Connection, tenant: str, held: sa.ColumnElement[bool]) -> None:
    """Have the results of all jobs on the images of these studies registered once more.

    They are not pushed a second time.
    """
    here = INSTANCES.c
    studies = sa.select(here.study).where(held)
    images = sa.select(here.holder_id).where(
        here.tenant == tenant, here.holder == "image", here.study.in_(studies)
    )
    others = sa.select(jobs.c.id).where(
        jobs.c.tenant == tenant, jobs.c.state == "done", jobs.c.image_id.in_(images)
    )
    offers = sa.and_(TASKS.c.tenant == tenant, TASKS.c.kind == "offer")
    for (job_id,) in connection.execute(
        sa.select(TASKS.c.subject).where(offers, TASKS.c.subject.in_(others))
    ).all():
        dicom_tasks.put(connection, tenant, "offer", job_id, {"pushed": True})


def forget_own(database: sa.Engine, tenant: str, names: Sequence[str]) -> None:
    """Take instances that lie in the node's own folder out of the index, by their files' names."""
    here = INSTANCES.c
    for start in range(0, len(names), _CHUNK):
        named = here.name.in_(names[start : start + _CHUNK])
        with database.begin() as connection:
            remove(connection, sa.and_(here.tenant == tenant, here.holder == "own", named))


def remove(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Any]:
    """Remove the instances of a condition, and series and studies that are empty then.

    Returns
    -------
    list of Row
        ``holder``, ``holder_id`` and ``name`` of each.
    """
    here = INSTANCES.c
    rows = connection.execute(
        sa.select(here.id, here.series, here.study, here.holder, here.holder_id, here.name).where(
            condition
        )
    ).all()
    for start in range(0, len(rows), _CHUNK):
        ids = [row.id for row in rows[start : start + _CHUNK]]
        connection.execute(sa.delete(HEADERS).where(HEADERS.c.instance.in_(ids)))
        connection.execute(sa.delete(INSTANCES).where(here.id.in_(ids)))
    for table, member, touched in (
        (SERIES, here.series, {row.series for row in rows}),
        (STUDIES, SERIES.c.study, {row.study for row in rows}),
    ):
        for one in touched:
            empty = ~sa.exists().where(member == table.c.id)
            connection.execute(sa.delete(table).where(table.c.id == one, empty))
    return [*rows]
