"""``/v1/images``: uploads, their reports, their samples."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Reader, Uploader
from delineate.api.faults import RefusedUploadError, documented
from delineate.api.multipart import Parts
from delineate.api.state import Service, State
from delineate.errors import UploadError
from delineate.formats.stated import parsed_size
from delineate.jobs.upload import Reception

__all__ = ["router", "samples_answer"]

router = APIRouter(tags=["images"])

_BATCH = 2**16
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


@router.post("/images", status_code=201, responses=documented(413, 422, 507), openapi_extra=_BODY)
async def upload(
    request: Request,
    response: Response,
    _who: Uploader,
    service: Service,
    name: Annotated[
        str, Query(max_length=255, description="Name of the file, where the body is one.")
    ] = "",
    uneven: Annotated[
        Literal["refuse", "resample"],
        Query(description="Interpolate slices that are missing or at uneven distances, or not."),
    ] = "refuse",
    spacing_mm: Annotated[
        str | None,
        Query(
            max_length=100,
            description="Size of a pixel, or ROW,COLUMN, where the file does not say it.",
        ),
    ] = None,
) -> dict[str, Any]:
    """Keep an image and say what is in it and whether it can be used."""
    size = None if spacing_mm is None else parsed_size(spacing_mm)
    with service.store.incoming() as folder:
        reception = Reception(service.store, service.settings, folder)
        try:
            await _receive(request, service, reception, name)
        finally:
            await asyncio.shield(run_in_threadpool(reception.close))
        if reception.is_empty:
            raise UploadError(
                "the upload holds no file, or an empty one; send files as multipart/form-data in "
                "parts named 'files', or one file as the body"
            )
        document = await service.reader.run(
            "look",
            service.settings.inspect_seconds,
            folder=str(folder),
            names=[part.name for part in reception.parts],
            max_bytes=service.settings.max_upload_bytes,
            max_files=service.settings.max_files,
            uneven=uneven,
            spacing_mm=size,
        )
        if document["report"]["verdict"] == "refused":
            raise _refused(document["report"])
        stored = await run_in_threadpool(service.store.keep, folder, document)
    response.headers["Location"] = f"/v1/images/{stored.document['id']}"
    return stored.document


@router.get("/images/{image_id}", responses=documented(404))
def image(image_id: str, _who: Reader, service: Service) -> dict[str, Any]:
    """What is in an image, as when it was uploaded."""
    return service.store.image(image_id).document


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
    _who: Reader,
    service: Service,
    series: Annotated[str | None, Query(description="May be left out where there is one.")] = None,
) -> FileResponse:
    """The samples of a series, gzipped."""
    stored = await run_in_threadpool(service.store.image, image_id)
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


async def _receive(request: Request, service: State, reception: Reception, name: str) -> None:
    """Write the body to disk, in threads, a batch at a time."""
    announced = request.headers.get("content-length", "")
    await run_in_threadpool(reception.expect, int(announced) if announced.isdigit() else 0)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"multipart/form-data":
        parts = Parts(reception, options.get(b"boundary", b""))
        take, end = parts.take, parts.end
    else:
        await run_in_threadpool(reception.start, name or "upload")
        take, end = reception.write, reception.end
    async for batch in _batches(request, service.settings.stall_seconds):
        await run_sync(take, batch, limiter=service.disk)
    await run_sync(end, limiter=service.disk)


async def _batches(request: Request, stall_seconds: float) -> AsyncIterator[bytes]:
    """The body in pieces that are worth a thread."""
    batch = bytearray()
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(stall_seconds):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise UploadError(f"nothing came for {stall_seconds:g} s; send it again") from None
        if chunk is None:
            break
        if not batch and len(chunk) >= _BATCH:
            yield chunk
            continue
        batch += chunk
        if len(batch) >= _BATCH:
            yield bytes(batch)
            batch.clear()
    if batch:
        yield bytes(batch)


def _refused(report: Mapping[str, Any]) -> RefusedUploadError:
    """The error for an upload that holds nothing usable: says why, without the files' names."""
    series = report["series"]
    if series:
        told = "; ".join(problem["message"] for problem in series[0]["problems"][:3])
    else:
        count = len(report["ignored"])
        told = "the file is" if count == 1 else f"none of the {count} files is"
        told += f" {'no' if count == 1 else 'an'} image that can be read"
        reasons = sorted({one["reason"] for one in report["ignored"]})
        told += f" ({'; '.join(reasons[:3])})" if reasons else ""
    nameless = [
        {"name": f"file {number}", "reason": one["reason"]}
        for number, one in enumerate(report["ignored"], start=1)
    ]
    series = [{**one, "files": []} for one in series]
    return RefusedUploadError(
        f"{told}. {report['advice']}", {**report, "series": series, "ignored": nameless}
    )
