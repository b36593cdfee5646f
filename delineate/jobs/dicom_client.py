"""Another DICOMweb server: send instances to it, ask what it has, fetch series.

Bytes go and come as they are: nothing is parsed here but multipart bodies and JSON.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from python_multipart.multipart import parse_options_header

from delineate.errors import InputError, RemoteError
from delineate.jobs.related import Body, Parts, Piece, Sink, blocks, length
from delineate.jobs.rules import Server

if TYPE_CHECKING:
    import httpx

__all__ = ["Remote"]

_DICOM, _JSON = "application/dicom", "application/dicom+json"
_BATCH_FILES, _BATCH_BYTES = 100, 256 << 20
_LONGEST_ANSWER = 64 << 20
_TEMPORARY = frozenset((408, 425, 429, 500, 502, 503, 504))
_FAILED = ("00081198", "0008119A")


class Remote:
    """A connection to a server; use it as a context.

    Raises
    ------
    RemoteError
        From each method: what was asked did not go well.
    """

    def __init__(self, server: Server) -> None:
        import httpx

        headers = {"User-Agent": "delineate"}
        if server.authorization_file is not None:
            try:
                headers["Authorization"] = server.authorization_file.read_text().strip()
            except OSError as error:
                raise InputError(f"the authorization for {server.name}: {error}") from error
        self._url = server.url.rstrip("/")
        self._name = server.name
        self._client = httpx.Client(
            headers=headers,
            timeout=server.timeout_seconds,
            follow_redirects=False,  # nobody but the server named is asked anything
            trust_env=False,
            verify=str(server.ca_file) if server.ca_file else True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def store(self, files: Sequence[Path]) -> int:
        """Send DICOM files (STOW-RS); how many are there now."""
        for batch in _batches(files):
            boundary = secrets.token_hex(16)
            bodies = [Body([Piece.whole(path)], _DICOM) for path in batch]
            headers = {
                "Content-Type": f'multipart/related; type="{_DICOM}"; boundary={boundary}',
                "Content-Length": str(length(bodies, boundary)),
                "Accept": _JSON,
            }
            content = blocks(bodies, boundary)
            with self._asked("POST", "/studies", headers, content, (200, 202, 409)) as answer:
                self._demand_stored(answer.status_code, _document(answer), len(batch))
        return len(files)

    def _demand_stored(self, status: int, told: Any, sent: int) -> None:
        told = told if isinstance(told, dict) else {}
        failed = [one for tag in _FAILED for one in told.get(tag, {}).get("Value") or []]
        if status != 409 and not failed:
            return
        codes = sorted({(one.get("00081197", {}).get("Value") or [0])[0] for one in failed})
        reasons = ", ".join(f"{code:04X}" for code in codes if isinstance(code, int))
        raise RemoteError(
            f"{self._name} did not store {len(failed) or sent} of {sent} instances"
            + (f" (failure reason {reasons}, PS3.18 Table I.2-2)" if reasons else "")
        )

    def series_of(self, study: str) -> list[str]:
        """UIDs of the series of a study (QIDO-RS)."""
        with self._asked("GET", f"/studies/{study}/series", {"Accept": _JSON}) as answer:
            told = None if answer.status_code == 204 else _document(answer)
        uids = [
            (one.get("0020000E", {}).get("Value") or [""])[0]
            for one in (told if isinstance(told, list) else [])
            if isinstance(one, dict)
        ]
        if not any(uids):
            raise RemoteError(f"{self._name} has no series of this study")
        return [str(uid) for uid in uids if uid]

    def retrieve(self, study: str, series: str, sink: Sink) -> None:
        """Fetch the instances of a series as they are stored (WADO-RS)."""
        accept = f'multipart/related; type="{_DICOM}"; transfer-syntax=*'
        path = f"/studies/{study}/series/{series}"
        with self._asked("GET", path, {"Accept": accept}) as answer:
            kind, options = parse_options_header(answer.headers.get("content-type", ""))
            if kind != b"multipart/related":
                raise RemoteError(f"{self._name} answered with no multipart/related body")
            parts = Parts(sink, options.get(b"boundary", b""))
            for chunk in answer.iter_bytes():
                parts.take(chunk)
            parts.end()

    @contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        content: Iterator[bytes] | None = None,
        expected: Sequence[int] = (200, 204),
    ) -> Iterator[httpx.Response]:
        import httpx

        try:
            with self._client.stream(
                method, self._url + path, headers=headers, content=content
            ) as answer:
                if answer.status_code not in expected:
                    hint = ""
                    if answer.status_code in (401, 403):
                        hint = "; the authorization is sent as it stands, such as 'Bearer KEY'"
                    raise RemoteError(
                        f"{self._name} answered {answer.status_code} to {method} /studies; "
                        f"expected {', '.join(map(str, expected))}{hint}",
                        temporary=answer.status_code in _TEMPORARY,
                    )
                yield answer
        except httpx.HTTPError as error:
            kind = type(error).__name__
            message = f"{self._name} cannot be reached, or broke off ({kind})"
            raise RemoteError(message, temporary=True) from error


def _batches(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Files in parcels that a server with a usual limit takes."""
    batch: list[Path] = []
    size = 0
    for path in files:
        more = path.stat().st_size
        if batch and (len(batch) == _BATCH_FILES or size + more > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(path)
        size += more
    if batch:
        yield batch


def _document(answer: httpx.Response) -> Any:
    """The JSON of an answer; ``None`` if it is none, as of servers that answer in XML."""
    content = bytearray()
    for chunk in answer.iter_bytes():
        content += chunk
        if len(content) > _LONGEST_ANSWER:
            raise RemoteError("the answer is too long")
    try:
        return json.loads(content)
    except ValueError:
        return None
