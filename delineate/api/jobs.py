"""``/v1/jobs``: start, follow, cancel, fetch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from delineate.api.faults import documented
from delineate.api.state import Service
from delineate.errors import ConflictError
from delineate.jobs.table import Job

__all__ = ["router"]

router = APIRouter(tags=["jobs"])

_CHECK_SECONDS = 60.0
_LOOK_SECONDS = 0.25


class JobRequest(BaseModel):
    """What to find in what."""

    model_config = ConfigDict(extra="forbid")

    image_id: str = Field(max_length=100)
    detector: str = Field(max_length=200)
    series: str | None = Field(None, max_length=200)
    options: dict[str, Any] = Field(default_factory=dict, max_length=200)


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
    image_id: str
    series: str
    detector: str
    options: dict[str, Any]
    attempts: int
    created: str = Field(description="UTC, as 2026-01-01T12:00:00.000Z.")
    started: str | None
    finished: str | None


def _found(job_id: str, service: Service) -> Job:
    return service.table.get(job_id)


def _done(job: Annotated[Job, Depends(_found)]) -> Job:
    if job.state != "done":
        why = f": {job.error_message}" if job.error_message else ""
        raise ConflictError(f"job {job.id} has no result, it is {job.state}{why}")
    return job


Found = Annotated[Job, Depends(_found)]
Done = Annotated[Job, Depends(_done)]


@router.post(
    "/jobs",
    status_code=202,
    response_model=JobDocument,
    responses=documented(404, 413, 422),
)
async def submit(asked: JobRequest, response: Response, service: Service) -> dict[str, Any]:
    """Queue a job, after everything that can be checked before has been."""
    stored = await run_in_threadpool(service.store.image, asked.image_id)
    series = stored.series(asked.series)
    options = await service.librarian.run(
        "check", _CHECK_SECONDS, detector=asked.detector, options=asked.options, series=series
    )
    job = await run_in_threadpool(
        service.table.submit,
        image_id=asked.image_id,
        series=series["id"],
        detector=asked.detector,
        options=options,
        enqueue=service.engine.enqueue,
    )
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job.to_json()


@router.get("/jobs/{job_id}", response_model=JobDocument, responses=documented(404))
def state(job: Found) -> dict[str, Any]:
    """How a job stands."""
    return job.to_json()


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse, responses=documented(404))
async def events(job: Found, service: Service) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events named ``job``, one for every change, until the job ends."""
    while True:
        told = job.to_json()
        yield ServerSentEvent(event="job", data=told)
        while job.to_json() == told:
            if job.ended:
                return
            await asyncio.sleep(_LOOK_SECONDS)
            job = await run_in_threadpool(service.table.get, job.id)


@router.delete(
    "/jobs/{job_id}",
    status_code=202,
    response_model=JobDocument,
    responses=documented(404, 409),
)
def cancel(job_id: str, service: Service) -> dict[str, Any]:
    """Ask a job to stop."""
    return service.table.cancel(job_id).to_json()


@router.get(
    "/jobs/{job_id}/result",
    response_class=FileResponse,
    responses={
        200: {"description": "The delineation.", "content": {"application/json": {}}},
        **documented(404, 409),
    },
)
def result(job: Done, request: Request, service: Service) -> FileResponse:
    """What was found."""
    path = service.store.attempt(job) / "delineation.json"
    headers = {"Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        path, headers["Content-Encoding"] = path.with_suffix(".json.gz"), "gzip"
    return FileResponse(path, headers=headers, media_type="application/json")


@router.get(
    "/jobs/{job_id}/exports/{format}",
    response_class=FileResponse,
    responses={
        200: {"description": "A file.", "content": {"application/octet-stream": {}}},
        **documented(404, 409, 422, 507),
    },
)
async def export(job: Done, format: str, service: Service) -> FileResponse:  # noqa: A002
    """What was found, in another format."""
    folder = service.store.attempt(job)
    kept = folder / "exports" / format if format.isalnum() and format.isascii() else None
    if kept is None or not kept.is_dir():
        service.store.check_room()
        stored = await run_in_threadpool(service.store.image, job.image_id)
        made = await service.writer.run(
            "export",
            service.settings.export_seconds,
            result=str(folder),
            paths=[str(path) for path in stored.files],
            series=job.series,
            format=format,
        )
        kept = Path(made)
    path = next(kept.iterdir())
    return FileResponse(path, filename=f"{job.id}-{path.name}")
