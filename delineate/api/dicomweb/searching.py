"""QIDO-RS: what is stored (PS3.18 10.6)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Reader
from delineate.api.dicomweb.accept import JSON, demand_json
from delineate.api.dicomweb.node import Dicom, Node
from delineate.api.dicomweb.resources import documented, place
from delineate.jobs.dicom_attributes import Level
from delineate.jobs.dicom_query import parse
from delineate.jobs.dicom_search import Place, search

__all__ = ["router"]

router = APIRouter()

# The most that is answered at once.
_MOST = 1000
_NOT_SEARCHED = ("accept", "charset")
_NAMES = (
    ("limit", f"At most so many; {_MOST} at once."),
    ("offset", "Leave out so many of the first."),
    ("includefield", "Keywords or tags of further attributes, parted by commas, or 'all'."),
    ("PatientID", "And all others that docs/dicomweb.md lists, by keyword or tag."),
)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "What was found.", "content": {JSON: {}}},
    **documented(400, 406),
}
_QUERY = {
    "parameters": [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": text,
            "schema": {"type": "string"},
        }
        for name, text in _NAMES
    ]
}


async def _search(request: Request, node: Node, level: Level, where: Place) -> JSONResponse:
    demand_json(request)
    asked = [pair for pair in request.query_params.multi_items() if pair[0] not in _NOT_SEARCHED]
    query = parse(level, asked, _MOST)
    answer = await run_in_threadpool(search, node.database, where, query, node.base(request))
    warnings = list(query.warnings)
    if answer.more:
        warnings.append("There are additional results that can be requested.")
    response = JSONResponse(answer.found, media_type=JSON)
    response.headers["Cache-Control"] = "no-store"
    for text in warnings:
        response.headers.append("Warning", f'299 delineate "{text}"')
    return response


@router.get("/studies", response_class=JSONResponse, responses=_ANSWERS, openapi_extra=_QUERY)
async def studies(request: Request, who: Reader, node: Dicom) -> JSONResponse:
    """Search for studies."""
    return await _search(request, node, "study", place(who.tenant))


@router.get("/series", response_class=JSONResponse, responses=_ANSWERS, openapi_extra=_QUERY)
async def all_series(request: Request, who: Reader, node: Dicom) -> JSONResponse:
    """Search for series of all studies."""
    return await _search(request, node, "series", place(who.tenant))


@router.get("/instances", response_class=JSONResponse, responses=_ANSWERS, openapi_extra=_QUERY)
async def all_instances(request: Request, who: Reader, node: Dicom) -> JSONResponse:
    """Search for instances of all studies."""
    return await _search(request, node, "instance", place(who.tenant))


@router.get(
    "/studies/{study}/series",
    response_class=JSONResponse,
    responses={**_ANSWERS, **documented(404)},
    openapi_extra=_QUERY,
)
async def series(request: Request, study: str, who: Reader, node: Dicom) -> JSONResponse:
    """Search for series of a study."""
    return await _search(request, node, "series", place(who.tenant, study))


@router.get(
    "/studies/{study}/instances",
    response_class=JSONResponse,
    responses={**_ANSWERS, **documented(404)},
    openapi_extra=_QUERY,
)
async def study_instances(request: Request, study: str, who: Reader, node: Dicom) -> JSONResponse:
    """Search for instances of a study."""
    return await _search(request, node, "instance", place(who.tenant, study))


@router.get(
    "/studies/{study}/series/{series}/instances",
    response_class=JSONResponse,
    responses={**_ANSWERS, **documented(404)},
    openapi_extra=_QUERY,
)
async def instances(
    request: Request, study: str, series: str, who: Reader, node: Dicom
) -> JSONResponse:
    """Search for instances of a series."""
    return await _search(request, node, "instance", place(who.tenant, study, series))
