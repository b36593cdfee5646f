"""Requests to a server: bounded in time and size, and ready to stop at any time.

Nothing is followed elsewhere: a redirect is an error. TLS certificates are verified. A token goes
over HTTPS, or to this machine.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from delineate.errors import Cancelled, MissingExtraError
from delineate.plugins import Monitor

if TYPE_CHECKING:
    import httpx

__all__ = ["SMALL", "Answer", "Faults", "Server", "Session", "stays_secret"]

T = TypeVar("T")

SMALL = 16 << 20
"""Bytes that a document about something may have."""

_CONNECT_SECONDS = 10.0
_PAUSES = (0.5, 1.0, 2.0)  # before trying once more
_TICK_SECONDS = 0.05
_GOOD = (200, 201, 202, 204)
_LATER = (429, 503)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: status, headers by lower-case name, and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Faults(Protocol):
    """Makes errors of what goes wrong."""

    def broken(self, asked: str, what: str) -> Exception:
        """Nothing came, or nothing that is an answer.

        ``asked`` says who was asked for what, such as ``"host was asked GET /healthz"``.
        """
        ...

    def refused(self, asked: str, answer: Answer) -> Exception:
        """The answer is a refusal; it may be cut off."""
        ...


class Server:
    """A server, and how it is asked.

    Parameters
    ----------
    url
        Its address; what is asked for is put behind.
    faults
        Makes the errors.
    token
        Sent as a bearer token.
    seconds
        Longest time for an answer.

    Raises
    ------
    MissingExtraError
        If httpx is not installed.
    """

    def __init__(self, url: str, faults: Faults, token: str | None, seconds: float) -> None:
        try:
            import httpx  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(
                f"servers are asked by httpx, which cannot be imported ({error}); install it with: "
                "pip install 'delineate[api]'"
            ) from error
        self.name = urlsplit(url).netloc
        self.base, self.faults, self.seconds = url.rstrip("/"), faults, seconds
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    @contextmanager
    def session(self, monitor: Monitor | None = None) -> Iterator[Session]:
        """Connections for some requests; ``monitor`` may cancel in the midst of any."""
        import httpx

        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True, name="requests")
        thread.start()
        client = httpx.AsyncClient(
            headers=self._headers,
            timeout=httpx.Timeout(self.seconds, connect=_CONNECT_SECONDS),
            follow_redirects=False,
        )
        session = Session(self, client, loop, monitor or Monitor())
        try:
            yield session
        finally:
            asyncio.run_coroutine_threadsafe(_wound_up(client), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


class Session:
    """Requests to one server."""

    def __init__(
        self,
        server: Server,
        client: httpx.AsyncClient,
        loop: asyncio.AbstractEventLoop,
        monitor: Monitor,
    ) -> None:
        self.name = server.name
        self.monitor = monitor
        self._server, self._client, self._loop = server, client, loop

    def json(self, method: str, path: str, *, limit: int = SMALL, **more: Any) -> Any:
        """As `request`, of a JSON object or list."""
        return self.wait(self.ask_json(method, path, limit=limit, **more))

    async def ask_json(self, method: str, path: str, *, limit: int = SMALL, **more: Any) -> Any:
        """As `ask`, of a JSON object or list."""
        answer = await self.ask(method, path, limit=limit, **more)
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise self.error(method, path, "expected JSON, got something else") from None

    def request(self, method: str, path: str, *, limit: int, **more: Any) -> Answer:
        """Ask for something and wait for the whole answer; see `ask`."""
        return self.wait(self.ask(method, path, limit=limit, **more))

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The outcome of work that asks this server.

        Raises
        ------
        Cancelled
            If the monitor said so; what was under way is broken off.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        finished = threading.Event()
        future.add_done_callback(lambda _: finished.set())
        try:
            while not finished.wait(_TICK_SECONDS):
                if self.monitor.cancelled:
                    raise Cancelled("cancelled")
        except BaseException:
            future.cancel()
            raise
        return future.result()

    @contextmanager
    def started(self, work: Coroutine[Any, Any, T]) -> Iterator[Future[T]]:
        """Work that goes on meanwhile; broken off when the block ends."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            yield future
        finally:
            future.cancel()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        limit: int,
        again: bool = False,
        unhurried: bool = False,
        to: Path | None = None,
        body: Callable[[], AsyncIterator[bytes]] | None = None,
        **more: Any,
    ) -> Answer:
        """Ask for something.

        Parameters
        ----------
        method, path
            ``path`` is put behind the server's address.
        limit
            Most bytes that may come, once unpacked.
        again
            Asking twice does no harm: tried again too where an answer breaks off, or the server
            says that it is not ready.
        unhurried
            Takes as long as it takes, while something moves.
        to
            A file to write the answer to; the body is empty then.
        body
            Begins the content anew for each attempt.
        **more
            ``params``, ``json``, ``content``, ``files``, ``headers`` as httpx has them.

        Raises
        ------
        Exception
            Of the server's faults: if there is no connection (after four attempts), no answer in
            time, a refusal, or a larger or shorter answer than it should be.
        """
        import httpx

        for pause in (*_PAUSES, None):
            content = {"content": body()} if body is not None else {}
            try:
                async with asyncio.timeout(None if unhurried else self._server.seconds):
                    answer = await self._once(method, path, limit, to, {**more, **content})
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if pause is None:
                    what = (
                        f"no connection after {len(_PAUSES) + 1} attempts ({error}); check the "
                        "address and that the server runs"
                    )
                    raise self.error(method, path, what) from None
            except (TimeoutError, httpx.TimeoutException):
                what = f"no answer within {self._server.seconds:g} s; allow more, or ask for less"
                raise self.error(method, path, what) from None
            except httpx.HTTPError as error:
                if pause is None or not again:
                    what = f"the answer broke off or is no HTTP ({error}); try again"
                    raise self.error(method, path, what) from None
            else:
                if answer.status in _GOOD:
                    return answer
                if pause is None or not again or answer.status not in _LATER:
                    raise self._server.faults.refused(self._asked(method, path), answer)
            await asyncio.sleep(pause)
        raise AssertionError

    async def events(self, path: str, tell: Callable[[str], Awaitable[None]]) -> None:
        """Hand the data of each server-sent event to ``tell``, until the stream ends."""
        import httpx

        timeout = httpx.Timeout(self._server.seconds, connect=_CONNECT_SECONDS)
        url = self._server.base + path
        try:
            async with self._client.stream("GET", url, timeout=timeout) as response:
                if response.status_code not in _GOOD:
                    answer = Answer(
                        response.status_code, _headers(response), await response.aread()
                    )
                    raise self._server.faults.refused(self._asked("GET", path), answer)
                async for line in response.aiter_lines():
                    if line.startswith("data:"):
                        await tell(line.removeprefix("data:").strip())
        except httpx.HTTPError as error:
            raise self.error("GET", path, f"the events broke off ({error})") from None

    def pause(self, seconds: float) -> None:
        """Wait, unless cancelled meanwhile."""
        waited = threading.Event()
        for _ in range(max(1, round(seconds / _TICK_SECONDS))):
            self.monitor.checkpoint()
            waited.wait(_TICK_SECONDS)

    def error(self, method: str, path: str, what: str) -> Exception:
        """The error that says who was asked for what, and what came."""
        return self._server.faults.broken(self._asked(method, path), what)

    def _asked(self, method: str, path: str) -> str:
        return f"{self.name} was asked {method} {path}"

    async def _once(
        self, method: str, path: str, limit: int, to: Path | None, more: Mapping[str, Any]
    ) -> Answer:
        url = self._server.base + path
        async with self._client.stream(method, url, **more) as response:
            kept, came = bytearray(), 0
            file = to.open("wb") if to is not None and response.status_code in _GOOD else None
            try:
                async for chunk in response.aiter_bytes():
                    came += len(chunk)
                    if came > limit:
                        what = f"more than {limit} bytes came, which is no answer to that"
                        raise self.error(method, path, what)
                    if file is not None:
                        file.write(chunk)
                    else:
                        kept += chunk
            finally:
                if file is not None:
                    file.close()
            return Answer(response.status_code, _headers(response), bytes(kept))


def stays_secret(url: str) -> bool:
    """Whether nobody on the way can read what is sent there: over HTTPS, or to this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        return (
            parts.scheme == "https" or host == "localhost" or ipaddress.ip_address(host).is_loopback
        )
    except ValueError:
        return False


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


async def _wound_up(client: httpx.AsyncClient) -> None:
    """Let cancelled requests end, then close the connections."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
    await client.aclose()
