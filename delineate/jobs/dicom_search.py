"""Answers of the DICOMweb node's index: searches, and where the files of instances lie."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from delineate.jobs.dicom_attributes import SERIES_TAGS, STUDY_TAGS, Level
from delineate.jobs.dicom_query import MODALITIES, Query, conditions
from delineate.jobs.dicom_tables import HEADERS, INSTANCES, SERIES, STUDIES, table_of

__all__ = ["Answer", "Located", "Place", "header", "headers", "locate", "scope", "search"]

_RETRIEVE, _AVAILABILITY = "00081190", "00080056"
_STUDY_SERIES, _STUDY_INSTANCES, _SERIES_INSTANCES = "00201206", "00201208", "00201209"
_BATCH = 50


@dataclass(frozen=True, slots=True)
class Place:
    """What an address names: a study, a series or an instance of a tenant; empty: all."""

    tenant: str
    study: str = ""
    series: str = ""
    instance: str = ""

    @property
    def path(self) -> str:
        """Below the address of the node."""
        named = {"studies": self.study, "series": self.series, "instances": self.instance}
        return "".join(f"/{name}/{uid}" for name, uid in named.items() if uid)


@dataclass(frozen=True, slots=True)
class Answer:
    """Part of what a search found; ``more`` if there is more than that."""

    found: list[dict[str, Any]]
    more: bool


@dataclass(frozen=True, slots=True)
class Located:
    """An instance: its number in the index, what it is, and where its file lies."""

    id: int
    study: str
    series: str
    uid: str
    sop_class: str
    transfer_syntax: str
    size: int
    holder: str
    holder_id: str
    name: str

    @property
    def path(self) -> str:
        """Its address below that of the node."""
        return f"/studies/{self.study}/series/{self.series}/instances/{self.uid}"


def scope(level: Level, place: Place) -> list[sa.ColumnElement[bool]]:
    """The conditions that rows of a level fulfil that lie in a place.

    The tenant is asked of the study alone where one is named: SQLite would else go through all
    instances of the tenant instead of those of the study.
    """
    of_tenant = STUDIES if place.study else table_of(level)
    named = (
        (STUDIES.c.study_instance_uid, place.study),
        (SERIES.c.series_instance_uid, place.series),
        (INSTANCES.c.sop_instance_uid, place.instance),
    )
    within = [column == uid for column, uid in named if uid]
    return [of_tenant.c.tenant == place.tenant, *within]


def _tables(level: Level) -> sa.FromClause:
    tables: sa.FromClause = STUDIES
    if level != "study":
        tables = SERIES.join(STUDIES, SERIES.c.study == STUDIES.c.id)
    if level == "instance":
        tables = INSTANCES.join(SERIES, INSTANCES.c.series == SERIES.c.id).join(
            STUDIES, INSTANCES.c.study == STUDIES.c.id
        )
    return tables


def search(database: sa.Engine, place: Place, query: Query, base: str) -> Answer:
    """Search, and say of each thing found what PS3.18 10.6.3.3 asks for.

    Parameters
    ----------
    database
        With the index.
    place
        Where: of a tenant, and below a study or series where they are named.
    query
        What for.
    base
        Address of the node, without a slash at its end.
    """
    level, table = query.level, table_of(query.level)
    uids = (STUDIES.c.study_instance_uid, SERIES.c.series_instance_uid)
    columns: list[Any] = [table.c.id, table.c.shown, STUDIES.c.study_instance_uid]
    if level != "study":
        columns += [STUDIES.c.shown.label("study_shown"), uids[1]]
    if level == "instance":
        columns += [SERIES.c.shown.label("series_shown"), INSTANCES.c.sop_instance_uid]
    wanted = (
        sa.select(*columns)
        .select_from(_tables(level))
        .where(
            *scope(level, place),
            *conditions(query, database.dialect.name),
        )
        .order_by(*_order(level, place))
        .offset(query.offset)
        .limit(query.limit + 1)
    )
    with database.connect() as connection:
        rows = connection.execute(wanted).all()
        page = rows[: query.limit]
        found = [_told(row, level, place, base) for row in page]
        _count(connection, level, page, found)
        if query.include or query.everything:
            _include(connection, query, page, found)
    for one in found:
        one |= {_AVAILABILITY: {"vr": "CS", "Value": ["ONLINE"]}}
    return Answer([dict(sorted(one.items())) for one in found], len(rows) > len(page))


def _order(level: Level, place: Place) -> list[Any]:
    """The same order on every page: new studies first, then by number."""
    series = (SERIES.c.series_number.nulls_last(), SERIES.c.id)
    if level == "study":
        return [STUDIES.c.study_date.desc(), STUDIES.c.id.desc()]
    if level == "series":
        return list(series) if place.study else [SERIES.c.id]
    if not place.study:
        return [INSTANCES.c.id]
    instances = (INSTANCES.c.instance_number.nulls_last(), INSTANCES.c.id)
    return list(instances) if place.series else [INSTANCES.c.series, *instances]


def _told(row: sa.Row[Any], level: Level, place: Place, base: str) -> dict[str, Any]:
    """What a row says, with what it says of what lies above where the address does not name it."""
    told: dict[str, Any] = {}
    address = f"{base}/studies/{row.study_instance_uid}"
    if level != "study":
        if not place.study:
            told |= json.loads(row.study_shown)
        told["0020000D"] = {"vr": "UI", "Value": [row.study_instance_uid]}
        address += f"/series/{row.series_instance_uid}"
    if level == "instance":
        if not place.series:
            told |= json.loads(row.series_shown)
        told["0020000E"] = {"vr": "UI", "Value": [row.series_instance_uid]}
        address += f"/instances/{row.sop_instance_uid}"
    told |= json.loads(row.shown)
    told[_RETRIEVE] = {"vr": "UR", "Value": [address]}
    return told


def _count(
    connection: sa.Connection,
    level: Level,
    page: Sequence[sa.Row[Any]],
    found: Sequence[dict[str, Any]],
) -> None:
    """Add how much there is below studies or series, and a study's modalities."""
    ids = [row.id for row in page]
    if level == "instance" or not ids:
        return
    parent = INSTANCES.c[level]
    instances: dict[int, int] = _pairs(
        connection, sa.select(parent, sa.func.count()).where(parent.in_(ids)).group_by(parent)
    )
    tag = _SERIES_INSTANCES if level == "series" else _STUDY_INSTANCES
    for number, one in zip(ids, found, strict=True):
        one[tag] = {"vr": "IS", "Value": [instances.get(number, 0)]}
    if level == "series":
        return
    modalities: dict[int, list[str]] = {number: [] for number in ids}
    for study, modality in connection.execute(
        sa.select(SERIES.c.study, SERIES.c.modality).where(SERIES.c.study.in_(ids))
    ):
        modalities[study].append(modality)
    for number, one in zip(ids, found, strict=True):
        known = sorted({modality for modality in modalities[number] if modality})
        one[MODALITIES] = {"vr": "CS", "Value": known} if known else {"vr": "CS"}
        one[_STUDY_SERIES] = {"vr": "IS", "Value": [len(modalities[number])]}


def _include(
    connection: sa.Connection,
    query: Query,
    page: Sequence[sa.Row[Any]],
    found: Sequence[dict[str, Any]],
) -> None:
    """Add further attributes, of a study or series from the first of its instances."""
    ids = [row.id for row in page]
    if query.level == "instance":
        first = {number: number for number in ids}
    else:
        parent = INSTANCES.c[query.level]
        first = _pairs(
            connection,
            sa.select(sa.func.min(INSTANCES.c.id), parent).where(parent.in_(ids)).group_by(parent),
        )
    above: Mapping[Level, frozenset[str]] = {"study": STUDY_TAGS, "series": SERIES_TAGS}
    allowed = above.get(query.level)
    index = dict(zip(ids, found, strict=True))
    for number, text in headers(connection, list(first)):
        for tag, value in json.loads(text).items():
            asked = tag in query.include and (query.level != "study" or tag in STUDY_TAGS)
            asked = asked or (query.everything and (allowed is None or tag in allowed))
            if asked and "BulkDataURI" not in value:
                index[first[number]].setdefault(tag, value)


def _pairs(connection: sa.Connection, wanted: sa.Select[Any]) -> dict[int, Any]:
    """Two columns as keys and values."""
    return {row[0]: row[1] for row in connection.execute(wanted)}


def headers(connection: sa.Connection, ids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """The headers of instances as JSON, in the order of ``ids``."""
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        kept = _pairs(
            connection,
            sa.select(HEADERS.c.instance, HEADERS.c.header).where(HEADERS.c.instance.in_(batch)),
        )
        for number in batch:
            if number in kept:
                yield number, gzip.decompress(kept[number])


def locate(database: sa.Engine, place: Place) -> list[Located]:
    """All instances of a place, in the order of their numbers; none if there is no such place."""
    here = INSTANCES.c
    wanted = (
        sa.select(
            here.id,
            STUDIES.c.study_instance_uid,
            SERIES.c.series_instance_uid,
            here.sop_instance_uid,
            here.sop_class_uid,
            here.transfer_syntax,
            here.size,
            here.holder,
            here.holder_id,
            here.name,
        )
        .select_from(_tables("instance"))
        .where(*scope("instance", place))
        .order_by(*_order("instance", place))
    )
    with database.connect() as connection:
        rows: Sequence[Any] = connection.execute(wanted).all()
    return [Located(*row) for row in rows]


def header(database: sa.Engine, instance: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The header of an instance, and where its frames lie if they can be sent as they are."""
    wanted = sa.select(HEADERS.c.header, HEADERS.c.frames).where(HEADERS.c.instance == instance)
    with database.connect() as connection:
        row = connection.execute(wanted).one()
    frames = None if row.frames is None else json.loads(gzip.decompress(row.frames))
    return json.loads(gzip.decompress(row.header)), frames
