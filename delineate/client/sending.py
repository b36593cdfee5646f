"""Send files to a service one by one, some at a time, and only those that it lacks."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from delineate.client.transport import SMALL, Session
from delineate.errors import DelineateError

__all__ = ["Progress", "sent"]

_AT_ONCE = 4
_CHUNK = 1 << 18
_PAGE = 20_000


class Progress(Protocol):
    """Is told how far an upload is."""

    def __call__(self, done: int, total: int) -> None:
        """Bytes that the service has, and all there are."""
        ...


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    name: str
    bytes: int


def sent(
    session: Session,
    files: Iterable[tuple[Path, str]],
    reading: Mapping[str, Any],
    job: Mapping[str, Any] | None,
    progress: Progress,
    resume: str | None,
) -> dict[str, Any]:
    """Send files and have an image made of them.

    Parameters
    ----------
    session
        With the service.
    files
        Each file and the name that the service is told.
    reading
        ``uneven`` and ``spacing_mm``, as query parameters.
    job
        A job to start on the image, if any.
    progress
        Is told how many bytes of how many are there.
    resume
        Id of an upload that broke off; what it holds is not sent again.

    Returns
    -------
    dict
        ``image`` and ``job``.

    Raises
    ------
    DelineateError
        As the service refuses, or the connection fails. A note on the error says how to go on.
    """
    ours = [_File(path, name, path.stat().st_size) for path, name in files]
    identifier = resume
    if identifier is None:
        begun = session.json("POST", "/v1/uploads", params=reading, again=True)
        identifier = str(begun["id"])
    where = f"/v1/uploads/{identifier}"
    try:
        session.wait(_all(session, where, ours, progress))
        address = f"{where}/complete"
        document: dict[str, Any] = session.json("POST", address, json=job, again=True)
    except DelineateError as error:
        error.add_note(f"What has come stays for a while; go on with resume={identifier!r}.")
        raise
    return document


async def _all(session: Session, where: str, ours: Sequence[_File], progress: Progress) -> None:
    there = await _there(session, where)
    total, done = sum(one.bytes for one in ours), 0
    progress(done, total)

    def came(more: int) -> None:
        nonlocal done
        done += more
        progress(done, total)

    turns = asyncio.Semaphore(_AT_ONCE)
    try:
        async with asyncio.TaskGroup() as group:
            for one in ours:
                group.create_task(_put(session, where, one, there.get(one.name), turns, came))
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None


async def _there(session: Session, where: str) -> dict[str, str]:
    """Hashes of the files that came before, by name."""
    found: dict[str, str] = {}
    after: int | None = 0
    while after is not None:
        asked = {"after": after, "limit": _PAGE}
        page = await session.ask_json("GET", f"{where}/files", params=asked, again=True)
        found |= {one["name"]: one["sha256"] for one in page["files"]}
        after = page["next"]
    return found


async def _put(
    session: Session,
    where: str,
    one: _File,
    known: str | None,
    turns: asyncio.Semaphore,
    came: Callable[[int], None],
) -> None:
    async with turns:
        digest = await asyncio.to_thread(_sha256, one.path)
        if known != digest.hex():
            headers = {
                "Content-Length": str(one.bytes),
                "Content-Type": "application/octet-stream",
                "Repr-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:",
            }
            await session.ask(
                "PUT",
                f"{where}/files/{quote(one.name, safe='/')}",
                limit=SMALL,
                again=True,
                unhurried=True,
                body=lambda: _content(one.path),
                headers=headers,
            )
        came(one.bytes)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


async def _content(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
