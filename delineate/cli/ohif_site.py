"""A site of this machine's own: the files of OHIF, and behind them the DICOMweb node of a service.

The browser talks to this site alone. Where the node asks for a key it is added here, so that the
page never has it; who may use the site then is told by a secret in the address that is printed.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["site"]

# OHIF compiles WebAssembly and, to read a SEG, code; it draws in workers and sets styles. It needs
# nothing from elsewhere.
_HEADERS = {
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' "
    "'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    # Together they give the page memory that its workers share.
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_PASSED = ("accept", "content-type", "if-none-match", "if-modified-since", "range")
_GIVEN = (
    *("content-type", "content-length", "content-encoding", "content-range", "accept-ranges"),
    *("etag", "last-modified", "cache-control", "warning", "retry-after"),
)
_NODE = re.compile(rb'"https?://[^"\s]*?/dicomweb/')
_SOURCE = {
    "friendlyName": "delineate",
    "wadoUriRoot": "/dicomweb/wado",
    "qidoRoot": "/dicomweb",
    "wadoRoot": "/dicomweb",
    "qidoSupportsIncludeField": True,
    "supportsFuzzyMatching": False,
    "supportsWildcard": True,
    "imageRendering": "wadors",
    "thumbnailRendering": "wadors",
    "enableStudyLazyLoad": True,
    "omitQuotationForMultipartRequest": True,
    "bulkDataURI": {"enabled": True, "relativeResolution": "studies"},
}
_CONFIG: dict[str, Any] = {
    "name": "delineate",
    "routerBasename": None,
    "extensions": [],
    "modes": [],
    "customizationService": {},
    "showStudyList": True,
    "maxNumberOfWebWorkers": 3,
    "showCPUFallbackMessage": True,
    "showLoadingIndicator": True,
    "strictZSpacingForVolumeViewport": True,
    "groupEnabledModesFirst": True,
    "defaultDataSourceName": "delineate",
    "dataSources": [
        {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "delineate",
            "configuration": _SOURCE,
        }
    ],
}


def site(files: Path, server: str, port: int, key: str | None = None, secret: str = "") -> ASGIApp:
    """The application.

    Parameters
    ----------
    files
        Folder of OHIF's files.
    server
        Address of the service; its node is ``/dicomweb`` below.
    port
        That the site is called by, on this machine.
    key
        For the node, if it asks for one.
    secret
        Whoever opens ``/enter/SECRET`` may use the site; anybody on this machine if it is empty.
    """
    base = f"{server.rstrip('/')}/dicomweb/"
    headers = {"accept-encoding": "gzip"} | ({"authorization": f"Bearer {key}"} if key else {})

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        timeout = httpx.Timeout(600.0, connect=10.0)
        async with httpx.AsyncClient(headers=headers, timeout=timeout) as client:
            app.state.node = client
            yield

    async def node(request: Request) -> Response:
        return await _asked(request, request.app.state.node, base)

    async def config(_request: Request) -> Response:
        text = f"window.config = {json.dumps(_CONFIG)};\n"
        return Response(text, media_type="text/javascript")

    async def enter(request: Request) -> Response:
        if not _same(request.path_params["secret"], secret):
            return Response("this is not the address that 'delineate ohif' printed\n", 403)
        asked = f"/viewer?{request.url.query}" if request.url.query else "/"
        answer = RedirectResponse(asked, 303)
        answer.set_cookie(_cookie(port), secret, httponly=True, samesite="strict")
        return answer

    async def file(request: Request) -> Response:
        return FileResponse(_file(files, request.path_params["path"]))

    routes = [
        Route("/dicomweb/{path:path}", node, methods=["GET", "POST"]),
        Route("/app-config.js", config),
        Route("/enter/{secret}", enter),
        Route("/{path:path}", file),
    ]
    return _Gate(Starlette(routes=routes, lifespan=lifespan), port, secret)


class _Gate:
    """Lets in only pages of this machine, and where there is a secret only who knows it."""

    def __init__(self, app: ASGIApp, port: int, secret: str) -> None:
        self._app, self._port, self._secret = app, port, secret
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers.update(_HEADERS)
                message["headers"] = headers.raw
            await send(message)

        refusal = self._refusal(scope)
        answer = self._app if refusal is None else Response(f"{refusal}\n", 403)
        await answer(scope, receive, send_safely)

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts:  # a name that another site had rebound to this machine
            return f"this site answers to {', '.join(sorted(self._hosts))} only"
        if origin is not None and origin != f"http://{host}":
            return "another site's page may not do this"
        if not self._secret or scope["path"].startswith("/enter/"):
            return None
        if _same(Request(scope).cookies.get(_cookie(self._port), ""), self._secret):
            return None
        return "open the address that 'delineate ohif' printed: this site asks a service with a key"


def _cookie(port: int) -> str:
    """A name of its own for each site: browsers do not tell ports apart."""
    return f"delineate-ohif-{port}"


def _same(given: str, secret: str) -> bool:
    return bool(secret) and secrets.compare_digest(given.encode(), secret.encode())


async def _asked(request: Request, client: httpx.AsyncClient, base: str) -> Response:
    """What the node answers; addresses of its own in documents become those of this site."""
    passed = {name: request.headers[name] for name in _PASSED if name in request.headers}
    url = httpx.URL(base + request.path_params["path"], query=request.url.query.encode())
    body = request.stream() if request.method == "POST" else None
    asked = client.build_request(request.method, url, headers=passed, content=body)
    try:
        answer = await client.send(asked, stream=True)
    except httpx.HTTPError as error:
        return Response(f"{base} does not answer: {type(error).__name__}\n", 502)
    given: dict[str, Any] = {
        name: answer.headers[name] for name in _GIVEN if name in answer.headers
    }
    if "json" not in answer.headers.get("content-type", ""):
        return StreamingResponse(_stream(answer), answer.status_code, given)
    try:
        document = await answer.aread()
    finally:
        await answer.aclose()
    for name in ("content-length", "content-encoding", "etag"):
        given.pop(name, None)
    own = f'"{request.base_url}dicomweb/'.encode()
    return Response(_NODE.sub(own, document), answer.status_code, given)


async def _stream(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The bytes as they come; a browser that goes has the node stop."""
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


def _file(folder: Path, path: str) -> Path:
    """A file of the viewer's; all that is none are addresses inside its page."""
    found = (folder / path).resolve()
    return found if found.is_file() and found.is_relative_to(folder) else folder / "index.html"
