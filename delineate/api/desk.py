"""What uploads that come file by file need for the life of the API process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from starlette.concurrency import run_in_threadpool

from delineate.errors import DelineateError, UnreadableFileError
from delineate.jobs.assistant import Assistant
from delineate.jobs.ingest import Ingest
from delineate.jobs.intake import Upload
from delineate.jobs.log import log
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store

__all__ = ["Desk"]

_SWEEP_SECONDS = 60.0
_SURVEY_SECONDS = 60.0
_SHORTEST_PAUSE = 1.0
_SHARE = 5.0  # looking again takes at most one part in so many and one of the time

Outcome = dict[str, Any]


class Desk:
    """Keeps uploads, surveys what has come of them, and completes them.

    ``ingest`` has the uploads. Surveys are made by a process of their own, when somebody asks and
    something new has come, and never so often that they hold up the rest.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.ingest = Ingest(settings, store)
        self._store = store
        self._surveyor = Assistant(blame=UnreadableFileError)
        self._surveying: set[str] = set()
        self._due: dict[str, float] = {}
        self._asked = time.monotonic()
        self._completing: dict[str, asyncio.Task[Outcome]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def survey(self, upload: Upload) -> None:
        """Have the geometry of what has come looked at soon, if that is due; returns at once."""
        self._asked = time.monotonic()
        seen = upload.geometry["files"] if upload.geometry else 0
        due = self._asked >= self._due.get(upload.id, 0.0)
        if due and len(upload.files) != seen and upload.id not in self._surveying:
            self._surveying.add(upload.id)
            self._start(self._survey(upload))

    async def complete(
        self, upload: Upload, work: Callable[[], Awaitable[tuple[str, str | None]]]
    ) -> Outcome:
        """Do what completion takes, once: whoever asks meanwhile waits for the same.

        Parameters
        ----------
        upload
            What was asked for stands in it.
        work
            Gives the ids of the image and the job. What it raises opens the upload again.
        """
        if (done := upload.done) is not None:
            return done
        task = self._completing.get(upload.id)
        if task is None:
            task = asyncio.create_task(self._complete(upload, work))
            self._completing[upload.id] = task
            task.add_done_callback(lambda _: self._completing.pop(upload.id, None))
        return await asyncio.shield(task)  # goes on if whoever asked has left

    def is_completing(self, upload: Upload) -> bool:
        """Whether somebody has it completed just now."""
        return upload.id in self._completing

    async def tend(self) -> None:
        """Drop what has expired, again and again, until cancelled."""
        while True:
            with suppress(OSError):
                for store in self._store.tenants():
                    await run_in_threadpool(self.ingest.sweep, store)
            now = time.monotonic()
            self._due = {one: when for one, when in self._due.items() if when > now}
            if now - self._asked > _SWEEP_SECONDS and not self._surveying:
                await self._surveyor.close()
            await asyncio.sleep(_SWEEP_SECONDS)

    async def close(self) -> None:
        """Stop; what is half complete goes on when the next process starts."""
        tasks = [*self._tasks, *self._completing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._surveyor.close()

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _survey(self, upload: Upload) -> None:
        began = time.monotonic()
        try:
            upload.geometry = await self._surveyor.run(
                "survey", _SURVEY_SECONDS, folder=str(upload.folder), **upload.reading
            )
        except DelineateError as error:  # what it has of now stays
            log.warning("survey failed", error=type(error).__name__)
        finally:
            took = time.monotonic() - began
            self._due[upload.id] = time.monotonic() + max(_SHORTEST_PAUSE, _SHARE * took)
            self._surveying.discard(upload.id)

    async def _complete(
        self, upload: Upload, work: Callable[[], Awaitable[tuple[str, str | None]]]
    ) -> Outcome:
        try:
            image_id, job_id = await work()
        except Exception:  # not a cancellation: the next process takes that up
            await run_in_threadpool(upload.withdraw)
            raise
        await run_in_threadpool(upload.finish, image_id, job_id)
        return {"image_id": image_id, "job_id": job_id}
