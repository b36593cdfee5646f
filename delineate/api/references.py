"""``/v1/images/ID/references``: what results on an image are to be compared with."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Uploader
from delineate.api.faults import documented
from delineate.api.jobs import JobDocument
from delineate.api.state import Service
from delineate.api.taking import sent
from delineate.delineation.reference import REFERENCE
from delineate.errors import UploadError
from delineate.jobs import kept
from delineate.jobs.upload import Reception

__all__ = ["router"]

router = APIRouter(tags=["results"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "/images/{image_id}/references",
    status_code=201,
    response_model=JobDocument,
    responses=documented(404, 409, 413, 415, 422, 507),
    openapi_extra=_BODY,
)
async def keep(
    image_id: str,
    request: Request,
    response: Response,
    who: Uploader,
    service: Service,
    name: Annotated[str, Query(max_length=255, description="Name of the file.")] = "",
    series: Annotated[
        str | None, Query(max_length=200, description="May be left out where there is one.")
    ] = None,
    resample: Annotated[
        bool, Query(description="Sample labels anew that lie on other samples than the image's.")
    ] = False,
    things: Annotated[
        bool,
        Query(
            description="Take each outline of a COCO file for a thing, not for a part of an area."
        ),
    ] = False,
    made: Annotated[
        Literal["automatic", "semiautomatic", "manual"] | None,
        Query(description="How it came about, where the file does not say so; a SEG asks for it."),
    ] = None,
) -> dict[str, Any]:
    """Keep a label map, RTSTRUCT, SEG, GeoJSON or COCO as a reference: a result of no detector.

    It is shown, exported and removed as that of a job that is done; its ``detector`` is
    ``reference``. The same file on the same series is kept once.
    """
    store = service.store.of(who.tenant)
    stored = await run_in_threadpool(store.image, image_id)
    chosen = stored.series(series)["id"]
    with store.incoming() as folder:
        reception = Reception(service.store, service.settings, folder)
        await sent(request, service, reception, name)
        if len(reception.parts) != 1:
            raise UploadError(
                f"expected one file, got {len(reception.parts)}; send masks of one structure each "
                "as a zip"
            )
        path = reception.parts[0].path
        told = await service.reader.run(
            "reference",
            service.settings.inspect_seconds,
            path=str(path),
            image={
                "paths": [str(one) for one in stored.files],
                "series": chosen,
                "reading": stored.reading,
                "tenant": who.tenant,
            },
            resample=resample,
            things=things,
            made=made,
            target=str(folder / "result"),
        )
        job = await run_in_threadpool(
            kept.enter,
            service.database,
            store,
            folder / "result",
            image_id=image_id,
            series=chosen,
            detector=REFERENCE,
            options={"format": told, "resample": resample, "things": things, "made": made},
            key=await run_in_threadpool(_key, path, image_id, chosen, things),
        )
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job.to_json()


def _key(path: Path, image_id: str, series: str, things: bool) -> str:
    """The same for the same file on the same series."""
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    told = f"{image_id} {series} {content}{' things' if things else ''}"
    return f"{REFERENCE}:{hashlib.sha256(told.encode()).hexdigest()}"
