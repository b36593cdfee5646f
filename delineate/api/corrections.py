"""``/v1/jobs/ID/corrections``: a result that somebody has corrected becomes another version."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Runner
from delineate.api.faults import documented
from delineate.api.jobs import Found, IdempotencyKey, JobDocument
from delineate.api.monailabel.forms import form, received
from delineate.api.state import Service
from delineate.errors import ConflictError, TooLargeError
from delineate.jobs import corrections
from delineate.jobs.table import Job
from delineate.jobs.upload import content_hash

__all__ = ["router"]

router = APIRouter(tags=["results"])

_LONGEST_COMMENT = 2000
_SOON = 9  # a person waits for it


class Version(BaseModel):
    """One version of a result."""

    job: str
    of: str | None = Field(description="The one it was made from; null where a detector gave it.")
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    detector: str
    who: str
    comment: str
    created: str


class Versions(BaseModel):
    """What a result began with, and every correction, the oldest first."""

    versions: list[Version]


@router.get("/jobs/{job_id}/corrections", response_model=Versions, responses=documented(404))
def versions(job: Found, service: Service) -> dict[str, Any]:
    """The versions of a result; those that two people made of the same one stand side by side."""
    return {"versions": corrections.versions(service.database, job)}


@router.post(
    "/jobs/{job_id}/corrections",
    status_code=202,
    response_model=JobDocument,
    responses=documented(404, 409, 413, 415, 422, 507),
    openapi_extra=form("labels", comment="What was done and why, in a few words."),
)
async def correct(
    job_id: str,
    request: Request,
    response: Response,
    who: Runner,
    service: Service,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Make another version of a result, of labels or things that somebody has corrected.

    ``labels`` is a label map on the result's samples (.seg.nrrd, NIfTI or MetaImage); of things
    that were found one by one it is GeoJSON of all that there are to be, as the result is exported,
    with the numbers of those that stay. The result that is corrected stays as it is.
    """
    base = await run_in_threadpool(service.table.get, job_id, tenant=who.tenant)
    if base.state != "done":
        raise ConflictError(f"job {base.id} has no result to correct, it is {base.state}")
    store = service.store.of(who.tenant)
    with store.incoming() as folder:
        sent = await received(request, service, folder)
        part, comment = sent.file("labels"), sent.fields.get("comment", "").strip()
        if len(comment) > _LONGEST_COMMENT:
            raise TooLargeError(
                f"expected a comment of at most {_LONGEST_COMMENT} letters, got {len(comment)}"
            )
        drawn = await run_in_threadpool(content_hash, part.path)
        stored = await run_in_threadpool(store.image, base.image_id)
        document = await service.reader.run(
            "correction",
            service.settings.inspect_seconds,
            folder=str(folder),
            name=part.name,
            result=str(await run_in_threadpool(store.attempt, base)),
            comment=comment,
            image={
                "tenant": who.tenant,
                "paths": [str(path) for path in stored.files],
                "series": base.series,
            },
        )
        document["id"] = _labels_id(base, drawn, idempotency_key)
        await run_in_threadpool(store.keep, folder, document)
    job = await run_in_threadpool(
        service.table.submit,
        image_id=base.image_id,
        series=base.series,
        detector=corrections.CORRECTION,
        options={
            "of": base.id,
            "labels": document["id"],
            "drawn": drawn,
            "who": who.name,
            "comment": comment,
        },
        modality=base.modality,
        tenant=who.tenant,
        queue=base.queue,
        priority=_SOON,
        key=idempotency_key,
        enqueue=service.engine.enqueue,
    )
    if job.state == "done":  # the same request as before, with the same key
        await run_in_threadpool(corrections.drop_labels, job, service.table, service.store)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job.to_json()


def _labels_id(base: Job, drawn: str, key: str | None) -> str:
    """Id of what the labels are kept as: its own, but the same for the same request."""
    if key is None:
        return secrets.token_hex(32)
    return hashlib.sha256(f"{corrections.CORRECTION} {base.id} {drawn} {key}".encode()).hexdigest()
