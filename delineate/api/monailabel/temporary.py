"""Images that are kept for a while: those of sessions, and those sent with a request."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from delineate.api.monailabel.subjects import datastore_of
from delineate.api.state import State
from delineate.api.taking import looked_into
from delineate.errors import ConflictError, NotFoundError
from delineate.jobs import dicom_index
from delineate.jobs.datastore import Session
from delineate.jobs.log import log
from delineate.jobs.store import TenantStore
from delineate.jobs.upload import Part

__all__ = ["AS_SENT", "LONGEST_SECONDS", "close", "open_session", "sweep", "tended"]

LONGEST_SECONDS = 3600
_EVERY_SECONDS = 5.0
AS_SENT = {"uneven": "refuse", "spacing_mm": None}


async def open_session(
    service: State,
    store: TenantStore,
    folder: Path,
    parts: Sequence[Part],
    expiry: int = LONGEST_SECONDS,
) -> Session:
    """Keep what came until nobody asks for it any more.

    It gets an id of its own, so that nobody else's image goes with it who sent the same files.
    """
    document = await looked_into(service, folder, parts, AS_SENT)
    document["id"] = secrets.token_hex(32)
    stored = await run_in_threadpool(store.keep, folder, document)
    opened: Session = await run_in_threadpool(
        datastore_of(service).open_session, store.tenant, stored.document["id"], expiry
    )
    return opened


def close(service: State, session: Session) -> None:
    """Drop a session, its image, and what was found in it."""
    kept, store = datastore_of(service), service.store.of(session.tenant)
    for job_id in kept.jobs_on(session.tenant, session.image_id):
        with suppress(ConflictError, NotFoundError):
            service.table.cancel(job_id, tenant=session.tenant)
        with suppress(ConflictError, NotFoundError):  # it ends shortly, and keeps nothing
            service.table.forget(job_id, tenant=session.tenant)
            store.remove_results(job_id)
            dicom_index.forget(service.database, session.tenant, "job", job_id)
    with suppress(NotFoundError):
        store.remove_image(session.image_id)
    kept.close_session(session)


@asynccontextmanager
async def tended(service: State) -> AsyncIterator[None]:
    """Drop what has expired, now and then, for the life of the block."""
    sweeper = asyncio.create_task(_sweep(service))
    try:
        yield
    finally:
        sweeper.cancel()
        with suppress(asyncio.CancelledError):
            await sweeper


async def _sweep(service: State) -> None:
    while True:
        try:
            await run_in_threadpool(sweep, service)
        except (SQLAlchemyError, OSError) as error:  # it is tried again
            log.warning("sessions not swept", error=type(error).__name__)
        await asyncio.sleep(_EVERY_SECONDS)


def sweep(service: State) -> None:
    """Drop the sessions that have expired."""
    now = int(time.time())
    for session in datastore_of(service).sessions():
        if session.used + session.expiry < now:
            close(service, session)
