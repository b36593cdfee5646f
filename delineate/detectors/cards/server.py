"""Talk to a server that a card names: bounded in time and size, and ready to stop at any time.

Nothing is followed elsewhere: a redirect is an error. TLS certificates are verified. A token is
read from an environment variable whenever it is needed and goes over HTTPS, or to this machine.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from delineate.detectors.cards.card import RemotePart
from delineate.errors import (
    Cancelled,
    DetectorError,
    MissingExtraError,
    OptionError,
    UnsuitableImageError,
)
from delineate.plugins import Monitor

if TYPE_CHECKING:
    import httpx

__all__ = ["SMALL", "Answer", "Server", "Session"]

SMALL = 16 << 20
"""Bytes that a document about a model may have."""

_CONNECT_SECONDS = 10.0
_PAUSES = (0.5, 1.0, 2.0)  # before trying once more to connect
_TICK_SECONDS = 0.05
_SHOWN = 400
_INPUT_ERRORS = {"UnsuitableImageError": UnsuitableImageError, "OptionError": OptionError}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: headers by lower-case name, and the whole body."""

    headers: Mapping[str, str]
    body: bytes


class Server:
    """A server, and how it is to be asked.

    Parameters
    ----------
    part
        What the card says of it.

    Raises
    ------
    MissingExtraError
        If httpx is not installed.
    DetectorError
        If the token is not there, or would travel for all to read.
    """

    def __init__(self, part: RemotePart) -> None:
        try:
            import httpx  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(
                f"servers are asked by httpx, which cannot be imported ({error}); install it with: "
                "pip install 'delineate[api]'"
            ) from error
        self.name = urlsplit(part.url).netloc
        self._part = part
        self._headers = {"Authorization": f"Bearer {_token(part)}"} if part.token_env else {}

    @contextmanager
    def session(self, monitor: Monitor | None = None) -> Iterator[Session]:
        """Connections for some requests; ``monitor`` may cancel in the midst of any."""
        import httpx

        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        client = httpx.AsyncClient(
            headers=self._headers,
            timeout=httpx.Timeout(self._part.timeout_s, connect=_CONNECT_SECONDS),
            follow_redirects=False,
        )
        session = Session(self.name, self._part, client, loop, monitor or Monitor())
        try:
            yield session
        finally:
            asyncio.run_coroutine_threadsafe(_wound_up(client), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


class Session:
    """Requests to one server, one after the other."""

    def __init__(
        self,
        name: str,
        part: RemotePart,
        client: httpx.AsyncClient,
        loop: asyncio.AbstractEventLoop,
        monitor: Monitor,
    ) -> None:
        self.name = name
        self._base = part.url.rstrip("/")
        self._seconds = part.timeout_s
        self._client, self._loop, self._monitor = client, loop, monitor

    def json(self, method: str, path: str, *, limit: int = SMALL, **more: Any) -> Any:
        """As `request`, of a JSON object or list."""
        answer = self.request(method, path, limit=limit, **more)
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise self.error(method, path, "expected JSON, got something else") from None

    def request(self, method: str, path: str, *, limit: int, **more: Any) -> Answer:
        """Ask for something and wait for the whole answer.

        Parameters
        ----------
        method, path
            ``path`` is put behind the card's address.
        limit
            Most bytes that may come, once unpacked.
        **more
            ``params``, ``json``, ``content``, ``files``, ``headers`` as httpx has them.

        Raises
        ------
        DetectorError
            If there is no connection (after four attempts), no answer in time, an answer by
            another status than 200, 201 or 202, or a larger or shorter one than it should be.
        UnsuitableImageError, OptionError
            If a delineate service refuses image or options so.
        Cancelled
            If the monitor said so; the connection is closed.
        """
        asked = self._attempts(method, path, limit, more)
        future = asyncio.run_coroutine_threadsafe(asked, self._loop)
        finished = threading.Event()
        future.add_done_callback(lambda _: finished.set())
        while not finished.wait(_TICK_SECONDS):
            if self._monitor.cancelled:
                future.cancel()
                raise Cancelled("cancelled")
        return future.result()

    def pause(self, seconds: float) -> None:
        """Wait, unless cancelled meanwhile."""
        waited = threading.Event()
        for _ in range(max(1, round(seconds / _TICK_SECONDS))):
            self._monitor.checkpoint()
            waited.wait(_TICK_SECONDS)

    def error(self, method: str, path: str, what: str) -> DetectorError:
        """The error that says who was asked for what, and what came."""
        return DetectorError(f"{self.name} was asked {method} {path}: {what}")

    async def _attempts(
        self, method: str, path: str, limit: int, more: Mapping[str, Any]
    ) -> Answer:
        import httpx

        for pause in (*_PAUSES, None):
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._once(method, path, limit, more)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if pause is None:
                    what = (
                        f"no connection after {len(_PAUSES) + 1} attempts ({error}); check the "
                        "address in the card and that the server runs"
                    )
                    raise self.error(method, path, what) from None
                await asyncio.sleep(pause)
            except (TimeoutError, httpx.TimeoutException):
                what = f"no answer within {self._seconds:g} s; a card may allow more (timeout_s)"
                raise self.error(method, path, what) from None
            except httpx.HTTPError as error:
                raise self.error(
                    method, path, f"the answer broke off or is no HTTP ({error}); try again"
                ) from None
        raise AssertionError

    async def _once(self, method: str, path: str, limit: int, more: Mapping[str, Any]) -> Answer:
        url = self._base + path
        async with self._client.stream(method, url, **more) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > limit:
                    raise self.error(
                        method, path, f"more than {limit} bytes came, which is no answer to that"
                    )
            if response.status_code not in (200, 201, 202):
                raise self._refused(method, path, response, bytes(body))
            return Answer({k.lower(): v for k, v in response.headers.items()}, bytes(body))

    def _refused(self, method: str, path: str, response: httpx.Response, body: bytes) -> Exception:
        status = response.status_code
        if 300 <= status < 400:
            return self.error(
                method,
                path,
                f"{status}, a redirect to {response.headers.get('location', '?')!r:.200}; none is "
                "followed, put the right address into the card",
            )
        title, text = _told(body)
        if status == 422 and title in _INPUT_ERRORS:
            return _INPUT_ERRORS[title](f"{self.name}: {text}")
        hint = {
            401: "; name the environment variable of its token in the card (token_env)",
            403: "; the token is not allowed to do this, or the server refuses this machine",
        }.get(status, "")
        return self.error(method, path, f"{status} {text}{hint}")


async def _wound_up(client: httpx.AsyncClient) -> None:
    """Let cancelled requests end, then close the connections."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
    await client.aclose()


def _told(body: bytes) -> tuple[str, str]:
    """Title and text of an error, as services of several kinds tell them."""
    text, title = body[: 4 * _SHOWN].decode("utf-8", "replace"), ""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        text = str(document.get("detail") or document.get("error") or text)
        title = str(document.get("title", ""))
    printed = "".join(each if each.isprintable() else " " for each in text).strip()
    return title, printed[:_SHOWN] or "without a word"


def _token(part: RemotePart) -> str:
    assert part.token_env is not None
    token = os.environ.get(part.token_env, "")
    if not token.isascii() or not token.isprintable() or not token:
        raise DetectorError(
            f"expected a token in the environment variable {part.token_env}, which is "
            f"{'not printable' if token else 'not set'}; set it to the token that {part.url} takes"
        )
    if urlsplit(part.url).scheme != "https" and not _is_here(urlsplit(part.url).hostname or ""):
        raise DetectorError(
            f"the token of {part.token_env} is not sent to {part.url}, where everybody on the way "
            "could read it; use https"
        )
    return token


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
