"""WADO-URI: one instance by query parameters, as it came or as a picture (PS3.18 9)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from delineate.api.access import Reader
from delineate.api.dicomweb.accept import EXPLICIT, Range
from delineate.api.dicomweb.frames import frame_numbers
from delineate.api.dicomweb.node import Dicom
from delineate.api.dicomweb.pictures import look, picture
from delineate.api.dicomweb.resources import documented, found, place
from delineate.api.dicomweb.retrieving import instances_answer
from delineate.errors import NotAcceptableError, QueryError

__all__ = ["router"]

router = APIRouter()

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The instance or a picture of it.",
        "content": {"application/dicom": {}, "image/jpeg": {}, "image/png": {}},
    },
    **documented(400, 404, 406, 507),
}
_Text = Annotated[str, Query(max_length=100)]


@router.get("/wado", response_class=Response, responses=_ANSWERS)
async def wado(
    request: Request,
    who: Reader,
    node: Dicom,
    requestType: _Text,  # noqa: N803
    studyUID: _Text,  # noqa: N803
    seriesUID: _Text,  # noqa: N803
    objectUID: _Text,  # noqa: N803
    contentType: _Text = "image/jpeg",  # noqa: N803
    transferSyntax: _Text = EXPLICIT,  # noqa: N803
    frameNumber: _Text = "1",  # noqa: N803
    windowCenter: _Text = "",  # noqa: N803
    windowWidth: _Text = "",  # noqa: N803
    rows: _Text = "",
    columns: _Text = "",
    imageQuality: _Text = "",  # noqa: N803
) -> Response:
    """One instance by WADO-URI."""
    if requestType != "WADO":
        raise QueryError("requestType has to be WADO")
    where = place(who.tenant, studyUID, seriesUID, objectUID)
    forms = [one.strip().lower().partition(";")[0] for one in contentType.split(",")]
    if "application/dicom" in forms:
        wanted = Range("application/dicom", False, transferSyntax, 1.0)
        return await instances_answer([wanted], node, where, node.base(request))
    form = next((one[6:] for one in forms if one in ("image/jpeg", "image/png")), None)
    if form is None:
        raise NotAcceptableError("contentType has to be application/dicom, image/jpeg or image/png")
    window = ",".join(part for part in (windowCenter, windowWidth) if part)
    size = f"{columns or rows},{rows or columns}" if rows or columns else None
    (one,) = await found(node, where)
    (frame,) = frame_numbers(frameNumber)[:1]
    return await picture(node, where, one, frame, look(window, size, imageQuality), form)
