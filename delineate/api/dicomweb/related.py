"""Answers of several parts, sent as they are read from the disk."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence

from fastapi.responses import StreamingResponse
from starlette.concurrency import iterate_in_threadpool

from delineate.jobs.related import Body, blocks, head, length, tail

__all__ = ["related"]


def related(
    bodies: Sequence[Body] | AsyncIterator[Body], kind: str, headers: dict[str, str] | None = None
) -> StreamingResponse:
    """Send parts of one kind in a multipart body, as they are read from the disk.

    Parameters
    ----------
    bodies
        The parts; if all are known beforehand, the answer says how long it is.
    kind
        Media type of the parts, without parameters.
    headers
        Further ones of the answer.
    """
    boundary = secrets.token_hex(16)
    more = dict(headers or {})
    content: AsyncIterator[bytes]
    if isinstance(bodies, Sequence):
        more["Content-Length"] = str(length(bodies, boundary))
        content = iterate_in_threadpool(blocks(bodies, boundary))
    else:
        content = _blocks_of(bodies, boundary)
    media_type = f'multipart/related; type="{kind}"; boundary={boundary}'
    return StreamingResponse(content, headers=more, media_type=media_type)


async def _blocks_of(bodies: AsyncIterator[Body], boundary: str) -> AsyncIterator[bytes]:
    async for body in bodies:
        yield head(body, boundary)
        async for block in iterate_in_threadpool(body.blocks()):
            yield block
        yield b"\r\n"
    yield tail(boundary)
