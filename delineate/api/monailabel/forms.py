"""Forms as clients send them: fields as text, files to disk as they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from anyio.to_thread import run_sync
from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool

from delineate.api.multipart import Parts
from delineate.api.state import State
from delineate.api.taking import announced_bytes, written
from delineate.errors import InputError, TooLargeError, UploadError
from delineate.jobs.upload import Part, Reception

__all__ = ["Form", "form", "received"]

_LONGEST_FIELDS = 2**20


def form(*files: str, **texts: str) -> dict[str, Any]:
    """What the OpenAPI document says of a form: its files, and its texts with their meaning."""
    binary = {"type": "string", "format": "binary"}
    properties = {
        **dict.fromkeys(files, binary),
        **{name: {"type": "string", "description": text} for name, text in texts.items()},
    }
    schema = {"type": "object", "properties": properties}
    kinds = ["multipart/form-data", *([] if files else ["application/x-www-form-urlencoded"])]
    return {"requestBody": {"content": {kind: {"schema": schema} for kind in kinds}}}


@dataclass(frozen=True, slots=True)
class Form:
    """What came: fields by name, files by the name of their field."""

    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Sequence[Part]] = field(default_factory=dict)

    def json(self, name: str) -> dict[str, Any]:
        """A field that holds a JSON object; an empty one where it is missing.

        Raises
        ------
        InputError
            If it holds something else.
        """
        try:
            told = json.loads(self.fields.get(name) or "{}")
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise InputError(f"expected a JSON object in the field {name!r}")
        return told

    def file(self, name: str) -> Part:
        """The one file of the form.

        Raises
        ------
        UploadError
            If there is none, or others came.
        """
        if [*self.files] != [name] or len(self.files[name]) != 1:
            raise UploadError(f"expected one file in the field {name!r}, and no other")
        return self.files[name][0]


async def received(request: Request, service: State, folder: Path) -> Form:
    """Take a form in; its files lie in ``folder``'s ``parts``, under numbers.

    Raises
    ------
    UploadError
        If it is no form, or a broken one.
    TooLargeError
        If it is too large.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"multipart/form-data":
        return await _multipart(request, service, folder, options.get(b"boundary", b""))
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FIELDS:
            raise TooLargeError(f"at most {_LONGEST_FIELDS} bytes are taken as a form of this kind")
    if kind == b"application/x-www-form-urlencoded" or not body:
        return Form(dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)))
    raise UploadError("expected a form: Content-Type: multipart/form-data")


async def _multipart(request: Request, service: State, folder: Path, boundary: bytes) -> Form:
    reception = Reception(service.store, service.settings, folder)
    await run_in_threadpool(reception.expect, announced_bytes(request))
    parts = Parts(reception, boundary)
    try:
        await written(request, service, parts.take)
        await run_sync(parts.end, limiter=service.disk)
    finally:
        await asyncio.shield(run_in_threadpool(reception.close))
    files: dict[str, list[Part]] = {}
    for name, part in zip(parts.file_fields, reception.parts, strict=True):
        files.setdefault(name, []).append(part)
    return Form(parts.fields, files)
