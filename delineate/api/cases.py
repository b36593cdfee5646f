"""``/v1/cases``: all results as a list to choose from, with a picture of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from delineate.api.access import Reader
from delineate.api.comparisons import file_of, scores_of
from delineate.api.faults import documented
from delineate.api.jobs import JobError
from delineate.api.results import Done
from delineate.api.state import Service
from delineate.delineation.reference import REFERENCE
from delineate.errors import NotFoundError, UnknownImageError
from delineate.jobs import kept
from delineate.jobs.datastore import Datastore
from delineate.jobs.table import Job
from delineate.jobs.tenant_store import TenantStore

__all__ = ["router"]

router = APIRouter(tags=["results"])

_SUBJECT = ("id", "description", "modality", "slices", "shape", "unit")


class Summary(BaseModel):
    """What was found, names at most 200 at a time."""

    gives: str
    found: list[str]
    missing: list[str] = Field(description="Looked for and not found.")
    cut: list[str] = Field(description="Found, and cut by the field of view.")
    things: int = Field(description="How many were found, each by itself.")
    notes: list[str]
    overall: dict[str, float | None]


class Subject(BaseModel):
    """The series that was looked at; null where its image has been removed."""

    id: str
    description: str
    modality: str
    slices: int
    shape: list[int]
    unit: str
    files: list[str] = Field(description="What its sender calls its only file.")


class CaseEntry(BaseModel):
    """A job and what came of it."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: float
    error: JobError | None
    detector: str
    image_id: str
    created: str
    finished: str | None
    series: Subject | None
    summary: Summary | None
    reference: str | None = Field(description="Id of the newest reference on the same series.")
    dice: float | None = Field(description="Mean against it; null before it was asked for.")
    f1: float | None = Field(description="The same where things were found, one by one.")


class CasePage(BaseModel):
    """Some cases, and where the next ones begin."""

    cases: list[CaseEntry]
    next: str | None


@router.get("/cases", response_model=CasePage, responses=documented())
def cases(
    who: Reader,
    service: Service,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(max_length=26, description="'next' of a page.")] = None,
    image: Annotated[
        str | None, Query(max_length=64, description="Those on this image only.")
    ] = None,
) -> dict[str, Any]:
    """The jobs with what came of them, the newest first."""
    store = service.store.of(who.tenant)
    page = service.table.page(who.tenant, limit=limit + 1, after=after, image_id=image)
    references = Datastore(service.database).newest(who.tenant, [REFERENCE])
    reports: dict[str, Mapping[str, Any]] = {}
    entries = [_entry(job, store, references, reports) for job in page[:limit]]
    return {"cases": entries, "next": entries[-1]["id"] if len(page) > limit else None}


@router.get(
    "/jobs/{job_id}/thumbnail",
    response_class=Response,
    responses={
        200: {"description": "A JPEG.", "content": {"image/jpeg": {}}},
        **documented(404, 409),
    },
)
def thumbnail(job: Done, service: Service) -> Response:
    """A small picture of the slice that most was found in."""
    picture = service.store.of(job.tenant).kept(job, kept.THUMBNAIL)
    if picture is None:
        raise NotFoundError("this result has no picture; it was kept before there were any")
    headers = {"Cache-Control": "private, max-age=86400"}
    return Response(picture, headers=headers, media_type="image/jpeg")


def _entry(
    job: Job,
    store: TenantStore,
    references: Mapping[tuple[str, str], Job],
    reports: dict[str, Mapping[str, Any]],
) -> dict[str, Any]:
    told = job.to_json()
    reference = references.get((job.image_id, job.series))
    if job.state != "done" or (reference is not None and reference.id == job.id):
        reference = None
    summary = store.kept(job, kept.SUMMARY) if job.state == "done" else None
    compared = store.kept(job, file_of(reference)) if reference is not None else None
    dice, f1 = (None, None) if compared is None else scores_of(json.loads(compared))
    names = ("id", "state", "progress", "error", "detector", "image_id", "created", "finished")
    return {
        **{name: told[name] for name in names},
        "series": _subject(job, store, reports),
        "summary": None if summary is None else json.loads(summary),
        "reference": None if reference is None else reference.id,
        "dice": dice,
        "f1": f1,
    }


def _subject(
    job: Job, store: TenantStore, reports: dict[str, Mapping[str, Any]]
) -> dict[str, Any] | None:
    if job.image_id not in reports:
        try:
            reports[job.image_id] = store.document(job.image_id)["report"]
        except UnknownImageError:
            reports[job.image_id] = {"series": []}
    found = next((one for one in reports[job.image_id]["series"] if one["id"] == job.series), None)
    if found is None:
        return None
    files = found.get("files") or []
    return {**{name: found[name] for name in _SUBJECT}, "files": files if len(files) == 1 else []}
