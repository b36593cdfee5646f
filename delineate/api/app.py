"""The application: routes, errors, and what starts and ends with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from anyio import CapacityLimiter
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from delineate.api import access, detectors, faults, images, jobs, page
from delineate.api.guard import Guard
from delineate.api.state import Service, State
from delineate.errors import UnreadableFileError
from delineate.jobs import engine
from delineate.jobs.assistant import Assistant
from delineate.jobs.liveness import alive
from delineate.jobs.log import log
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store
from delineate.jobs.table import JobTable

__all__ = ["create"]


class Health(BaseModel):
    """Answer of ``/healthz``."""

    status: str
    version: str
    workers: int


def create(settings: Settings | None = None) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    settings
        By default those of the supervisor that started this process.
    """
    settings = settings or Settings.from_environment()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = await run_in_threadpool(engine.prepare, settings)
        store = Store(settings)
        await run_in_threadpool(store.open)
        app.state.service = State(
            settings=settings,
            store=store,
            table=JobTable(database),
            engine=await run_in_threadpool(engine.DurableQueue, database),
            reader=Assistant(blame=UnreadableFileError),
            writer=Assistant(),
            librarian=Assistant(),
            disk=CapacityLimiter(4),
        )
        log.info("ready")
        try:
            yield
        finally:
            service: State = app.state.service
            for assistant in (service.reader, service.writer, service.librarian):
                await assistant.close()
            database.dispose()

    app = FastAPI(
        title="delineate",
        version=_version(),
        description="An image comes in, a detector finds things in it, and what it found leaves "
        "as outlines, numbers and standard files. Lengths in mm, points in the patient's LPS "
        "frame. Research. Not for diagnosis.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    faults.install(app)

    @app.get("/healthz", tags=["service"], responses=faults.documented())
    async def health(service: Service) -> Health:
        """Whether the service runs, and how many workers live."""
        live = alive(service.settings.workers)
        return Health(status="ok", version=_version(), workers=len(live))

    for router in (images.router, detectors.router, jobs.router):
        app.include_router(router, prefix="/v1")
    page.install(app)
    access.demand_guarded(app)
    app.add_middleware(access.Door)
    app.add_middleware(Guard)
    return app


def _version() -> str:
    try:
        return version("delineate")
    except PackageNotFoundError:  # run from a checkout
        return "unknown"
