"""``/datastore/``: images under the names of their clients."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from delineate.api import images
from delineate.api.access import Reader, Remover, Uploader
from delineate.api.faults import documented
from delineate.api.monailabel import labels, models
from delineate.api.monailabel.answers import FILE, attached
from delineate.api.monailabel.files import checksum, file_name, image_file
from delineate.api.monailabel.forms import form, received
from delineate.api.monailabel.shelf import ABOUT_IMAGE, FINAL, items, object_of, stats
from delineate.api.monailabel.subjects import datastore_of, find, name_demanded
from delineate.api.monailabel.temporary import AS_SENT
from delineate.api.state import Service
from delineate.api.taking import looked_into
from delineate.errors import NotFoundError, UnknownImageError
from delineate.jobs import dicom_index

__all__ = ["router"]

router = APIRouter(prefix="/datastore", tags=["MONAI Label"])
router.include_router(labels.router)

ImageName = Annotated[str, Query(max_length=1000, description="Id, name or SeriesInstanceUID.")]


@router.get("/", responses=documented())
async def datastore(
    who: Reader, service: Service, output: Literal["stats", "all", "train"] = "stats"
) -> Any:
    """What is there: numbers, or every image with its labels, or those that are finished."""
    shelf = await items(service, service.store.of(who.tenant))
    if output == "stats":
        return stats(shelf)
    if output == "train":
        return [{"image": one.name, "label": one.name} for one in shelf if FINAL in one.labels]
    known = await models.models(service)
    return {
        "name": "delineate",
        "description": "Images of this service, and labels drawn on them",
        "images_dir": "",
        "labels_dir": "",
        "objects": {one.name: object_of(one, known) for one in shelf},
    }


@router.put("/", responses=documented(409, 413, 422, 507), include_in_schema=False)
@router.put("/image", responses=documented(409, 413, 422, 507), openapi_extra=form("file"))
async def keep_image(
    request: Request,
    who: Uploader,
    service: Service,
    image: Annotated[str, Query(max_length=1000, description="What to call it.")] = "",
) -> dict[str, str]:
    """Keep an image under a name; one that was called so is no longer."""
    store = service.store.of(who.tenant)
    name = name_demanded(image)
    with store.incoming() as folder:
        sent = await received(request, service, folder)
        document = await looked_into(service, folder, [sent.file("file")], AS_SENT)
        stored = await run_in_threadpool(store.keep, folder, document)
        await run_in_threadpool(dicom_index.index, service.database, who.tenant, stored)
    image_id = str(stored.document["id"])
    if not name:
        return {"image": image_id}
    await run_in_threadpool(datastore_of(service).name, who.tenant, name, image_id)
    return {"image": name}


@router.delete("/", responses=documented(404, 409), include_in_schema=False)
@router.delete("/image", responses=documented(404, 409))
def remove_image(
    who: Remover, service: Service, image: Annotated[str, Query(alias="id", max_length=1000)]
) -> dict[str, str]:
    """Remove an image and its labels, unless a job still needs it."""
    store, kept = service.store.of(who.tenant), datastore_of(service)
    subject = find(service, store, image)
    images.remove(subject.image_id, who, service)
    for label in kept.forget(who.tenant, subject.id):
        labels.drop(store, label)
    kept.forget_names(who.tenant, subject.image_id)
    return {}


@router.head("/image", responses=documented(404), include_in_schema=False)
async def has_image(
    image: ImageName,
    who: Reader,
    service: Service,
    check_sum: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Whether an image is there, and its file the one of this SHA-256."""
    store = service.store.of(who.tenant)
    subject = await run_in_threadpool(find, service, store, image)
    if check_sum:
        stored = await run_in_threadpool(store.image, subject.image_id)
        found = await checksum(await image_file(service, stored, subject))
        if found.rpartition(":")[2] != check_sum.rpartition(":")[2].lower():
            raise UnknownImageError("the image is there, with other contents")
    return Response()


@router.get("/image", responses={**FILE, **documented(404, 422, 507)}, response_class=Response)
async def image(image: ImageName, who: Reader, service: Service) -> Response:
    """An image as one file."""
    store = service.store.of(who.tenant)
    subject = await run_in_threadpool(find, service, store, image)
    stored = await run_in_threadpool(store.image, subject.image_id)
    path = await image_file(service, stored, subject)
    return attached(path, file_name(image, subject.suffix))


@router.get("/image/info", responses=documented(404))
def about_image(image: ImageName, who: Reader, service: Service) -> dict[str, Any]:
    """What was told of an image."""
    subject = find(service, service.store.of(who.tenant), image)
    try:
        told = datastore_of(service).label(who.tenant, subject.id, ABOUT_IMAGE)
    except NotFoundError:
        return {}
    return dict(told.info)


@router.put(
    "/image/info",
    responses=documented(404, 413, 422),
    openapi_extra=form(info="A JSON object."),
)
async def tell_of_image(
    image: ImageName, request: Request, who: Uploader, service: Service
) -> dict[str, Any]:
    """Tell something of an image."""
    store = service.store.of(who.tenant)
    subject = await run_in_threadpool(find, service, store, image)
    with store.incoming() as folder:
        info = (await received(request, service, folder)).json("info")
    kept = datastore_of(service)
    await run_in_threadpool(kept.keep, who.tenant, subject.id, ABOUT_IMAGE, info)
    return info
