"""WADO-RS: pictures as they are looked at (PS3.18 10.4.1.1.3)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Reader
from delineate.api.dicomweb.accept import picture_form
from delineate.api.dicomweb.frames import frame_numbers
from delineate.api.dicomweb.node import Dicom, Node
from delineate.api.dicomweb.resources import documented, found, place
from delineate.errors import QueryError
from delineate.jobs.dicom_search import Located, Place

__all__ = ["Look", "look", "picture", "router"]

router = APIRouter()

_THUMBNAIL = [128, 128]
_LARGEST = 8192
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "A picture.", "content": {"image/jpeg": {}, "image/png": {}}},
    **documented(400, 404, 406, 507),
}


class Look(BaseModel):
    """How a picture is to look."""

    model_config = ConfigDict(frozen=True)

    window: list[float] | None = None
    function: str = "linear"
    size: list[int] | None = None
    quality: int = 90


def look(
    window: Annotated[
        str | None, Query(max_length=100, description="CENTRE,WIDTH[,linear|linear-exact|sigmoid]")
    ] = None,
    viewport: Annotated[
        str | None, Query(max_length=100, description="Most COLUMNS,ROWS of the picture.")
    ] = None,
    quality: Annotated[str | None, Query(max_length=10, description="Of a JPEG, 1-100.")] = None,
) -> Look:
    """Read how a picture is to look.

    Raises
    ------
    QueryError
        If that makes no sense.
    """
    return Look(
        **_window(window or ""),
        size=_size(viewport) if viewport else None,
        quality=_quality(quality) if quality else 90,
    )


def _window(told: str) -> dict[str, Any]:
    if not told:
        return {}
    number = r"[+-]?\d{1,9}(?:\.\d{1,9})?"
    match = re.fullmatch(rf"({number}),({number})(?:,([a-z-]{{1,20}}))?", told)
    if match is None or float(match[2]) <= 0:
        raise QueryError("window has to be CENTRE,WIDTH or CENTRE,WIDTH,FUNCTION, as 40,400,linear")
    if match[3] not in (None, "linear", "linear-exact", "sigmoid"):
        raise QueryError("the function of a window is linear, linear-exact or sigmoid")
    return {"window": [float(match[1]), float(match[2])], "function": match[3] or "linear"}


def _size(told: str) -> list[int]:
    parts = told.split(",")
    if len(parts) != 2 or not all(re.fullmatch(r"\d{1,5}", part) for part in parts):
        raise QueryError("viewport has to be COLUMNS,ROWS, such as 256,256; parts are not cut out")
    size = [int(part) for part in parts]
    if not all(0 < part <= _LARGEST for part in size):
        raise QueryError(f"a picture has 1 to {_LARGEST} columns and rows")
    return size


def _quality(told: str) -> int:
    if not re.fullmatch(r"\d{1,3}", told) or not 1 <= int(told) <= 100:
        raise QueryError("quality is a whole number of 1 to 100")
    return int(told)


Asked = Annotated[Look, Depends(look)]


async def picture(
    node: Node, where: Place, one: Located, frame: int, how: Look, form: str
) -> Response:
    """A picture of a frame."""
    path = await run_in_threadpool(node.file, where.tenant, one)
    with node.scratch(where.tenant) as folder:
        target = folder / "picture"
        await node.paint(
            "dicom_render",
            path,
            number=frame,
            target=str(target),
            form=form,
            **how.model_dump(),
        )
        content = await run_in_threadpool(target.read_bytes)
    headers = {"Cache-Control": "private, max-age=3600"}
    return Response(content, headers=headers, media_type=f"image/{form}")


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}/rendered",
    response_class=Response,
    responses=_ANSWERS,
)
async def rendered(
    request: Request,
    study: str,
    series: str,
    instance: str,
    asked: Asked,
    who: Reader,
    node: Dicom,
) -> Response:
    """A picture of an instance; of several frames the first."""
    where = place(who.tenant, study, series, instance)
    (one,) = await found(node, where)
    return await picture(node, where, one, 1, asked, picture_form(request))


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}/frames/{frame}/rendered",
    response_class=Response,
    responses=_ANSWERS,
)
async def rendered_frame(
    request: Request,
    study: str,
    series: str,
    instance: str,
    frame: str,
    asked: Asked,
    who: Reader,
    node: Dicom,
) -> Response:
    """A picture of a frame, the first being 1."""
    numbers = frame_numbers(frame)
    if len(numbers) > 1:
        raise QueryError("one frame is rendered at a time")
    where = place(who.tenant, study, series, instance)
    (one,) = await found(node, where)
    return await picture(node, where, one, numbers[0], asked, picture_form(request))


@router.get("/studies/{study}/thumbnail", response_class=Response, responses=_ANSWERS)
async def study_thumbnail(
    request: Request, study: str, asked: Asked, who: Reader, node: Dicom
) -> Response:
    """A small picture of a study."""
    return await _thumbnail(request, node, place(who.tenant, study), asked)


@router.get(
    "/studies/{study}/series/{series}/thumbnail", response_class=Response, responses=_ANSWERS
)
async def series_thumbnail(
    request: Request, study: str, series: str, asked: Asked, who: Reader, node: Dicom
) -> Response:
    """A small picture of the middle of a series."""
    return await _thumbnail(request, node, place(who.tenant, study, series), asked)


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}/thumbnail",
    response_class=Response,
    responses=_ANSWERS,
)
async def thumbnail(
    request: Request,
    study: str,
    series: str,
    instance: str,
    asked: Asked,
    who: Reader,
    node: Dicom,
) -> Response:
    """A small picture of an instance."""
    return await _thumbnail(request, node, place(who.tenant, study, series, instance), asked)


async def _thumbnail(request: Request, node: Node, where: Place, how: Look) -> Response:
    form = picture_form(request)
    small = how.model_copy(update={"size": how.size or _THUMBNAIL})
    instances = await found(node, where)
    of_first = [one for one in instances if one.series == instances[0].series]
    one = of_first[len(of_first) // 2]
    return await picture(node, where, one, 1, small, form)
