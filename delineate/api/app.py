"""The application: routes, errors, and what starts and ends with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.concurrency import run_in_threadpool

from delineate.api import (
    access,
    cases,
    comparisons,
    contract,
    corrections,
    detectors,
    dicomweb,
    evaluations,
    faults,
    images,
    jobs,
    monailabel,
    operations,
    page,
    references,
    reports,
    results,
    session,
    uploads,
)
from delineate.api.desk import Desk
from delineate.api.guard import Guard, templates
from delineate.api.identity import Identity
from delineate.api.ledger import Ledger
from delineate.api.state import State
from delineate.errors import UnreadableFileError
from delineate.jobs import engine
from delineate.jobs.assistant import Assistant
from delineate.jobs.audit import AuditTrail
from delineate.jobs.keys import KeyRing
from delineate.jobs.liveness import Presence
from delineate.jobs.log import log
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store
from delineate.jobs.table import JobTable

__all__ = ["create"]


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
            database=database,
            store=store,
            table=JobTable(database),
            engine=await run_in_threadpool(engine.DurableQueue, database),
            presence=Presence(settings, database),
            identity=await run_in_threadpool(Identity, settings, KeyRing(database)),
            ledger=Ledger(AuditTrail(database)),
            reader=Assistant(blame=UnreadableFileError),
            writer=Assistant(),
            librarian=Assistant(),
            judge=Assistant(module="delineate.api.judge"),
            disk=CapacityLimiter(4),
            desk=Desk(settings, store),
        )
        log.info("ready")
        service: State = app.state.service
        try:
            async with (
                uploads.tended(service),
                dicomweb.tended(app, service),
                monailabel.tended(service),
            ):
                yield
        finally:
            for assistant in (
                service.reader,
                service.writer,
                service.librarian,
                service.judge,
            ):
                await assistant.close()
            await service.ledger.close()
            database.dispose()

    app = FastAPI(
        title="delineate",
        version=operations.installed_version(),
        description="An image comes in, a detector finds things in it, and what it found leaves "
        "as outlines, numbers and standard files. Lengths in mm, points in the patient's LPS "
        "frame. Research. Not for diagnosis.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    faults.install(app)

    app.include_router(operations.router)
    for router in (
        images.router,
        detectors.router,
        jobs.router,
        results.router,
        references.router,
        comparisons.router,
        cases.router,
        reports.router,
        corrections.router,
        evaluations.router,
        uploads.router,
        session.router,
        dicomweb.own,
    ):
        app.include_router(router, prefix="/v1")
    app.include_router(dicomweb.router)
    app.include_router(monailabel.router, prefix=monailabel.PREFIX)
    app.include_router(monailabel.router, include_in_schema=False)
    page.install(app)
    access.demand_guarded(app)
    app.openapi = lambda: contract.document(app)  # type: ignore[method-assign]
    app.state.templates = templates(app)
    app.add_middleware(access.Door)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["*"],
            max_age=600,
        )
    app.add_middleware(Guard, settings=settings)
    return app
