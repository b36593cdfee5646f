"""WADO-RS: instances and their headers go out (PS3.18 10.4)."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool

from delineate.api.access import Reader
from delineate.api.dicomweb.accept import (
    DICOM,
    EXPLICIT,
    JSON,
    Range,
    accepted,
    demand_json,
    instance_syntax,
)
from delineate.api.dicomweb.node import Dicom, Node
from delineate.api.dicomweb.related import related
from delineate.api.dicomweb.resources import documented, found, place
from delineate.jobs.dicom_search import Located, Place, headers
from delineate.jobs.related import Body, Piece

__all__ = ["instances_answer", "router"]

router = APIRouter()

_SMALL = 32 << 20

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The instances, as they came or in explicit little endian.",
        "content": {'multipart/related; type="application/dicom"': {}, DICOM: {}},
    },
    **documented(404, 406, 507),
}
_HEADERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The headers; long values by their address.", "content": {JSON: {}}},
    **documented(404, 406),
}


@router.get("/studies/{study}", response_class=Response, responses=_ANSWERS)
async def study(request: Request, study: str, who: Reader, node: Dicom) -> Response:
    """All instances of a study."""
    return await _answer(request, node, place(who.tenant, study))


@router.get("/studies/{study}/series/{series}", response_class=Response, responses=_ANSWERS)
async def series(request: Request, study: str, series: str, who: Reader, node: Dicom) -> Response:
    """All instances of a series."""
    return await _answer(request, node, place(who.tenant, study, series))


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}",
    response_class=Response,
    responses=_ANSWERS,
)
async def instance(
    request: Request, study: str, series: str, instance: str, who: Reader, node: Dicom
) -> Response:
    """An instance."""
    return await _answer(request, node, place(who.tenant, study, series, instance))


async def _answer(request: Request, node: Node, where: Place) -> Response:
    return await instances_answer(accepted(request), node, where, node.base(request))


async def instances_answer(
    ranges: Sequence[Range], node: Node, where: Place, base: str
) -> Response:
    """The instances of a place, in a form that is accepted."""
    instances = await found(node, where)
    chosen = [(one, *instance_syntax(ranges, one.transfer_syntax)) for one in instances]
    if all(syntax == one.transfer_syntax for one, syntax, _ in chosen):
        pieces = await run_in_threadpool(_files, node, where.tenant, instances)
        if len(instances) == 1 and not chosen[0][2]:
            return _single(pieces[0].path, chosen[0][1])
        bodies = [
            _body(piece, syntax, f"{base}{one.path}")
            for piece, (one, syntax, _) in zip(pieces, chosen, strict=True)
        ]
        return related(bodies, DICOM)
    first: bytes | None = None
    if instances[0].size <= _SMALL:  # made before the answer begins, so that it may be a refusal
        with node.scratch(where.tenant) as folder:
            made = await _plain(node, where.tenant, *chosen[0][:2], folder)
            first = await run_in_threadpool(lambda: b"".join(made.blocks()))
    bodies_made = _plainly(node, where.tenant, [one[:2] for one in chosen], first, base)
    if len(instances) == 1 and not chosen[0][2]:
        kind = f"{DICOM}; transfer-syntax={EXPLICIT}"
        return StreamingResponse(_content(bodies_made), media_type=kind)
    return related(bodies_made, DICOM)


def _files(node: Node, tenant: str, instances: Sequence[Located]) -> list[Piece]:
    folders: dict[tuple[str, str], Path] = {}
    pieces = []
    for one in instances:
        key = (one.holder, one.holder_id)
        if one.holder == "image" and key in folders:
            path = folders[key] / one.name
        else:
            path = node.file(tenant, one)
            folders[key] = path.parent
        pieces.append(Piece(path, 0, one.size))
    return pieces


def _body(piece: Piece, syntax: str, location: str) -> Body:
    return Body([piece], f"{DICOM}; transfer-syntax={syntax}", location)


def _single(path: Path, syntax: str) -> FileResponse:
    return FileResponse(path, media_type=f"{DICOM}; transfer-syntax={syntax}")


async def _plain(node: Node, tenant: str, one: Located, syntax: str, folder: Path) -> Piece:
    """The file of an instance as it is, or in ``folder`` what it is without compression."""
    path = await run_in_threadpool(node.file, tenant, one)
    if syntax == one.transfer_syntax:
        return Piece(path, 0, one.size)
    target = folder / "plain.dcm"
    await node.paint("dicom_plain", path, target=str(target))
    return await run_in_threadpool(Piece.whole, target)


async def _plainly(
    node: Node,
    tenant: str,
    chosen: Sequence[tuple[Located, str]],
    first: bytes | None,
    base: str,
) -> AsyncIterator[Body]:
    """The instances, each written anew as it is sent; the first may be ready."""
    with node.scratch(tenant) as folder:
        for number, (one, syntax) in enumerate(chosen):
            ready = None if number else first
            content = ready or await _plain(node, tenant, one, syntax, folder)
            yield Body([content], f"{DICOM}; transfer-syntax={syntax}", f"{base}{one.path}")


async def _content(bodies: AsyncIterator[Body]) -> AsyncIterator[bytes]:
    async for body in bodies:
        async for block in iterate_in_threadpool(body.blocks()):
            yield block


@router.get("/studies/{study}/metadata", response_class=Response, responses=_HEADERS)
async def study_metadata(request: Request, study: str, who: Reader, node: Dicom) -> Response:
    """The headers of a study's instances."""
    return await _metadata(request, node, place(who.tenant, study))


@router.get(
    "/studies/{study}/series/{series}/metadata", response_class=Response, responses=_HEADERS
)
async def series_metadata(
    request: Request, study: str, series: str, who: Reader, node: Dicom
) -> Response:
    """The headers of a series' instances."""
    return await _metadata(request, node, place(who.tenant, study, series))


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}/metadata",
    response_class=Response,
    responses=_HEADERS,
)
async def instance_metadata(
    request: Request, study: str, series: str, instance: str, who: Reader, node: Dicom
) -> Response:
    """The header of an instance."""
    return await _metadata(request, node, place(who.tenant, study, series, instance))


async def _metadata(request: Request, node: Node, where: Place) -> Response:
    demand_json(request)
    instances = await found(node, where)
    content = _json(node, instances, node.base(request))
    told = {"Vary": "Accept, Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        told["Content-Encoding"] = "gzip"
        content = _gzipped(content)
    return StreamingResponse(iterate_in_threadpool(content), headers=told, media_type=JSON)


def _json(node: Node, instances: Sequence[Located], base: str) -> Iterator[bytes]:
    """A JSON array of headers. The mark before ``@`` cannot be in a value: quotes are escaped."""
    mark = b'"BulkDataURI":"@'
    paths = {one.id: one.path for one in instances}
    before = b"["
    with node.database.connect() as connection:
        for number, header in headers(connection, [one.id for one in instances]):
            address = f"{base}{paths[number]}".encode()
            yield before + header.replace(mark, mark[:-1] + address)
            before = b","
    yield b"]" if before == b"," else b"[]"


def _gzipped(content: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, wbits=31)
    for block in content:
        if packed := packer.compress(block):
            yield packed
    yield packer.flush()
