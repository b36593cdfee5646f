"""WADO-RS: frames and bulk data go out (PS3.18 10.4)."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool

from delineate.api.access import Reader
from delineate.api.dicomweb.accept import OCTETS, accepted, form_of_frames
from delineate.api.dicomweb.node import Dicom, Node
from delineate.api.dicomweb.related import related
from delineate.api.dicomweb.resources import documented, found, place
from delineate.errors import NotAcceptableError, QueryError, UnknownInstanceError
from delineate.formats.dicom.codecs import NATIVE
from delineate.jobs.dicom_reading import PLAIN
from delineate.jobs.dicom_search import Located, Place, header
from delineate.jobs.related import Body, Piece

__all__ = ["frame_numbers", "router"]

router = APIRouter()

_PIXELS = "7FE00010"
_SIZES = ("00280010", "00280011", "00280002", "00280100")
_MOST_FRAMES = 10_000
_AT_ONCE, _AT_ONCE_BYTES = 16, 16 << 20
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The frames, as they are stored or decoded.",
        "content": {'multipart/related; type="application/octet-stream"': {}, OCTETS: {}},
    },
    **documented(400, 404, 406, 507),
}


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}/frames/{frames}",
    response_class=Response,
    responses=_ANSWERS,
)
async def frames(
    request: Request,
    study: str,
    series: str,
    instance: str,
    frames: str,
    who: Reader,
    node: Dicom,
) -> Response:
    """Frames of an instance: numbers from 1, parted by commas."""
    numbers = frame_numbers(frames)
    where = place(who.tenant, study, series, instance)
    (one,) = await found(node, where)
    return await _frames(request, node, where, one, numbers)


def frame_numbers(told: str) -> list[int]:
    """The numbers of frames that an address names.

    Raises
    ------
    QueryError
        If they are none.
    """
    numbers = told.split(",")
    if not all(re.fullmatch(r"0*[1-9]\d{0,8}", one) for one in numbers):
        raise QueryError("frames are whole numbers from 1, parted by commas, such as 1,2,3")
    if len(numbers) > _MOST_FRAMES:
        raise QueryError(f"at most {_MOST_FRAMES} frames are sent at once")
    return [int(number) for number in numbers]


async def _frames(
    request: Request, node: Node, where: Place, one: Located, numbers: Sequence[int] | None
) -> Response:
    """Frames, all of them if no numbers are given."""
    media, syntax, multipart = form_of_frames(accepted(request), one.transfer_syntax)
    told, places = await run_in_threadpool(header, node.database, one.id)
    count = places["count"] if places else _count(told)
    if _PIXELS not in told and places is None:
        raise UnknownInstanceError("this instance has no frames")
    numbers = numbers or list(range(1, count + 1))
    if max(numbers) > count or min(numbers) < 1:
        raise UnknownInstanceError(f"the instance has {count} frames, the first is 1")
    if not multipart and len(numbers) > 1:
        raise NotAcceptableError("several frames come as multipart/related; accept that")
    path = await run_in_threadpool(node.file, where.tenant, one)
    kind = f"{media}; transfer-syntax={syntax}"
    address = f"{node.base(request)}{one.path}/frames"
    as_stored = syntax == one.transfer_syntax or one.transfer_syntax in PLAIN
    if places is not None and as_stored:
        bodies = [Body(_pieces(path, places, n), kind, f"{address}/{n}") for n in numbers]
        return related(bodies, media) if multipart else _single(bodies[0])
    if one.transfer_syntax not in NATIVE and syntax == one.transfer_syntax:
        raise NotAcceptableError(
            "where the frames of this instance begin cannot be told; ask for them decoded, as "
            f"{OCTETS} without transfer-syntax"
        )
    step = min(_AT_ONCE, max(1, _AT_ONCE_BYTES // _frame_bytes(told)))
    first = await _decoded(node, where.tenant, path, numbers[:step])
    if not multipart:
        return _single(Body([first[0]], kind))
    return related(_decoding(node, where.tenant, path, numbers, first, kind, address), media)


def _count(told: dict[str, Any]) -> int:
    value = told.get("00280008", {}).get("Value") or [1]
    return max(1, int(value[0] or 1))


def _frame_bytes(told: dict[str, Any]) -> int:
    """How large a frame is once it is decoded, at the most."""
    numbers = (told.get(tag, {}).get("Value") or [1] for tag in _SIZES)
    return max(1, math.prod(int(one[0] or 1) for one in numbers) // 8)


def _pieces(path: Path, places: dict[str, Any], number: int) -> list[Piece]:
    if "offset" in places:
        size = places["bytes"]
        return [Piece(path, places["offset"] + (number - 1) * size, size)]
    return [Piece(path, offset, length) for offset, length in places["places"][number - 1]]


def _single(body: Body) -> StreamingResponse:
    headers = {"Content-Length": str(body.length)}
    content = iterate_in_threadpool(body.blocks())
    return StreamingResponse(content, headers=headers, media_type=body.media_type)


async def _decoded(node: Node, tenant: str, path: Path, numbers: Sequence[int]) -> list[bytes]:
    with node.scratch(tenant) as folder:
        files: list[str] = await node.paint(
            "dicom_frames", path, numbers=list(numbers), folder=str(folder)
        )
        return await run_in_threadpool(lambda: [Path(one).read_bytes() for one in files])


async def _decoding(
    node: Node,
    tenant: str,
    path: Path,
    numbers: Sequence[int],
    first: list[bytes],
    kind: str,
    address: str,
) -> AsyncIterator[Body]:
    """Frames, decoded some at a time as they are sent; the first are ready."""
    step = len(first)
    for start in range(0, len(numbers), step):
        some = numbers[start : start + step]
        ready = first if not start else await _decoded(node, tenant, path, some)
        for number, content in zip(some, ready, strict=True):
            yield Body([content], kind, f"{address}/{number}")


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}/bulkdata/{element:path}",
    response_class=Response,
    responses=_ANSWERS,
)
async def bulk_data(
    request: Request,
    study: str,
    series: str,
    instance: str,
    element: str,
    who: Reader,
    node: Dicom,
) -> Response:
    """A long value of a header, at the address that the header names; pixels as frames."""
    where = place(who.tenant, study, series, instance)
    (one,) = await found(node, where)
    if not re.fullmatch(r"[0-9A-F]{8}(/\d{1,6}/[0-9A-F]{8}){0,16}", element):
        raise UnknownInstanceError("no bulk data lies at this address; the metadata has them")
    if element == _PIXELS and one.transfer_syntax not in NATIVE:
        return await _frames(request, node, where, one, None)
    ranges = [one for one in accepted(request) if one.type in (OCTETS, "application/*", "*/*")]
    if not ranges:
        raise NotAcceptableError(f"bulk data is given as {OCTETS} only")
    path = await run_in_threadpool(node.file, where.tenant, one)
    body = Body(await _bulk(node, where.tenant, path, one, element), OCTETS, str(request.url))
    if ranges[0].is_multipart or "*" in ranges[0].type:
        return related([body], OCTETS)
    return _single(body)


async def _bulk(
    node: Node, tenant: str, path: Path, one: Located, element: str
) -> list[Piece | bytes]:
    """The value of an element; pixels lie in the file as they are to be sent."""
    if element == _PIXELS and one.transfer_syntax in PLAIN:
        _, places = await run_in_threadpool(header, node.database, one.id)
        if places is not None:
            return [Piece(path, places["offset"], places["bytes"] * places["count"])]
    with node.scratch(tenant) as folder:
        target = folder / "value"
        await node.paint("dicom_bulk", path, address=element, target=str(target))
        return [await run_in_threadpool(target.read_bytes)]
