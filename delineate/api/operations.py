"""``/healthz``, ``/readyz`` and ``/metrics``: what whoever runs the service asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import sqlalchemy as sa
from anyio.to_thread import run_sync
from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from delineate.api.access import Admin
from delineate.api.faults import documented
from delineate.api.state import Service, State
from delineate.jobs import metrics
from delineate.jobs.keys import LOCAL

__all__ = ["installed_version", "router"]

router = APIRouter(tags=["service"])

_CHECK_SECONDS = 3.0


class Health(BaseModel):
    """Answer of ``/healthz``."""

    status: str
    version: str
    workers: int


Told = Literal["ok", "failed"]


class Readiness(BaseModel):
    """Answer of ``/readyz``: what is not ``ok`` has to be mended first."""

    ready: bool
    database: Told
    storage: Told
    workers: Told


@router.get("/healthz", responses=documented())
async def health(service: Service) -> Health:
    """Whether the service runs, and how many workers live; none while the database is away."""
    live: tuple[str, ...] = ()
    with suppress(TimeoutError, SQLAlchemyError):
        async with asyncio.timeout(_CHECK_SECONDS):
            live = await run_sync(service.presence.alive, abandon_on_cancel=True)
    return Health(status="ok", version=installed_version(), workers=len(live))


@router.get(
    "/readyz",
    responses={503: {"model": Readiness, "description": "Not yet, or not now."}, **documented()},
)
async def ready(response: Response, service: Service) -> Readiness:
    """Whether work that is sent now would be done: database, storage and a worker are there."""
    checks = (_database, _storage, _workers)
    told = dict(
        zip(
            ("database", "storage", "workers"),
            await asyncio.gather(*(_told(check, service) for check in checks)),
            strict=True,
        )
    )
    found = Readiness(ready=all(one == "ok" for one in told.values()), **told)
    response.status_code = 200 if found.ready else 503
    return found


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "For Prometheus.", "content": {"text/plain": {}}},
        **documented(),
    },
)
def numbers(_who: Admin, service: Service) -> Response:
    """Numbers of all processes of this machine, and of the queue."""
    metrics.memory("api")
    return Response(metrics.exposition(service.database), media_type=metrics.MEDIA_TYPE)


async def _told(check: Callable[[State], None], service: State) -> Told:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await run_sync(check, service, abandon_on_cancel=True)
    except Exception:  # whichever: it is the log of the calls that tells why
        return "failed"
    return "ok"


def _database(service: State) -> None:
    with service.database.connect() as connection:
        connection.execute(sa.text("SELECT 1"))


def _storage(service: State) -> None:
    service.store.check_room()
    with service.store.of(LOCAL.tenant).incoming():
        pass


def _workers(service: State) -> None:
    if not service.presence.alive():
        raise LookupError


def installed_version() -> str:
    """Version of delineate."""
    try:
        return version("delineate")
    except PackageNotFoundError:  # run from a checkout
        return "unknown"
