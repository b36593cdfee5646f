"""``/v1``: images of series that came by DICOMweb; transfers from and to other servers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Reader, Runner, Uploader
from delineate.api.dicomweb.node import Dicom
from delineate.api.dicomweb.series import complete
from delineate.api.faults import documented
from delineate.api.jobs import Found
from delineate.errors import ConflictError, UnsuitableImageError
from delineate.jobs import dicom_tasks

__all__ = ["router"]

router = APIRouter(tags=["transfers"])

_KINDS = ("pull", "push")
_Uid = Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]
_Server = Annotated[str, Field(max_length=32, description="One that the rules file names.")]


class Pull(BaseModel):
    """What to fetch from where."""

    model_config = ConfigDict(extra="forbid")

    server: _Server
    study: _Uid
    series: _Uid | None = Field(None, description="All series of the study, if none.")


class PushRequest(BaseModel):
    """Where to send a result."""

    model_config = ConfigDict(extra="forbid")

    server: _Server
    formats: list[Literal["seg", "rtstruct", "sr"]] = Field(
        default=["seg", "rtstruct", "sr"], min_length=1, max_length=3
    )


class Transfer(BaseModel):
    """A transfer: it is tried until it goes well, for about a day and a half."""

    id: str
    kind: Literal["pull", "push"]
    state: Literal["waiting", "done", "failed"]
    details: dict[str, Any]
    tries: int
    error: str | None
    next_try: str | None
    created: str
    finished: str | None


@router.post("/images/series/{series}", responses=documented(404, 422, 507))
async def image_of(series: str, who: Uploader, node: Dicom) -> dict[str, Any]:
    """The image of a series that came by DICOMweb: made now, if it is not there yet."""
    found = await complete(node, who.tenant, series)
    if found.image_id is None:
        raise UnsuitableImageError(f"series {series[:64]} gives no image: {found.reason}")
    stored = await run_in_threadpool(node.service.store.of(who.tenant).image, found.image_id)
    return stored.document


@router.post(
    "/images/pull", status_code=202, response_model=Transfer, responses=documented(404, 422)
)
def pull(asked: Pull, response: Response, who: Uploader, node: Dicom) -> dict[str, Any]:
    """Fetch a series, or a study, from a server that the rules file names."""
    node.rules.find(asked.server)
    subject = f"{asked.server}>{asked.study}/{asked.series or ''}"
    return _begun(node, response, who.tenant, "pull", subject, asked.model_dump())


@router.post(
    "/jobs/{job_id}/push", status_code=202, response_model=Transfer, responses=documented(404, 409)
)
def push(
    job: Found, asked: PushRequest, response: Response, who: Runner, node: Dicom
) -> dict[str, Any]:
    """Send a result to a server that the rules file names."""
    node.rules.find(asked.server)
    if job.state != "done":
        raise ConflictError(f"job {job.id} has no result to send, it is {job.state}")
    subject = f"{job.id}>{asked.server}"
    return _begun(node, response, who.tenant, "push", subject, asked.model_dump())


def _begun(
    node: Dicom, response: Response, tenant: str, kind: str, subject: str, details: dict[str, Any]
) -> dict[str, Any]:
    with node.database.begin() as connection:
        number = dicom_tasks.put(connection, tenant, kind, subject, details)
    response.headers["Location"] = f"/v1/transfers/{number}"
    return _told(dicom_tasks.get(node.database, tenant, number))


@router.get("/transfers", response_model=list[Transfer], responses=documented())
def transfers(who: Reader, node: Dicom) -> list[dict[str, Any]]:
    """The latest transfers."""
    return [_told(one) for one in dicom_tasks.listed(node.database, who.tenant, _KINDS)]


@router.get("/transfers/{transfer_id}", response_model=Transfer, responses=documented(404))
def transfer(transfer_id: str, who: Reader, node: Dicom) -> dict[str, Any]:
    """How a transfer stands."""
    return _told(dicom_tasks.get(node.database, who.tenant, transfer_id))


def _told(task: sa.Row[Any]) -> dict[str, Any]:
    due = datetime.fromtimestamp(task.due, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": task.id,
        "kind": task.kind,
        "state": task.state,
        "details": task.details,
        "tries": task.tries,
        "error": task.error,
        "next_try": due if task.state == "waiting" else None,
        "created": task.created,
        "finished": task.finished,
    }
