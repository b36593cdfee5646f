"""Take a body to disk, look into what came, keep it: the same for every way in."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import Depends, Query, Request
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool

from delineate.api.faults import RefusedUploadError
from delineate.api.multipart import Parts
from delineate.api.state import State
from delineate.errors import MediaTypeError, UploadError
from delineate.formats.stated import parsed_size
from delineate.jobs.upload import Part, Reception

__all__ = [
    "Reading",
    "announced_bytes",
    "announced_digest",
    "demand_plain",
    "looked_into",
    "sent",
    "written",
]

_BATCH = 2**16
_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([^:]*):")


def _reading(
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
    size = None if spacing_mm is None else parsed_size(spacing_mm)
    return {"uneven": uneven, "spacing_mm": size}


Reading = Annotated[dict[str, Any], Depends(_reading)]


async def sent(request: Request, service: State, reception: Reception, name: str) -> None:
    """Write a body of one file or several to disk as it comes.

    Raises
    ------
    UploadError
        If it breaks off, is broken, or holds nothing.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    announced = announced_bytes(request)
    await run_in_threadpool(reception.expect, announced)
    try:
        if kind == b"multipart/form-data":
            parts = Parts(reception, options.get(b"boundary", b""))
            take, end = parts.take, parts.end
        else:
            await run_in_threadpool(reception.start, name or "upload")
            take, end = reception.write, reception.end
        await written(request, service, take)
        await run_sync(end, limiter=service.disk)
    finally:
        await asyncio.shield(run_in_threadpool(reception.close))
    if reception.is_empty:
        raise UploadError(
            "the upload holds no file, or an empty one; send files as multipart/form-data in "
            "parts named 'files', or one file as the body"
        )


async def written(request: Request, service: State, take: Callable[[bytes], object]) -> None:
    """Hand a body to ``take``, in threads, a batch at a time."""
    demand_plain(request)
    async for batch in _batches(request, service.settings.stall_seconds):
        await run_sync(take, batch, limiter=service.disk)


def announced_bytes(request: Request) -> int:
    """How long the body will be, where its client says so."""
    announced = request.headers.get("content-length", "")
    return int(announced) if announced.isdigit() else 0


def announced_digest(request: Request) -> str | None:
    """The SHA-256 that a client announces, in hexadecimal.

    Raises
    ------
    UploadError
        If it is none, or two headers differ.
    """
    said = set()
    for name in ("content-digest", "repr-digest"):
        for match in _DIGEST.findall(request.headers.get(name, "")):
            try:
                raw = base64.b64decode(match, validate=True)
            except binascii.Error:
                raw = b""
            if len(raw) != 32:
                raise UploadError(
                    f"expected {name} as sha-256=:BASE64: of 32 bytes (RFC 9530), got another"
                )
            said.add(raw.hex())
    if len(said) > 1:
        raise UploadError("Content-Digest and Repr-Digest say different things")
    return next(iter(said), None)


def demand_plain(request: Request) -> None:
    """Refuse a body that is packed for the way: what it unpacks to is bounded by nobody.

    Raises
    ------
    MediaTypeError
        So.
    """
    coding = request.headers.get("content-encoding", "identity")
    if coding.lower() != "identity":
        raise MediaTypeError(
            "a body is taken as it is, without Content-Encoding; send a .nii.gz or a zip as such"
        )


async def looked_into(
    service: State,
    folder: Path,
    parts: Sequence[Part],
    reading: Mapping[str, Any],
    *,
    just_came: bool = False,
) -> dict[str, Any]:
    """What an upload holds, said by a process of its own.

    Parameters
    ----------
    service
        Whose reader looks.
    folder
        With ``parts``, the files; gets ``files`` and ``names.json``.
    parts
        In that order: what their sender calls them, and their hashes.
    reading
        ``uneven`` and ``spacing_mm``.
    just_came
        The files came in this very request, and their hashes were taken then.

    Raises
    ------
    RefusedUploadError
        If nothing in it can be used.
    """
    document: dict[str, Any] = await service.reader.run(
        "look",
        service.settings.inspect_seconds,
        folder=str(folder),
        names=[part.name for part in parts],
        digests=[part.sha256 for part in parts],
        just_came=just_came,
        max_bytes=service.settings.max_upload_bytes,
        max_files=service.settings.max_files,
        **reading,
    )
    if document["report"]["verdict"] == "refused":
        raise _refused(document["report"])
    return document


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
    series = [{**one, "files": [], "description": ""} for one in series]
    return RefusedUploadError(
        f"{told}. {report['advice']}", {**report, "series": series, "ignored": nameless}
    )
