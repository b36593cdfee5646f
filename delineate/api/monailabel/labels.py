"""``/datastore/label``: labels that people drew, and those that detectors found."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Reader, Remover, Uploader
from delineate.api.faults import documented
from delineate.api.monailabel import models
from delineate.api.monailabel.answers import FILE, attached, disposition
from delineate.api.monailabel.files import file_name
from delineate.api.monailabel.forms import form, received
from delineate.api.monailabel.infer import labels_file
from delineate.api.monailabel.shelf import FINAL, items, label_info
from delineate.api.monailabel.subjects import Subject, datastore_of, find
from delineate.api.state import Service, State
from delineate.errors import InputError, NotFoundError, TooLargeError, UnknownImageError
from delineate.jobs.datastore import Label
from delineate.jobs.store import TenantStore
from delineate.jobs.table import Job
from delineate.jobs.upload import Part, suffix

__all__ = ["drop", "router"]

router = APIRouter(tags=["MONAI Label"])

_LARGEST_MARKUPS = 2**20
_PLAIN = {"extension": ".nrrd", "dtype": "uint16", "compress": True, "shown": False}

Image = Annotated[str, Query(max_length=1000, description="Id, name or SeriesInstanceUID.")]
Tag = Annotated[str, Query(pattern="^[A-Za-z0-9_.-]{1,64}$")]


@router.put(
    "/label",
    responses=documented(404, 409, 413, 422, 507),
    openapi_extra=form("label", params="A JSON object."),
)
async def keep_label(
    image: Image,
    request: Request,
    who: Uploader,
    service: Service,
    tag: Annotated[str, Query(pattern="^[A-Za-z0-9_.-]{0,64}$")] = FINAL,
) -> dict[str, str]:
    """Keep a label that somebody drew; the one under the same tag goes."""
    store, kept = service.store.of(who.tenant), datastore_of(service)
    subject = await run_in_threadpool(find, service, store, image)
    with store.incoming() as folder:
        sent = await received(request, service, folder)
        part, told = sent.file("label"), sent.json("params")
        if part.name.lower().endswith(".json"):
            where = {"markups": await run_in_threadpool(_markups, part.path)}
            told["ext"] = ".json"
        else:
            where = {"image_id": await _kept(service, store, folder, part, subject)}
            told["ext"] = _suffix(part.name)
    before = await run_in_threadpool(kept.keep, who.tenant, subject.id, tag or FINAL, told, **where)
    if before is not None:
        await run_in_threadpool(drop, store, before)
    return {"image": image, "label": image, "label_image_id": where.get("image_id", "")}


async def _kept(
    service: State, store: TenantStore, folder: Path, part: Part, subject: Subject
) -> str:
    """Keep a label's file as an image, whose id an option of a detector may name."""
    stored = await run_in_threadpool(store.image, subject.image_id)
    document = await service.reader.run(
        "drawn",
        service.settings.inspect_seconds,
        folder=str(folder),
        name=part.name,
        image={
            "paths": [str(path) for path in stored.files],
            "series": subject.series,
            "format": subject.format,
            "reading": stored.reading,
        },
        max_bytes=service.settings.max_upload_bytes,
        max_files=service.settings.max_files,
    )
    # An id of its own: it goes with this label, and nobody else's image with it.
    document["id"] = secrets.token_hex(32)
    await run_in_threadpool(store.keep, folder, document)
    return str(document["id"])


def _markups(path: Path) -> str:
    """The text of Markups.

    Raises
    ------
    TooLargeError
        If it is longer than any that people draw.
    InputError
        If it is no JSON.
    """
    if path.stat().st_size > _LARGEST_MARKUPS:
        raise TooLargeError(f"at most {_LARGEST_MARKUPS} bytes of Markups are taken")
    try:
        text = path.read_bytes().decode()
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("expected Markups as 3D Slicer writes them: a JSON object") from error
    return text


def _suffix(name: str) -> str:
    return ".seg.nrrd" if name.lower().endswith(".seg.nrrd") else suffix(name) or ".nrrd"


def drop(store: TenantStore, image_id: str) -> None:
    """Remove what a label was kept as."""
    with suppress(UnknownImageError):
        store.remove_image(image_id)


@router.get(
    "/label",
    responses={**FILE, **documented(404, 422, 507)},
    response_class=Response,
)
async def label(
    image: Annotated[str, Query(alias="label", max_length=1000)],
    who: Reader,
    service: Service,
    tag: Tag = FINAL,
) -> Response:
    """A label as a file: as it was sent, or as NRRD where a detector found it."""
    store = service.store.of(who.tenant)
    _, found = await _found(service, store, image, tag)
    if isinstance(found, Job):
        detector = await models.model(service, found.detector)
        path, _ = await labels_file(service, store, found, detector, _PLAIN)
        assert path is not None
        return attached(path, file_name(image, ".nrrd"))
    if found.markups is not None:
        headers = {"content-disposition": disposition(file_name(image, ".json"))}
        return Response(found.markups, headers=headers, media_type="application/json")
    assert found.image_id is not None
    stored = await run_in_threadpool(store.image, found.image_id)
    return attached(stored.files[0], file_name(image, str(found.info["ext"])))


@router.head("/label", responses=documented(404), include_in_schema=False)
async def has_label(image: Image, who: Reader, service: Service, tag: Tag = FINAL) -> Response:
    """Whether there is such a label."""
    await _found(service, service.store.of(who.tenant), image, tag)
    return Response()


@router.delete("/label", responses=documented(404))
def remove_label(
    image: Annotated[str, Query(alias="id", max_length=1000)],
    who: Remover,
    service: Service,
    tag: Tag = FINAL,
) -> dict[str, str]:
    """Remove a label that was sent."""
    store, kept = service.store.of(who.tenant), datastore_of(service)
    subject = find(service, store, image)
    kept.label(who.tenant, subject.id, tag)
    for one in kept.forget(who.tenant, subject.id, tag):
        drop(store, one)
    return {}


@router.get("/label/info", responses=documented(404))
async def about_label(
    image: Annotated[str, Query(alias="label", max_length=1000)],
    who: Reader,
    service: Service,
    tag: Tag = FINAL,
) -> dict[str, Any]:
    """What was told of a label, or of what a detector found."""
    _, found = await _found(service, service.store.of(who.tenant), image, tag)
    return label_info(found, await models.models(service))


@router.put(
    "/label/info",
    responses=documented(404, 413, 422),
    openapi_extra=form(info="A JSON object."),
)
@router.put("/updatelabelinfo", responses=documented(404, 413, 422), include_in_schema=False)
async def tell_of_label(
    image: Annotated[str, Query(alias="label", max_length=1000)],
    request: Request,
    who: Uploader,
    service: Service,
    tag: Tag = FINAL,
) -> dict[str, Any]:
    """Tell something of a label that was sent."""
    store, kept = service.store.of(who.tenant), datastore_of(service)
    subject = await run_in_threadpool(find, service, store, image)
    there = await run_in_threadpool(kept.label, who.tenant, subject.id, tag)
    with store.incoming() as folder:
        sent = await received(request, service, folder)
    told = {**sent.json("params"), **sent.json("info"), "ext": there.info["ext"]}
    await run_in_threadpool(kept.tell, who.tenant, subject.id, tag, told)
    return told


async def _found(
    service: State, store: TenantStore, image: str, tag: str
) -> tuple[Subject, Label | Job]:
    """A label that was sent, or the job that found the original one."""
    subject = await run_in_threadpool(find, service, store, image)
    for one in await items(service, store):
        if one.subject.id == subject.id and tag in one.labels:
            return subject, one.labels[tag]
    raise NotFoundError(f"image {image[:100]!r} has no label {tag!r}")
