"""STOW-RS: instances come in (PS3.18 10.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Uploader
from delineate.api.dicomweb.accept import DICOM, JSON, demand_json
from delineate.api.dicomweb.node import Dicom, Node, Outcome
from delineate.api.dicomweb.resources import demand_uid, documented
from delineate.api.taking import announced_bytes, written
from delineate.errors import MediaTypeError, QueryError
from delineate.jobs.related import Parts
from delineate.jobs.upload import Reception

__all__ = ["router"]

router = APIRouter()

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            'multipart/related; type="application/dicom"': {
                "schema": {"type": "array", "items": {"type": "string", "format": "binary"}}
            },
            DICOM: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "All instances are stored.", "content": {JSON: {}}},
    202: {"description": "Some are; FailedSOPSequence says which not.", "content": {JSON: {}}},
    409: {"description": "None is; FailedSOPSequence says why.", "content": {JSON: {}}},
    **documented(400, 406, 413, 415, 507),
}


@router.post("/studies", response_class=JSONResponse, responses=_ANSWERS, openapi_extra=_BODY)
async def store(request: Request, who: Uploader, node: Dicom) -> JSONResponse:
    """Store instances of any studies."""
    return await _store(request, who.tenant, node, "")


@router.post(
    "/studies/{study}", response_class=JSONResponse, responses=_ANSWERS, openapi_extra=_BODY
)
async def store_in(request: Request, study: str, who: Uploader, node: Dicom) -> JSONResponse:
    """Store instances of one study."""
    return await _store(request, who.tenant, node, demand_uid(study))


async def _store(request: Request, tenant: str, node: Node, study: str) -> JSONResponse:
    demand_json(request)
    service = node.service
    with service.store.of(tenant).incoming() as folder:
        reception = Reception(service.store, service.settings, folder)
        try:
            await _received(request, node, reception)
        finally:
            await asyncio.shield(run_in_threadpool(reception.close))
        if not reception.parts or reception.is_empty:
            raise QueryError("the body holds no instance")
        paths = [part.path for part in reception.parts]
        told = await node.read(paths, [""] * len(paths))
        told = [{**one, "name": one.get("digest", "")} for one in told]
        # Where patients are taken out, the study that was asked for has another UID now.
        study = study if service.settings.deidentify == "off" else ""
        outcomes = await run_in_threadpool(node.keep, tenant, reception.parts, told, "stow", study)
    node.wake.set()
    return _answer(outcomes, node.base(request))


async def _received(request: Request, node: Node, reception: Reception) -> None:
    """Write the body to disk, an instance a file.

    Raises
    ------
    MediaTypeError
        If it is not of instances.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    part = options.get(b"type", DICOM.encode()).decode("latin-1").lower()
    await run_in_threadpool(reception.expect, announced_bytes(request))
    if kind == b"multipart/related" and part == DICOM:
        parts = Parts(reception, options.get(b"boundary", b""))
        take, end = parts.take, parts.end
    elif kind == DICOM.encode():
        await run_in_threadpool(reception.start, "instance.dcm")
        take, end = reception.write, reception.end
    else:
        raise MediaTypeError(
            'expected Content-Type: multipart/related; type="application/dicom", or '
            "application/dicom for one instance"
        )
    await written(request, node.service, take)
    await run_sync(end, limiter=node.service.disk)


def _answer(outcomes: Sequence[Outcome], base: str) -> JSONResponse:
    """The Store Instances Response Module (PS3.18 Annex I)."""
    stored = [one for one in outcomes if one.refusal is None]
    failed = [one for one in outcomes if one.refusal is not None]
    studies = {one.study for one in stored}
    told: dict[str, Any] = {}
    if len(studies) == 1:
        told["00081190"] = _value("UR", f"{base}/studies/{studies.pop()}")
    if stored:
        told["00081199"] = _value("SQ", *(_stored(one, base) for one in stored))
    known = [_failed(one) for one in failed if one.instance]
    if known:
        told["00081198"] = _value("SQ", *known)
    others = [_failed(one) for one in failed if not one.instance]
    if others:
        told["0008119A"] = _value("SQ", *others)
    status = 409 if not stored else 202 if failed else 200
    headers = {"Cache-Control": "no-store"}
    if failed and failed[0].refusal is not None:
        why = failed[0].refusal.reason
        headers["Warning"] = f'299 delineate "{len(failed)} not stored; of the first {why}"'
    return JSONResponse(dict(sorted(told.items())), status, headers, media_type=JSON)


def _value(vr: str, *values: Any) -> Mapping[str, Any]:
    return {"vr": vr, "Value": list(values)}


def _stored(one: Outcome, base: str) -> dict[str, Any]:
    address = f"{base}/studies/{one.study}/series/{one.series}/instances/{one.instance}"
    return {
        "00081150": _value("UI", one.sop_class),
        "00081155": _value("UI", one.instance),
        "00081190": _value("UR", address),
    }


def _failed(one: Outcome) -> dict[str, Any]:
    code = one.refusal.code if one.refusal is not None else 0
    told = {"00081197": _value("US", code)}
    if one.instance:
        told["00081155"] = _value("UI", one.instance)
        told["00081150"] = _value("UI", one.sop_class) if one.sop_class else {"vr": "UI"}
    return dict(sorted(told.items()))
