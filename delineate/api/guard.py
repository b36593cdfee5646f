"""What surrounds every request: same-site only, safe headers, a log line, no bare exception."""

from __future__ import annotations

import ipaddress
import time
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from delineate.api.faults import problem
from delineate.jobs.log import log

__all__ = ["Guard"]

_CSP = (
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_UPLOADS = "/v1/images"
_LARGEST_DOCUMENT = 2**20
_READS = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Wraps the application.

    The service listens on a loopback address and asks for no password. So that no web page that
    its user happens to visit can reach it, the ``Host`` asked for must be a loopback one (a name
    that was rebound to 127.0.0.1 is not), and what writes must come from the service's own page.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def send_safely(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in _HEADERS.items()
                        if name.encode() not in present
                    ),
                ]
            await send(message)

        taken = 0

        async def receive_bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > _LARGEST_DOCUMENT and scope["path"] != _UPLOADS:
                raise HTTPException(413, f"at most {_LARGEST_DOCUMENT} bytes are taken here")
            return message

        try:
            if (refusal := _refusal(scope)) is not None:
                await problem(403, "Forbidden", refusal)(scope, receive, send_safely)
            else:
                await self._app(scope, receive_bounded, send_safely)
        except ClientDisconnect:
            pass
        except Exception as error:  # its text may quote a file: only its kind is told
            log.error("request broke", error=type(error).__name__, route=_route(scope))
            if not status:
                detail = "the service failed at this; its log has the time and the kind of error"
                await problem(500, "InternalError", detail)(scope, receive, send_safely)
        finally:
            seconds = round(time.monotonic() - began, 4)
            route, method = _route(scope), scope["method"]
            if status >= 400 or method not in _READS:
                log.info("request", method=method, route=route, status=status, seconds=seconds)


def _route(scope: Scope) -> str:
    """The route's template: paths and queries may hold what a client made up."""
    return str(getattr(scope.get("route"), "path", ""))


def _refusal(scope: Scope) -> str | None:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1")
    if not _is_loopback(urlsplit(f"//{host}")):
        return "the service answers to the names localhost and 127.0.0.1 only"
    origin = headers.get(b"origin")
    if scope["method"] not in _READS and origin is not None:
        own = f"{scope['scheme']}://{host}"
        if origin.decode("latin-1").lower() != own.lower():
            return "another site's page may not do this; use the service's own"
    return None


def _is_loopback(address: Any) -> bool:
    try:
        name = address.hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
