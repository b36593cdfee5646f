"""Works off what the node has still to do: one task after the other, beside the calls."""

from __future__ import annotations

import asyncio
import json
import math
import time
from contextlib import suppress
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from delineate.api.dicomweb.node import Node, drop_unused
from delineate.api.dicomweb.series import complete, tie
from delineate.api.jobs import Wanted, check, queue
from delineate.api.monailabel.subjects import datastore_of
from delineate.api.results import Drawn, made
from delineate.errors import DelineateError, NotFoundError, RemoteError, StorageFullError
from delineate.jobs import dicom_index, dicom_results, dicom_tasks
from delineate.jobs.dicom_client import Remote
from delineate.jobs.dicom_record import Record, records
from delineate.jobs.dicom_tables import INSTANCES, TASKS
from delineate.jobs.keys import RIGHTS, Principal
from delineate.jobs.log import log
from delineate.jobs.rules import Rule, Source
from delineate.jobs.table import Job
from delineate.jobs.upload import Reception

__all__ = ["Clerk"]

_POLL_SECONDS = 1.0
_SWEEP_SECONDS, _TIDY_SECONDS = 60.0, 600.0
_RULE = "rule:"
# What may go well later; anything else is as wrong tomorrow.
_PASSING = (StorageFullError, SQLAlchemyError, OSError)
Task = sa.Row[Any]


class Clerk:
    """Does the tasks of all tenants."""

    def __init__(self, node: Node) -> None:
        self._node, self._service = node, node.service

    async def run(self) -> None:
        """Work until cancelled."""
        due = {self._adopt: 0.0, self._sweep: 0.0, self._tidy: time.monotonic() + _TIDY_SECONDS}
        pauses = {self._adopt: math.inf, self._sweep: _SWEEP_SECONDS, self._tidy: _TIDY_SECONDS}
        while True:
            self._node.wake.clear()
            with suppress(SQLAlchemyError, OSError):  # the database may be away; it is asked again
                for work in [one for one, when in due.items() if when <= time.monotonic()]:
                    await run_in_threadpool(work)
                    due[work] = time.monotonic() + pauses[work]
                while (
                    task := await run_in_threadpool(dicom_tasks.take, self._database)
                ) is not None:
                    await self._do(task)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._node.wake.wait(), _POLL_SECONDS)

    async def _next(self) -> Task | None:
        return await run_in_threadpool(dicom_tasks.take, self._database)

    @property
    def _database(self) -> sa.Engine:
        return self._node.database

    def _adopt(self) -> None:
        """Index images of which a killed process could not say that they came."""
        with self._database.connect() as connection:
            subjects = sa.select(TASKS.c.subject).where(TASKS.c.kind == "index")
            known = set(connection.execute(subjects).scalars())
        known |= {one.image_id for one in datastore_of(self._service).sessions()}
        for store in self._service.store.tenants():
            for image_id in store.ids():
                if image_id not in known:
                    with suppress(NotFoundError):
                        dicom_index.index(self._database, store.tenant, store.image(image_id))

    def _sweep(self) -> None:
        """Offer the results of which a killed worker could not say that they are there."""
        for tenant, job_id in dicom_results.missed(self._database):
            self._put(tenant, "offer", job_id, {})

    def _tidy(self) -> None:
        """Forget instances whose image or job is gone, and files that are in an image now."""
        here = INSTANCES.c
        wanted = sa.select(here.tenant, here.holder, here.holder_id).distinct()
        with self._database.connect() as connection:
            held = connection.execute(wanted.where(here.holder != "own")).all()
        for tenant, holder, holder_id in held:
            try:
                if holder == "image":
                    self._service.store.of(tenant).document(holder_id)
                else:
                    self._service.table.get(holder_id, tenant=tenant)
            except NotFoundError:
                dicom_index.forget(self._database, tenant, holder, holder_id)
        now, days = time.time(), self._service.settings.retention_days
        for store in self._service.store.tenants():
            files = {path.name: path.stat() for path in store.dicom.glob("*/*")}
            if days:
                end = now - days * 86_400
                old = [name for name, one in files.items() if one.st_mtime < end]
                dicom_index.forget_own(self._database, store.tenant, old)
            stale = [name for name, one in files.items() if one.st_ctime < now - _TIDY_SECONDS]
            drop_unused(self._database, store, stale)

    def _put(self, tenant: str, kind: str, subject: str, details: dict[str, Any]) -> None:
        with self._database.begin() as connection:
            dicom_tasks.put(connection, tenant, kind, subject, details)

    async def _do(self, task: Task) -> None:
        kinds = {
            "index": self._index,
            "complete": self._complete,
            "offer": self._offer,
            "push": self._push,
            "pull": self._pull,
        }
        try:
            details = await kinds[task.kind](task)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            known = isinstance(error, DelineateError)
            again = isinstance(error, _PASSING) or (
                isinstance(error, RemoteError) and error.temporary
            )
            log.warning("task failed", error=type(error).__name__, where=task.kind)
            said = error if known else DelineateError(f"an unexpected {type(error).__name__}")
            await run_in_threadpool(dicom_tasks.failed, self._database, task, said, again)
        else:
            await run_in_threadpool(dicom_tasks.done, self._database, task, details)

    async def _index(self, task: Task) -> dict[str, Any]:
        """Read the files of an image that came by upload."""
        try:
            stored = self._service.store.of(task.tenant).image(task.subject)
        except NotFoundError:
            return {}
        paths = stored.files
        told = await self._node.read(paths, [path.name for path in paths])
        good = [one for one in records(told) if isinstance(one, Record)]
        await run_in_threadpool(
            dicom_index.add, self._database, task.tenant, good, "image", task.subject
        )
        whole, in_part = await run_in_threadpool(tie, self._database, task.tenant, stored, good)
        for study, series in whole:
            await self._start_jobs(task.tenant, task.subject, study, series, "upload")
        for _, series in in_part:
            await run_in_threadpool(
                self._put, task.tenant, "complete", series, {"source": "upload"}
            )
        return {"instances": len(good)}

    async def _complete(self, task: Task) -> dict[str, Any]:
        """Make an image of a series to which nothing has come for a while."""
        found = await complete(self._node, task.tenant, task.subject)
        if found.image_id is None:
            return {"refused": found.reason}
        source = task.details.get("source", "stow")
        jobs = await self._start_jobs(
            task.tenant, found.image_id, found.study, task.subject, source
        )
        return {"image_id": found.image_id, "jobs": jobs}

    async def _start_jobs(
        self, tenant: str, image_id: str, study: str, series: str, source: Source
    ) -> list[str]:
        """Start the jobs that rules have for a series; each once for an image."""
        rules = await run_in_threadpool(
            self._node.rules.fitting, self._database, tenant, study, series, source
        )
        return [
            job.id
            for rule in rules
            if (job := await self._start(tenant, image_id, series, rule)) is not None
        ]

    async def _start(self, tenant: str, image_id: str, series: str, rule: Rule) -> Job | None:
        who = Principal(tenant, f"{_RULE}{rule.name}", frozenset(RIGHTS))
        fields = rule.model_dump(include={"detector", "options", "queue", "priority"})
        asked = Wanted.model_validate({**fields, "series": series})
        try:
            stored = await run_in_threadpool(self._service.store.of(tenant).image, image_id)
            checked = await check(self._service, who, stored, asked)
            key = f"{_RULE}{rule.name}:{image_id}:{series}"
            return await run_in_threadpool(queue, self._service, who, image_id, checked, key=key)
        except DelineateError as error:  # this series is none for this detector
            log.warning("rule not followed", error=type(error).__name__, detector=rule.detector)
            return None

    async def _offer(self, task: Task) -> dict[str, Any]:
        """Make the result of a job a series, or several, beside its source."""
        tenant, store = task.tenant, self._service.store.of(task.tenant)
        try:
            job = await run_in_threadpool(self._service.table.get, task.subject, tenant=tenant)
            stored = await run_in_threadpool(store.image, job.image_id)
        except NotFoundError:
            return {}
        is_known = await run_in_threadpool(
            dicom_index.is_known, self._database, tenant, job.image_id
        )
        if job.state != "done" or not is_known or not dicom_results.is_dicom(stored, job.series):
            return {}
        folder = store.attempt(job)
        possible = {one["format"] for one in json.loads((folder / "formats.json").read_bytes())}
        formats = [one for one in self._service.settings.offered if one in possible]
        files = {}
        for one in formats:
            made_in = await made(job, one, Drawn.model_validate({}), self._service)
            files[one] = next((made_in / "file").iterdir())
        names = [str(path.relative_to(folder)) for path in files.values()]
        told = await self._node.read(list(files.values()), names)
        good = [one for one in records(told) if isinstance(one, Record)]
        refusals = await run_in_threadpool(
            dicom_index.add, self._database, tenant, good, "job", job.id
        )
        if not task.details.get("pushed"):
            await run_in_threadpool(self._push_by_rule, tenant, job)
        return {"formats": formats, "refused": [one.reason for one in refusals if one]}

    def _push_by_rule(self, tenant: str, job: Job) -> None:
        name = (job.key or "").removeprefix(_RULE).partition(":")[0]
        rule = self._node.rules.named(name) if (job.key or "").startswith(_RULE) else None
        if rule is not None and rule.push is not None:
            details = {"server": rule.push.server, "formats": list(rule.push.formats)}
            self._put(tenant, "push", f"{job.id}>{rule.push.server}", details)

    async def _push(self, task: Task) -> dict[str, Any]:
        """Send results to another server."""
        job_id = task.subject.partition(">")[0]
        server = self._node.rules.find(task.details["server"])
        job = await run_in_threadpool(self._service.table.get, job_id, tenant=task.tenant)
        paths = []
        for one in task.details["formats"]:
            made_in = await made(job, one, Drawn.model_validate({}), self._service)
            paths.append(next((made_in / "file").iterdir()))

        def send() -> int:
            with Remote(server) as remote:
                return remote.store(paths)

        return {"instances": await run_in_threadpool(send)}

    async def _pull(self, task: Task) -> dict[str, Any]:
        """Fetch a series, or all of a study, from another server."""
        server = self._node.rules.find(task.details["server"])
        study, series = task.details["study"], task.details["series"]
        service, store = self._service, self._service.store.of(task.tenant)
        with store.incoming() as folder:
            reception = Reception(service.store, service.settings, folder)

            def fetch() -> list[str]:
                try:
                    with Remote(server) as remote:
                        wanted = [series] if series else remote.series_of(study)
                        for one in wanted:
                            remote.retrieve(study, one, reception)
                    return wanted
                finally:
                    reception.close()

            uids = await run_in_threadpool(fetch)
            paths = [part.path for part in reception.parts]
            told = await self._node.read(paths, [""] * len(paths))
            told = [{**one, "name": one.get("digest", "")} for one in told]
            keep = partial(self._node.keep, task.tenant, reception.parts, told, "pull", study)
            outcomes = await run_in_threadpool(keep)
        refused = sorted({one.refusal.reason for one in outcomes if one.refusal is not None})
        kept = sum(one.refusal is None for one in outcomes)
        if not kept:
            raise RemoteError(f"{server.name} sent no instance that can be kept: {refused[:3]}")
        self._node.wake.set()
        return {"instances": kept, "refused": refused, "all_series": uids}
