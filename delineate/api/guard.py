"""What surrounds every request: who may reach us, safe headers, a log line, no bare exception."""

from __future__ import annotations

import ipaddress
import re
import secrets
import time
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from delineate.api.faults import problem
from delineate.jobs import metrics
from delineate.jobs.log import log
from delineate.jobs.settings import Settings

__all__ = ["Guard", "route_of", "templates"]

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
    "permissions-policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
}
# Where images come in; every other body is a small document.
_STREAMED = re.compile(
    r"/v1/images$|/v1/images/[^/]+/references$|/v1/uploads/[^/]+/files/|/dicomweb/"
    r"|(/monailabel)?/(infer|session|datastore|proxy/dicom)/"
)
_LARGEST_DOCUMENT = 2**20
_READS = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Wraps the application.

    Without keys the service listens on a loopback address and asks for no password. So that no
    web page that its user happens to visit can reach it, the ``Host`` asked for must be a loopback
    one (a name that was rebound to 127.0.0.1 is not), and what writes must come from the service's
    own page. With keys, a name is refused only where the settings list those that are the
    service's own.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, taken = time.monotonic(), 0, 0
        scope["request_id"] = request_id = secrets.token_hex(8)
        streamed = _STREAMED.match(scope["path"])
        most = self._settings.max_upload_bytes if streamed else 0
        most = max(most + _LARGEST_DOCUMENT, _LARGEST_DOCUMENT)

        async def send_safely(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message["headers"])
                for name, value in {**_HEADERS, "x-request-id": request_id}.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("cache-control", "no-store")
                message["headers"] = headers.raw
            await send(message)

        async def receive_bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise HTTPException(413, f"at most {most} bytes are taken here")
            return message

        try:
            if (refusal := self._refusal(scope)) is not None:
                await problem(403, "Forbidden", refusal)(scope, receive, send_safely)
            else:
                await self._app(scope, receive_bounded, send_safely)
        except ClientDisconnect:
            pass
        except Exception as error:  # its text may quote a file: only its kind is told
            log.error(
                "request broke",
                error=type(error).__name__,
                route=route_of(scope),
                request=request_id,
            )
            if not status:
                detail = (
                    f"the service failed at this; its log tells the kind of error at {request_id}"
                )
                await problem(500, "InternalError", detail)(scope, receive, send_safely)
        finally:
            seconds = time.monotonic() - began
            route, method = route_of(scope), scope["method"]
            metrics.request(method, route, status, seconds, taken)
            if status >= 400 or method not in _READS:
                log.info(
                    "request",
                    method=method,
                    route=route,
                    status=status,
                    seconds=round(seconds, 4),
                    request=request_id,
                )

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        open_to_all = not self._settings.hosts and scope["app"].state.service.identity.asked_for
        if not (open_to_all or _is_loopback(host) or _name(host) in self._settings.hosts):
            known = ", ".join(("localhost", "127.0.0.1", *self._settings.hosts))
            return f"the service answers to the names {known} only; --public-host names others"
        origin = headers.get("origin")
        if scope["method"] in _READS or origin is None or origin in self._settings.origins:
            return None
        # A proxy in front may have ended TLS, so that the scheme is not compared.
        if urlsplit(origin).netloc.lower() == host.lower():
            return None
        return "another site's page may not do this; use the service's own"


def templates(app: FastAPI) -> tuple[tuple[re.Pattern[str], str], ...]:
    """What addresses of calls look like, and how they are declared, in the order of routing."""
    declared = dict.fromkeys(
        context.path
        for context in iter_route_contexts(app.routes)
        if context.endpoint is not None and context.path is not None
    )
    return tuple((compile_path(path)[0], path) for path in declared)


def route_of(scope: Scope) -> str:
    """The route's template: paths and queries may hold what a client made up.

    Of a call that was refused before it was routed as well; empty for the page and for what is
    nowhere.
    """
    known = scope["app"].state.templates
    return next((path for pattern, path in known if pattern.match(scope["path"])), "")


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    name = _name(host)
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
