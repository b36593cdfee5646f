"""``/v1/uploads``: an image that comes file by file, over as long a time as it takes."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Principal, Uploader
from delineate.api.faults import documented
from delineate.api.jobs import JobDocument, Wanted, check, queue
from delineate.api.state import Service, State
from delineate.api.taking import (
    Reading,
    announced_bytes,
    announced_digest,
    demand_plain,
    looked_into,
    written,
)
from delineate.errors import ConflictError, DelineateError, ForbiddenError, UploadError
from delineate.jobs import dicom_index
from delineate.jobs.intake import Received, Upload
from delineate.jobs.log import log
from delineate.jobs.store import StoredImage

__all__ = ["router", "tended"]

router = APIRouter(tags=["uploads"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    "parameters": [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": "RFC 9530, such as sha-256=:BASE64:; checked against what comes.",
            "schema": {"type": "string"},
        }
        for name in ("Content-Digest", "Repr-Digest")
    ],
}


class Geometry(BaseModel):
    """What has been seen of an upload so far."""

    files: int = Field(description="How many files had come when it was looked at.")
    report: dict[str, Any] = Field(description="As an image's, without the names of files.")


class UploadDocument(BaseModel):
    """An upload that comes file by file."""

    id: str
    state: Literal["open", "completing", "complete"]
    created: str
    expires: str = Field(description="When it is dropped unless something comes before.")
    reading: dict[str, Any]
    files: int
    bytes: int
    geometry: Geometry | None = Field(description="Grows while files come; may lag behind.")
    image_id: str | None
    job_id: str | None


class FileDocument(BaseModel):
    """A file that came whole."""

    name: str
    bytes: int
    sha256: str


class FilePage(BaseModel):
    """Some files, in the order in which they came, and where the next ones begin."""

    files: list[FileDocument]
    next: int | None


class Completed(BaseModel):
    """What came of an upload."""

    image: dict[str, Any]
    job: JobDocument | None


def _found(upload_id: str, who: Uploader, service: Service) -> Upload:
    return service.desk.ingest.get(service.store.of(who.tenant), upload_id)


Found = Annotated[Upload, Depends(_found)]


@router.post(
    "/uploads", status_code=201, response_model=UploadDocument, responses=documented(409, 507)
)
def begin(response: Response, who: Uploader, service: Service, reading: Reading) -> dict[str, Any]:
    """Begin an upload; its files are put below it, one call each."""
    upload = service.desk.ingest.begin(service.store.of(who.tenant), reading)
    response.headers["Location"] = f"/v1/uploads/{upload.id}"
    return _told(upload, service)


@router.get("/uploads", response_model=list[UploadDocument], responses=documented())
def uploads(who: Uploader, service: Service) -> list[dict[str, Any]]:
    """The uploads that are there."""
    found = service.desk.ingest.all(service.store.of(who.tenant))
    return [_told(upload, service) for upload in found]


@router.get("/uploads/{upload_id}", response_model=UploadDocument, responses=documented(404))
async def state(upload: Found, service: Service) -> dict[str, Any]:
    """How an upload stands, and what its files look like so far; never waits."""
    if upload.done is None:
        service.desk.survey(upload)
    return _told(upload, service)


@router.get("/uploads/{upload_id}/files", response_model=FilePage, responses=documented(404))
def files(
    upload: Found,
    limit: Annotated[int, Query(ge=1, le=20_000)] = 1000,
    after: Annotated[int, Query(ge=0, le=10**9, description="'next' of a page.")] = 0,
) -> dict[str, Any]:
    """The files that came whole: what is not among them is to be sent again."""
    came = upload.files
    shown = [_file(one) for one in came[after : after + limit]]
    return {"files": shown, "next": after + limit if len(came) > after + limit else None}


@router.put(
    "/uploads/{upload_id}/files/{name:path}",
    status_code=201,
    response_model=FileDocument,
    responses={
        200: {"description": "The same file had come before.", "model": FileDocument},
        **documented(404, 409, 413, 415, 422, 507),
    },
    openapi_extra=_BODY,
)
async def put(
    name: str, request: Request, response: Response, upload: Found, service: Service
) -> dict[str, Any]:
    """Take one file, whole or not at all; the same once more changes nothing."""
    digest = announced_digest(request)
    there = upload.find(name)
    if there is not None and there.sha256 == digest:
        response.status_code = 200
        return _file(there)
    demand_plain(request)
    intake = await run_in_threadpool(upload.start, name, announced_bytes(request))
    try:
        await written(request, service, intake.write)
        file, is_new = await run_sync(intake.keep, digest, limiter=service.disk)
    finally:
        await asyncio.shield(run_in_threadpool(intake.close))
    response.status_code = 201 if is_new else 200
    raw = base64.b64encode(bytes.fromhex(file.sha256)).decode()
    response.headers["Repr-Digest"] = f"sha-256=:{raw}:"
    return _file(file)


@router.post(
    "/uploads/{upload_id}/complete",
    status_code=201,
    response_model=Completed,
    responses=documented(404, 409, 413, 422, 507),
)
async def complete(
    upload: Found,
    who: Uploader,
    service: Service,
    response: Response,
    job: Wanted | None = None,
) -> dict[str, Any]:
    """Make an image of what came, and start a job on it: both or neither.

    Once this is asked for, it is done, also if the caller or the service goes away meanwhile; to
    ask again gives the same answer. What is refused leaves the upload open.
    """
    if job is not None and "run" not in who.scopes:
        raise ForbiddenError("to start a job, a key needs the scope 'run'; complete without one")
    if upload.done is None and not service.desk.is_completing(upload):
        asked = {"job": None if job is None else job.model_dump(), "by": who.name}
        await run_in_threadpool(upload.ask, asked)
    done = await service.desk.complete(upload, partial(_completed, service, who, upload, job))
    stored = await run_in_threadpool(service.store.of(who.tenant).image, done["image_id"])
    started = None
    if done["job_id"] is not None:
        started = await run_in_threadpool(service.table.get, done["job_id"], tenant=who.tenant)
    response.headers["Location"] = f"/v1/images/{done['image_id']}"
    return {"image": stored.document, "job": None if started is None else started.to_json()}


@router.delete("/uploads/{upload_id}", status_code=204, responses=documented(404, 409))
def drop(upload: Found, service: Service) -> None:
    """Drop an upload and its files; an image that was made of it stays."""
    if service.desk.is_completing(upload):
        raise ConflictError("this upload is just being completed; ask again when it is")
    service.desk.ingest.drop(upload)


async def _completed(
    service: State, who: Principal, upload: Upload, job: Wanted | None
) -> tuple[str, str | None]:
    """Ids of the image and the job; done once more after a crash, it gives the same."""
    store = service.store.of(who.tenant)
    with store.incoming() as folder:
        parts = await run_in_threadpool(upload.linked, folder / "parts")
        if not parts:
            raise UploadError("no file has come; PUT /v1/uploads/ID/files/NAME takes one")
        document = await looked_into(service, folder, parts, upload.reading)
        checked = None
        if job is not None:
            checked = await check(service, who, StoredImage(folder, document), job)
        stored = await run_in_threadpool(store.keep, folder, document)
        await run_in_threadpool(dicom_index.index, service.database, who.tenant, stored)
    image_id = str(stored.document["id"])
    if checked is None:
        return image_id, None
    key = f"upload:{upload.id}"
    started = await run_in_threadpool(queue, service, who, image_id, checked, key)
    return image_id, started.id


@asynccontextmanager
async def tended(service: State) -> AsyncIterator[None]:
    """For the time of the API process: go on with what a killed one left, drop what expired."""
    tasks = [asyncio.create_task(service.desk.tend())]
    tasks.append(asyncio.create_task(_go_on(service)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await service.desk.close()


async def _go_on(service: State) -> None:
    for store in await run_in_threadpool(service.store.tenants):
        for upload in await run_in_threadpool(list, service.desk.ingest.all(store)):
            asked = upload.asked
            if asked is None or service.desk.is_completing(upload):
                continue
            who = Principal(store.tenant, asked["by"], frozenset({"upload", "run"}))
            job = None if asked["job"] is None else Wanted(**asked["job"])
            work = partial(_completed, service, who, upload, job)
            try:
                await service.desk.complete(upload, work)
            except DelineateError as error:  # whoever asks again is told
                log.info("upload not completed", error=type(error).__name__)


def _told(upload: Upload, service: State) -> dict[str, Any]:
    done = upload.done or {"image_id": None, "job_id": None}
    completing = upload.asked is not None
    expires = datetime.fromtimestamp(upload.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": upload.id,
        "state": "complete" if done["image_id"] else "completing" if completing else "open",
        "created": upload.created,
        "expires": expires,
        "reading": upload.reading,
        "files": len(upload.files),
        "bytes": upload.bytes,
        "geometry": upload.geometry,
        **done,
    }


def _file(one: Received) -> dict[str, Any]:
    return {"name": one.name, "bytes": one.bytes, "sha256": one.sha256}
