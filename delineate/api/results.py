"""``/v1/jobs/ID/result`` and what can be made of it: samples, files in other formats."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Remover
from delineate.api.faults import documented
from delineate.api.identified import Whose, identified
from delineate.api.images import samples_answer
from delineate.api.jobs import Found
from delineate.api.state import Service
from delineate.errors import ConflictError, ExportError, NotFoundError
from delineate.jobs import dicom_index
from delineate.jobs.scoring import EVALUATION
from delineate.jobs.table import Job

__all__ = ["Done", "Drawn", "made", "router"]

router = APIRouter(tags=["results"])


def _done(job: Found) -> Job:
    if job.detector == EVALUATION:
        raise NotFoundError(
            f"job {job.id} is an evaluation, not a result on an image; see /v1/evaluations/{job.id}"
        )
    if job.state != "done":
        why = f": {job.error_message}" if job.error_message else ""
        raise ConflictError(f"job {job.id} has no result, it is {job.state}{why}")
    return job


Done = Annotated[Job, Depends(_done)]


@router.get(
    "/jobs/{job_id}/result",
    response_class=FileResponse,
    responses={
        200: {"description": "The delineation.", "content": {"application/json": {}}},
        **documented(404, 409),
    },
)
async def result(
    job: Done,
    request: Request,
    service: Service,
    identity: Annotated[Whose, Query()] = "pseudonym",
) -> FileResponse:
    """What was found."""
    path = service.store.of(job.tenant).attempt(job) / "delineation.json"
    if identity == "original":
        return await identified(request, job, path, service)
    headers = {"Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        path, headers["Content-Encoding"] = path.with_suffix(".json.gz"), "gzip"
    return FileResponse(path, headers=headers, media_type="application/json")


@router.get(
    "/jobs/{job_id}/kept/{name}",
    response_class=FileResponse,
    responses={
        200: {"description": "A file.", "content": {"application/octet-stream": {}}},
        **documented(404, 409),
    },
)
def kept(
    job: Done, name: Literal["delineation.json", "output.json", "output.npy.gz"], service: Service
) -> FileResponse:
    """The result as it is kept: for delineate itself, which makes the same value of it again.

    Results without samples have no ``output.npy.gz``.
    """
    path = service.store.of(job.tenant).attempt(job) / name
    if not path.exists():
        raise NotFoundError(f"this result has no {name}; results of its kind have no samples")
    return FileResponse(path, media_type="application/octet-stream")


@router.delete("/jobs/{job_id}/result", status_code=204, responses=documented(404, 409))
def remove(job_id: str, who: Remover, service: Service) -> None:
    """Remove a job that has ended, and what was found."""
    job = service.table.forget(job_id, tenant=who.tenant)
    service.store.of(who.tenant).remove_results(job.id)
    dicom_index.forget(service.database, who.tenant, "job", job.id)


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
    folder = service.store.of(job.tenant).attempt(job)
    body = folder / "samples" / "output.gz"
    if not body.exists():
        service.store.check_room()
        stored = await run_in_threadpool(service.store.of(job.tenant).image, job.image_id)
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
        (service.store.of(job.tenant).attempt(job) / "formats.json").read_bytes()
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


class Wanted(Drawn):
    """An export, and whose names stand in it."""

    identity: Whose = "pseudonym"


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
    wanted: Annotated[Wanted, Query()],
    request: Request,
    service: Service,
) -> FileResponse:
    """What was found, in another format."""
    drawn = Drawn(**wanted.model_dump(exclude={"identity"}))
    folder = await made(job, format, drawn, service)
    path = next((folder / "file").iterdir())
    if wanted.identity == "original":
        return await identified(request, job, path, service)
    return FileResponse(path, filename=f"{job.id}-{path.name}")


@router.get("/jobs/{job_id}/exports/{format}/round-trip", responses=documented(404, 409, 422, 507))
async def round_trip(
    job: Done,
    format: str,  # noqa: A002
    drawn: Annotated[Drawn, Query()],
    service: Service,
) -> dict[str, Any]:
    """What a round trip through that file loses: ``exports.json`` of a folder of results."""
    folder = await made(job, format, drawn, service)
    document: dict[str, Any] = json.loads((folder / "round-trip.json").read_bytes())
    return document


async def made(job: Job, format: str, drawn: Drawn, service: Service) -> Path:  # noqa: A002
    """The folder of an export and its sidecar, made when it is first asked for."""
    folder = service.store.of(job.tenant).attempt(job)
    if not (format.isalnum() and format.isascii()):
        raise ExportError(f"expected a format such as rtstruct, got {format[:40]!r}")
    variant = hashlib.sha256(drawn.model_dump_json().encode()).hexdigest()[:16]
    kept = folder / "exports" / f"{format[:40]}-{variant}"
    if not kept.is_dir():
        service.store.check_room()
        stored = await run_in_threadpool(service.store.of(job.tenant).image, job.image_id)
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
