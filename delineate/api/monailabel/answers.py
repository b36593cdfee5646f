"""A file as an answer that the clients can read: its length said, never in chunks.

Slicer reads the raw connection and does not undo ``Transfer-Encoding: chunked``: a chunked answer
would become a label map with the sizes of the chunks in it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

__all__ = ["FILE", "FileAnswer", "attached", "disposition", "with_params"]

# For the OpenAPI document.
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A file.",
        "content": {
            kind: {}
            for kind in ("application/octet-stream", "application/gzip", "application/json")
        },
    }
}
_PIECE = 2**18


class FileAnswer(Response):
    """A file with bytes before and after it.

    ``done`` is called once all was sent, or the client has gone.
    """

    def __init__(
        self,
        path: Path,
        media_type: str,
        *,
        before: bytes = b"",
        after: bytes = b"",
        headers: Mapping[str, str] | None = None,
        done: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._path, self._before, self._after, self._done = path, before, after, done
        size = len(before) + path.stat().st_size + len(after)
        more = {"content-length": str(size), "cache-control": "no-store", **(headers or {})}
        super().__init__(None, 200, more, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(head)
            await _send(send, self._before)
            async with await anyio.open_file(self._path, "rb") as file:
                while piece := await file.read(_PIECE):
                    await _send(send, piece)
            await send({"type": "http.response.body", "body": self._after, "more_body": False})
        finally:
            if self._done is not None:
                with anyio.CancelScope(shield=True):
                    await self._done()


async def _send(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


def with_params(path: Path, name: str, params: Mapping[str, Any], **more: Any) -> FileAnswer:
    """A multipart answer: ``params`` as JSON without a file name, then the one file."""
    boundary = secrets.token_hex(24)
    before = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\n'
        f"Content-Type: application/json\r\n\r\n{json.dumps(params)}\r\n"
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        f"Content-Type: {_media_type(path)}\r\n\r\n"
    )
    return FileAnswer(
        path,
        f"multipart/form-data; boundary={boundary}",
        before=before.encode(),
        after=f"\r\n--{boundary}--\r\n".encode(),
        **more,
    )


def attached(path: Path, name: str, **more: Any) -> FileAnswer:
    """The file alone, and what it is to be called."""
    headers = {"content-disposition": disposition(name)}
    return FileAnswer(path, _media_type(path), headers=headers, **more)


def disposition(name: str) -> str:
    """The header that says what a file is to be called; clients insist on it."""
    if name.isascii() and name.isprintable() and not {'"', "\\"} & set(name):
        return f'attachment; filename="{name}"'
    return f"attachment; filename*=utf-8''{quote(name)}"


def _media_type(path: Path) -> str:
    kinds = {".json": "application/json", ".dcm": "application/dicom", ".gz": "application/gzip"}
    return kinds.get(path.suffix, "application/octet-stream")
