"""Writes the audit of the calls, in batches, so that a call waits for at most one write."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from delineate.jobs.audit import AuditTrail, Deed
from delineate.jobs.log import log

__all__ = ["Ledger", "named"]

_PATIENCE_SECONDS = 5.0
_SAME_SECONDS = 300.0
_MOST = 10_000
_TELL_SECONDS = 3600.0

# What is named in the audit: ids that we made and DICOM's UIDs. What a client made up is not: a
# patient's name would otherwise be one wrong address away from it.
_NAMED = ("image_id", "job_id", "upload_id", "study", "series", "instance")
_ID = re.compile(r"[0-9a-f]{16,64}|[0-9A-HJKMNP-TV-Z]{26}|[0-2](\.[0-9]+){3,}")


def named(parameters: Mapping[str, object], location: str = "") -> str:
    """The ids among the parameters of an address, or the one that an answer's ``Location`` ends in.

    Instances of a series are not told apart, so that fetching one series is one deed.
    """
    told = [str(parameters[name]) for name in _NAMED[:-1] if name in parameters]
    told = told or [location.rsplit("/", 1)[-1]]
    return "/".join(one for one in told if len(one) <= 64 and _ID.fullmatch(one))


class Ledger:
    """Takes deeds and writes them.

    What changes something is written before its answer is sent. What only reads is written within
    a moment, and once in five minutes for the same reader and object: pages poll.
    """

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._waiting: list[tuple[Deed, asyncio.Future[None] | None]] = []
        self._wake = asyncio.Event()
        self._seen: OrderedDict[Deed, float] = OrderedDict()
        self._told = time.monotonic()
        self._closing = False
        self._task = asyncio.create_task(self._run())

    async def changed(self, deed: Deed) -> None:
        """Note a deed that changed something, or tried to; returns once it is written.

        While the database is away that is not waited for: the deed is written when it is back.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._note(deed, written)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await asyncio.shield(written)

    def read(self, deed: Deed, key: Deed) -> None:
        """Note a deed that only read; ``key`` says which are the same."""
        now = time.monotonic()
        if now - self._seen.get(key, -_SAME_SECONDS) < _SAME_SECONDS:
            return
        self._seen.pop(key, None)  # to the end: the oldest is forgotten first
        self._seen[key] = now
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        self._note(deed, None)

    async def close(self) -> None:
        """Write what waits, if the database answers, and end."""
        self._closing = True
        self._wake.set()
        await self._task

    def _note(self, deed: Deed, written: asyncio.Future[None] | None) -> None:
        if len(self._waiting) < _MOST:
            self._waiting.append((deed, written))
        else:
            log.error("audit lost", request=deed.request)
        self._wake.set()

    async def _run(self) -> None:
        while not self._closing:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                try:
                    await self._write()
                except SQLAlchemyError as error:  # it is written when the database is back
                    log.error("audit waits", error=type(error).__name__)
                    if self._closing:
                        break
                    await asyncio.sleep(1.0)

    async def _write(self) -> None:
        batch, self._waiting = self._waiting, []
        try:
            head = await run_in_threadpool(self._trail.add, [deed for deed, _ in batch])
        except SQLAlchemyError:
            self._waiting = [*batch, *self._waiting]
            raise
        for _, written in batch:
            if written is not None and not written.done():
                written.set_result(None)
        if time.monotonic() - self._told > _TELL_SECONDS:
            self._told = time.monotonic()
            log.info("audit", code=str(head))
