"""What the DICOMweb node needs for the life of the API process, and how instances are kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Protocol

import sqlalchemy as sa
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from delineate.api.state import State
from delineate.errors import (
    DelineateError,
    NotFoundError,
    UnknownInstanceError,
    UnreadableFileError,
)
from delineate.jobs import dicom_index, dicom_tasks
from delineate.jobs.assistant import Assistant
from delineate.jobs.dicom_attributes import text_of
from delineate.jobs.dicom_record import Record, Refusal, records
from delineate.jobs.dicom_tables import INSTANCES, SERIES
from delineate.jobs.rules import Rules, Source
from delineate.jobs.store import TenantStore, room
from delineate.jobs.upload import Part

__all__ = ["Dicom", "Node", "Outcome", "drop_unused", "own_file"]

_CHUNK = 500
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_IN_SERIES = "00201209"  # NumberOfSeriesRelatedInstances


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file that came in: its UIDs as far as known, and why it was refused."""

    sop_class: str
    instance: str
    study: str = ""
    series: str = ""
    refusal: Refusal | None = None


class Held(Protocol):
    """Where the file of an instance lies."""

    @property
    def holder(self) -> str:
        """``"image"``, ``"job"`` or ``"own"``."""

    @property
    def holder_id(self) -> str:
        """Id of the image or job."""

    @property
    def name(self) -> str:
        """Of the file there."""


@dataclass(frozen=True, slots=True)
class Node:
    """The node's parts.

    ``reader`` reads what comes in, ``painter`` decodes what goes out; so that neither waits for
    the other. ``wake`` is set when there is something to do at once.
    """

    service: State
    rules: Rules
    reader: Assistant = field(default_factory=partial(Assistant, UnreadableFileError))
    painter: Assistant = field(default_factory=partial(Assistant, UnreadableFileError))
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def database(self) -> sa.Engine:
        """With the index."""
        return self.service.database

    def base(self, request: Request) -> str:
        """The address of the node as its caller knows it."""
        url = self.service.settings.public_url or str(request.base_url)
        host, port = request.headers.get("host", ""), request.scope["server"][1]
        if not self.service.settings.public_url and host in _LOOPBACK and port:
            # dicomweb-client leaves the port out of its Host header.
            url = str(request.base_url.replace(port=port))
        return f"{url.rstrip('/')}/dicomweb"

    def file(self, tenant: str, one: Held) -> Path:
        """Where the file of an instance lies.

        Raises
        ------
        UnknownInstanceError
            If its image or job was removed a moment ago.
        """
        store = self.service.store.of(tenant)
        try:
            if one.holder == "image":
                return store.image(one.holder_id).folder / "files" / one.name
            if one.holder == "job":
                job = self.service.table.get(one.holder_id, tenant=tenant)
                return store.attempt(job) / one.name
        except NotFoundError:
            raise UnknownInstanceError("this instance was removed") from None
        return own_file(store, one.name)

    @contextmanager
    def scratch(self, tenant: str) -> Iterator[Path]:
        """A folder for what is made to be sent; gone after the block."""
        store = self.service.store.of(tenant)
        store.check_room()
        with store.incoming() as folder:
            yield folder

    async def read(self, paths: Sequence[Path], names: Sequence[str]) -> list[dict[str, Any]]:
        """What the index has to know of files, read in a child process."""
        told: list[dict[str, Any]] = await self.reader.run(
            "dicom_read",
            self.service.settings.inspect_seconds,
            paths=[str(path) for path in paths],
            names=list(names),
        )
        return told

    async def paint(self, errand: str, path: Path, **arguments: Any) -> Any:
        """Have something made of a file, in a child process.

        Raises
        ------
        UnknownInstanceError
            If the file was removed meanwhile.
        """
        try:
            return await self.painter.run(
                errand, self.service.settings.export_seconds, path=str(path), **arguments
            )
        except DelineateError:
            if not await run_in_threadpool(path.exists):
                raise UnknownInstanceError("this instance was removed") from None
            raise

    def keep(
        self,
        tenant: str,
        parts: Sequence[Part],
        told: Sequence[dict[str, Any]],
        source: Source,
        study: str = "",
    ) -> list[Outcome]:
        """Keep files that came in and index them; on the disk before this returns.

        Parameters
        ----------
        tenant
            Whose they are.
        parts, told
            The files, and what :meth:`read` says of each.
        source
            How they came.
        study
            The only study that they may be of, if any.
        """
        store = self.service.store.of(tenant)
        found = [_of_study(one, study) for one in records(told)]
        good = [one for one in found if isinstance(one, Record)]
        new = [
            one.digest
            for part, one in zip(parts, found, strict=True)
            if isinstance(one, Record) and _keep(store, part.path, one.digest)
        ]
        for folder in {own_file(store, one.digest).parent for one in good}:
            _sync(folder)
        answers = dicom_index.add(self.database, tenant, good, "own", "")
        drop_unused(self.database, store, new)
        kept = [one for one, refusal in zip(good, answers, strict=True) if refusal is None]
        self._await_rest(tenant, kept, source)
        refusals = iter(answers)
        return [
            _outcome(raw, next(refusals) if isinstance(one, Record) else one)
            for one, raw in zip(found, told, strict=True)
        ]

    def _await_rest(self, tenant: str, records: Sequence[Record], source: Source) -> None:
        """Look at each series once nothing has come for a while, or when it is complete."""
        expected: dict[str, int] = {}
        for record in records:
            said = text_of(record.attributes, _IN_SERIES)
            count = int(said) if said.isdigit() else 0
            expected[record.uids[1]] = max(count, expected.get(record.uids[1], 0))
        with self.database.begin() as connection:
            for series, count in expected.items():
                there = connection.execute(
                    sa.select(sa.func.count())
                    .select_from(INSTANCES.join(SERIES, INSTANCES.c.series == SERIES.c.id))
                    .where(SERIES.c.tenant == tenant, SERIES.c.series_instance_uid == series)
                ).scalar_one()
                wait = self.service.settings.series_quiet_seconds
                is_complete = source == "pull" or 0 < count <= there
                dicom_tasks.put(
                    connection,
                    tenant,
                    "complete",
                    series,
                    {"source": source},
                    0.0 if is_complete else wait,
                )


def own_file(store: TenantStore, digest: str) -> Path:
    """Where the node keeps a file of these contents that is in no image."""
    return store.dicom / digest[:2] / digest


def drop_unused(database: sa.Engine, store: TenantStore, digests: Sequence[str]) -> None:
    """Remove the node's own files of these contents that no instance is."""
    here = INSTANCES.c
    for start in range(0, len(digests), _CHUNK):
        some = digests[start : start + _CHUNK]
        mine = sa.and_(here.tenant == store.tenant, here.holder == "own", here.name.in_(some))
        with database.connect() as connection:
            used = set(connection.execute(sa.select(here.name).where(mine)).scalars())
        for digest in set(some) - used:
            own_file(store, digest).unlink(missing_ok=True)


def _outcome(raw: dict[str, Any], refusal: Refusal | None) -> Outcome:
    """What became of a file of which this was read."""
    attributes = raw.get("attributes", {})
    tags = ("00080016", "00080018", "0020000D", "0020000E")
    sop_class, instance, study, series = (text_of(attributes, tag) for tag in tags)
    sop_class, instance = sop_class or raw.get("sop_class", ""), instance or raw.get("instance", "")
    return Outcome(sop_class, instance, study, series, refusal)


def _of_study(one: Record | Refusal, study: str) -> Record | Refusal:
    if study and isinstance(one, Record) and one.uids[0] != study:
        return Refusal(0xA900, "it is of another study than the address")
    return one


def _keep(store: TenantStore, path: Path, digest: str) -> bool:
    """Move a file to its place; whether it was not there."""
    target = own_file(store, digest)
    with room():
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            return False
        _sync(path)
        path.rename(target)
        return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with room():
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _node(request: Request) -> Node:
    node: Node = request.app.state.dicomweb
    return node


Dicom = Annotated[Node, Depends(_node)]
