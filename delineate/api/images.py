"""``/v1/images``: uploads, their reports, their files, their samples."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Reader, Remover, Uploader
from delineate.api.faults import documented
from delineate.api.state import Service
from delineate.api.taking import Reading, looked_into, sent
from delineate.errors import ConflictError, UnknownImageError
from delineate.jobs import dicom_index
from delineate.jobs.upload import Reception

__all__ = ["router", "samples_answer"]

router = APIRouter(tags=["images"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "DICOM files, a zip, a NIfTI, NRRD, MHA or picture.",
                        }
                    },
                }
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post(
    "/images", status_code=201, responses=documented(413, 415, 422, 507), openapi_extra=_BODY
)
async def upload(
    request: Request,
    response: Response,
    who: Uploader,
    service: Service,
    reading: Reading,
    name: Annotated[
        str, Query(max_length=255, description="Name of the file, where the body is one.")
    ] = "",
) -> dict[str, Any]:
    """Keep an image and say what is in it and whether it can be used."""
    store = service.store.of(who.tenant)
    with store.incoming() as folder:
        reception = Reception(service.store, service.settings, folder)
        await sent(request, service, reception, name)
        document, synced = await asyncio.gather(
            looked_into(service, folder, reception.parts, reading, just_came=True),
            run_in_threadpool(reception.synced),
        )
        stored = await run_in_threadpool(store.keep, folder, document, synced)
        await run_in_threadpool(dicom_index.index, service.database, who.tenant, stored)
    response.headers["Location"] = f"/v1/images/{stored.document['id']}"
    return stored.document


class ImageEntry(BaseModel):
    """An image in the list of them."""

    id: str
    files: int
    bytes: int
    verdict: str
    series: int
    modalities: list[str]


class ImagePage(BaseModel):
    """Some images, and where the next ones begin."""

    images: list[ImageEntry]
    next: str | None


@router.get("/images", response_model=ImagePage, responses=documented())
def images(
    who: Reader,
    service: Service,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(max_length=64, description="'next' of a page.")] = None,
) -> dict[str, Any]:
    """The images that are kept, in the order of their ids."""
    store = service.store.of(who.tenant)
    ids = [one for one in store.ids() if after is None or one > after]
    entries = []
    for image_id in ids[:limit]:
        try:
            entries.append(_entry(store.document(image_id)))
        except UnknownImageError:  # removed meanwhile
            continue
    return {"images": entries, "next": ids[limit - 1] if len(ids) > limit else None}


def _entry(document: dict[str, Any]) -> dict[str, Any]:
    report = document["report"]
    return {
        **{key: document[key] for key in ("id", "files", "bytes")},
        "verdict": report["verdict"],
        "series": len(report["series"]),
        "modalities": sorted({one["modality"] for one in report["series"]}),
    }


@router.get("/images/{image_id}", responses=documented(404))
def image(image_id: str, who: Reader, service: Service) -> dict[str, Any]:
    """What is in an image, as when it was uploaded."""
    return service.store.of(who.tenant).document(image_id)


@router.delete("/images/{image_id}", status_code=204, responses=documented(404, 409))
def remove(image_id: str, who: Remover, service: Service) -> None:
    """Remove an image with all that was made of it, unless a job still needs it."""
    store = service.store.of(who.tenant)
    store.document(image_id)
    if (job := service.table.needing(who.tenant, image_id)) is not None:
        raise ConflictError(f"job {job.id} is {job.state} and needs this image; cancel it first")
    store.remove_image(image_id)
    dicom_index.forget(service.database, who.tenant, "image", image_id)


class ImageFile(BaseModel):
    """A file of an image."""

    file: str
    name: str
    bytes: int


@router.get("/images/{image_id}/files", response_model=list[ImageFile], responses=documented(404))
def files(image_id: str, who: Reader, service: Service) -> list[dict[str, Any]]:
    """The files of an image: what they are called here, and what their sender calls them."""
    stored = service.store.of(who.tenant).image(image_id)
    names = stored.reading["names"]
    return [
        {"file": path.name, "name": names.get(path.name, path.name), "bytes": path.stat().st_size}
        for path in stored.files
    ]


@router.get(
    "/images/{image_id}/files/{file}",
    response_class=FileResponse,
    responses={
        200: {"description": "As it came.", "content": {"application/octet-stream": {}}},
        **documented(404),
    },
)
def file(image_id: str, file: str, who: Reader, service: Service) -> FileResponse:
    """One file of an image, as it came."""
    stored = service.store.of(who.tenant).image(image_id)
    found = next((path for path in stored.files if path.name == file), None)
    if found is None:
        raise UnknownImageError(f"this image has no file {file[:40]!r}; /files lists them")
    return FileResponse(found, media_type="application/octet-stream")


@router.get(
    "/images/{image_id}/volume",
    response_class=FileResponse,
    responses={
        200: {
            "description": "Samples in C order, little-endian, as X-Shape and X-Dtype say; "
            "X-Affine maps (slice, row, column, 1) to LPS, row by row.",
            "content": {"application/octet-stream": {}},
        },
        **documented(404, 422, 507),
    },
)
async def volume(
    image_id: str,
    who: Reader,
    service: Service,
    series: Annotated[str | None, Query(description="May be left out where there is one.")] = None,
) -> FileResponse:
    """The samples of a series, gzipped."""
    stored = await run_in_threadpool(service.store.of(who.tenant).image, image_id)
    chosen = stored.series(series)["id"]
    body = stored.folder / "volumes" / f"{hashlib.sha256(chosen.encode()).hexdigest()[:32]}.gz"
    if not body.exists():
        service.store.check_room()
        await service.writer.run(
            "volume",
            service.settings.export_seconds,
            paths=[str(path) for path in stored.files],
            series=chosen,
            reading=stored.reading,
            target=str(body),
        )
    return samples_answer(body)


def samples_answer(body: Path) -> FileResponse:
    """Samples that `jobs.samples` has written, with the headers that tell their form."""
    head = json.loads(body.with_suffix(".json").read_text())
    headers = {**head, "Content-Encoding": "gzip", "Cache-Control": "private, max-age=86400"}
    return FileResponse(body, headers=headers, media_type="application/octet-stream")
