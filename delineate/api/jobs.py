"""``/v1/jobs``: start, follow, cancel, fetch."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Reader, Runner
from delineate.api.faults import documented
from delineate.api.images import samples_answer
from delineate.api.state import Service
from delineate.errors import ConflictError, ExportError
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
    modality: str | None = Field(
        None, max_length=16, description="What it is, where its files do not say it."
    )


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
    modality: str | None
    attempts: int
    created: str = Field(description="UTC, as 2026-01-01T12:00:00.000Z.")
    started: str | None
    finished: str | None


def _found(job_id: str, _who: Reader, service: Service) -> Job:
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
async def submit(
    asked: JobRequest, response: Response, _who: Runner, service: Service
) -> dict[str, Any]:
    """Queue a job, after everything that can be checked before has been."""
    stored = await run_in_threadpool(service.store.image, asked.image_id)
    series = stored.series(asked.series)
    checked = await service.librarian.run(
        "check",
        _CHECK_SECONDS,
        detector=asked.detector,
        options=asked.options,
        series=series,
        modality=asked.modality,
    )
    for other in checked["images"]:
        (await run_in_threadpool(service.store.image, other)).series(None)
    job = await run_in_threadpool(
        service.table.submit,
        image_id=asked.image_id,
        series=series["id"],
        detector=asked.detector,
        options=checked["options"],
        modality=asked.modality,
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
def cancel(job_id: str, _who: Runner, service: Service) -> dict[str, Any]:
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
    "/jobs/{job_id}/samples",
    response_class=FileResponse,
    responses={
        200: {
            "description": "Samples of a field or a restored image in C order, little-endian, "
            "with the headers of an image's volume.",
            "content": {"application/octet-stream": {}},
        },
        **documented(404, 409, 422, 507),
    },
)
async def samples(job: Done, service: Service) -> FileResponse:
    """The score of every sample, or the restored image, gzipped."""
    folder = service.store.attempt(job)
    body = folder / "samples" / "output.gz"
    if not body.exists():
        service.store.check_room()
        stored = await run_in_threadpool(service.store.image, job.image_id)
        await service.writer.run(
            "output",
            service.settings.export_seconds,
            result=str(folder),
            paths=[str(path) for path in stored.files],
            series=job.series,
            reading={**stored.reading, "modality": job.modality},
            target=str(body),
        )
    return samples_answer(body)


class Offer(BaseModel):
    """A format that a result can be had in."""

    format: str
    title: str
    media_type: str


@router.get("/jobs/{job_id}/exports", response_model=list[Offer], responses=documented(404, 409))
def exports(job: Done, service: Service) -> list[dict[str, str]]:
    """The formats that this result can be had in."""
    offers: list[dict[str, str]] = json.loads(
        (service.store.attempt(job) / "formats.json").read_bytes()
    )
    return offers


class Drawn(BaseModel):
    """How outlines are drawn, and what formats leave open."""

    model_config = ConfigDict(extra="forbid")

    contours: Literal["edge", "midpoint"] = "edge"
    smooth_mm: float = Field(0.0, ge=0, le=100, description="Moves outlines by at most as much.")
    simplify_mm: float = Field(0.0, ge=0, le=100, description="Moves outlines by at most as much.")
    holes: Literal["rings", "xor", "keyhole"] = "rings"
    segments: Literal["binary", "labelmap"] = "binary"


@router.get(
    "/jobs/{job_id}/exports/{format}",
    response_class=FileResponse,
    responses={
        200: {"description": "A file.", "content": {"application/octet-stream": {}}},
        **documented(404, 409, 422, 507),
    },
)
async def export(
    job: Done,
    format: str,  # noqa: A002
    drawn: Annotated[Drawn, Query()],
    service: Service,
) -> FileResponse:
    """What was found, in another format."""
    made = await _made(job, format, drawn, service)
    path = next((made / "file").iterdir())
    return FileResponse(path, filename=f"{job.id}-{path.name}")


@router.get("/jobs/{job_id}/exports/{format}/round-trip", responses=documented(404, 409, 422, 507))
async def round_trip(
    job: Done,
    format: str,  # noqa: A002
    drawn: Annotated[Drawn, Query()],
    service: Service,
) -> dict[str, Any]:
    """What a round trip through that file loses: ``exports.json`` of a folder of results."""
    made = await _made(job, format, drawn, service)
    document: dict[str, Any] = json.loads((made / "round-trip.json").read_bytes())
    return document


async def _made(job: Job, format: str, drawn: Drawn, service: Service) -> Path:  # noqa: A002
    """The folder of an export and its sidecar, made when it is first asked for."""
    folder = service.store.attempt(job)
    if not (format.isalnum() and format.isascii()):
        raise ExportError(f"expected a format such as rtstruct, got {format[:40]!r}")
    variant = hashlib.sha256(drawn.model_dump_json().encode()).hexdigest()[:16]
    kept = folder / "exports" / f"{format[:40]}-{variant}"
    if not kept.is_dir():
        service.store.check_room()
        stored = await run_in_threadpool(service.store.image, job.image_id)
        await service.writer.run(
            "export",
            service.settings.export_seconds,
            result=str(folder),
            paths=[str(path) for path in stored.files],
            series=job.series,
            reading={**stored.reading, "modality": job.modality},
            format=format,
            outlines={
                "style": drawn.contours,
                "smooth_mm": drawn.smooth_mm,
                "simplify_mm": drawn.simplify_mm,
            },
            choices={"holes": drawn.holes, "segments": drawn.segments},
            folder=str(kept),
        )
    return kept
