"""``/v1/jobs``: start, follow, cancel, fetch."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Principal, Reader, Runner
from delineate.api.faults import documented
from delineate.api.state import Service, State
from delineate.errors import ConflictError, OptionError
from delineate.jobs.corrections import CORRECTION
from delineate.jobs.lifeline import stopping
from delineate.jobs.store import StoredImage
from delineate.jobs.table import Job

__all__ = ["Found", "JobDocument", "Wanted", "check", "queue", "router"]

router = APIRouter(tags=["jobs"])

_CHECK_SECONDS = 60.0
# Between two looks at a job: a twentieth of how long it has been watched, within these.
_LOOK_SECONDS = (0.03, 0.5)


class Wanted(BaseModel):
    """What to find, and how."""

    model_config = ConfigDict(extra="forbid")

    detector: str = Field(max_length=200)
    series: str | None = Field(None, max_length=200)
    options: dict[str, Any] = Field(default_factory=dict, max_length=200)
    modality: str | None = Field(
        None, max_length=16, description="What it is, where its files do not say it."
    )
    queue: str | None = Field(
        None,
        pattern="^[a-z0-9-]{1,32}$",
        description="Which workers do it; by default those that the service has for the detector.",
    )
    priority: int = Field(5, ge=0, le=9, description="Those of a higher one are done first.")


class JobRequest(Wanted):
    """What to find in what."""

    image_id: str = Field(max_length=100)


class JobError(BaseModel):
    """Why a job failed."""

    code: str
    message: str


class JobDocument(BaseModel):
    """A job, as ``docs/rest.md`` has it."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stage: str
    progress: float = Field(ge=0, le=1)
    error: JobError | None
    dead: bool = Field(description="Failed through no fault of its input: worth a retry.")
    image_id: str
    series: str
    detector: str
    options: dict[str, Any]
    modality: str | None
    queue: str
    priority: int
    attempts: int
    causes: list[str] = Field(description="Why earlier attempts ended.")
    retry_of: str | None
    created: str = Field(description="UTC, as 2026-01-01T12:00:00.000Z.")
    started: str | None
    finished: str | None


def _found(job_id: str, who: Reader, service: Service) -> Job:
    return service.table.get(job_id, tenant=who.tenant)


Found = Annotated[Job, Depends(_found)]


def _sealed(key: str | None) -> str | None:
    """What is kept of a sender's key, which may be made of names; apart from keys of our own."""
    return key and "sent:" + hashlib.sha256(key.encode()).hexdigest()


IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern="^[!-~]{1,200}$",
        description="Chosen by the sender: the same request with the same key is the same job.",
    ),
    AfterValidator(_sealed),
]


@router.post(
    "/jobs",
    status_code=202,
    response_model=JobDocument,
    responses=documented(404, 409, 413, 422),
)
async def submit(
    asked: JobRequest,
    response: Response,
    who: Runner,
    service: Service,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Queue a job, after everything that can be checked before has been."""
    store = service.store.of(who.tenant)
    stored = await run_in_threadpool(store.image, asked.image_id)
    checked = await check(service, who, stored, asked)
    job = await run_in_threadpool(queue, service, who, asked.image_id, checked, key=idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job.to_json()


async def check(
    service: State, who: Principal, stored: StoredImage, asked: Wanted
) -> dict[str, Any]:
    """What of a job can be checked before it runs; its fields, all with their values.

    Raises
    ------
    UnknownDetectorError, UnknownImageError, InputError
        If it cannot be done.
    """
    name = asked.queue or service.settings.queue_for(asked.detector)
    if name not in service.settings.queues:
        raise OptionError(
            f"there is no queue {name!r}, this service has "
            f"{', '.join(service.settings.queues)}; a job for another would wait for ever"
        )
    store, series = service.store.of(who.tenant), stored.series(asked.series)
    checked = await service.librarian.run(
        "check",
        _CHECK_SECONDS,
        detector=asked.detector,
        options=asked.options,
        series=series,
        modality=asked.modality,
    )
    for other in checked["images"]:
        (await run_in_threadpool(store.image, other)).series(None)
    exact = {"series": series["id"], "options": checked["options"], "queue": name}
    return {**asked.model_dump(), **exact}


def queue(
    service: State, who: Principal, image_id: str, checked: dict[str, Any], key: str | None
) -> Job:
    """Hand a checked job to the engine."""
    fields = {**checked, "image_id": image_id, "tenant": who.tenant}
    return service.table.submit(**fields, key=key, enqueue=service.engine.enqueue)


class JobPage(BaseModel):
    """Some jobs, and where the next ones begin."""

    jobs: list[JobDocument]
    next: str | None


@router.get("/jobs", response_model=JobPage, responses=documented())
def jobs(
    who: Reader,
    service: Service,
    state: Annotated[
        Literal["queued", "running", "done", "failed", "cancelled", "dead"] | None,
        Query(description="Those in this state only; 'dead': failed, and worth a retry."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(max_length=26, description="'next' of a page.")] = None,
) -> dict[str, Any]:
    """The jobs, the newest first."""
    page = service.table.page(who.tenant, state=state, limit=limit + 1, after=after)
    told = [job.to_json() for job in page[:limit]]
    return {"jobs": told, "next": told[-1]["id"] if len(page) > limit else None}


@router.get("/jobs/{job_id}", response_model=JobDocument, responses=documented(404))
def state(job: Found) -> dict[str, Any]:
    """How a job stands."""
    return job.to_json()


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse, responses=documented(404))
async def events(job: Found, service: Service) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events named ``job``, one for every change, until the job ends.

    A service that stops ends the stream before; ask again.
    """
    began, (shortest, longest) = time.monotonic(), _LOOK_SECONDS
    while True:
        told = job.to_json()
        yield ServerSentEvent(event="job", data=told)
        while job.to_json() == told:
            if job.ended or stopping.is_set():
                return
            watched = time.monotonic() - began
            await asyncio.sleep(min(longest, max(shortest, watched / 20)))
            job = await run_in_threadpool(service.table.get, job.id, tenant=job.tenant)


@router.delete(
    "/jobs/{job_id}",
    status_code=202,
    response_model=JobDocument,
    responses=documented(404, 409),
)
def cancel(job_id: str, who: Runner, service: Service) -> dict[str, Any]:
    """Ask a job to stop."""
    return service.table.cancel(job_id, tenant=who.tenant).to_json()


@router.post(
    "/jobs/{job_id}/retry",
    status_code=202,
    response_model=JobDocument,
    responses=documented(404, 409, 422),
)
async def retry(job_id: str, response: Response, who: Runner, service: Service) -> dict[str, Any]:
    """Queue a job that failed or was cancelled once more, as a new one."""
    job = await run_in_threadpool(service.table.get, job_id, tenant=who.tenant)
    if job.state not in ("failed", "cancelled"):
        raise ConflictError(f"job {job.id} is {job.state}; one that failed can be tried again")
    stored = await run_in_threadpool(service.store.of(who.tenant).image, job.image_id)
    asked = Wanted(**{name: getattr(job, name) for name in Wanted.model_fields})
    if job.detector == CORRECTION:  # its labels are still kept, and were checked
        checked = asked.model_dump()
    else:
        checked = await check(service, who, stored, asked)
    again = await run_in_threadpool(
        queue, service, who, job.image_id, {**checked, "retry_of": job.id}, key=f"retry:{job.id}"
    )
    response.headers["Location"] = f"/v1/jobs/{again.id}"
    return again.to_json()
