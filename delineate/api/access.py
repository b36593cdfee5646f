"""Who asks, and what they may do: the door in front of every call, and what each call needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from delineate.api import faults
from delineate.api.guard import route_of
from delineate.api.identity import client_address
from delineate.api.ledger import named
from delineate.errors import DelineateError, ForbiddenError, UnauthenticatedError
from delineate.jobs.audit import Deed
from delineate.jobs.keys import RIGHTS, Principal, Right

__all__ = [
    "Admin",
    "Door",
    "Identifier",
    "Principal",
    "Reader",
    "Remover",
    "Runner",
    "Signed",
    "Uploader",
    "demand_guarded",
    "is_public",
    "needs",
]

# What the page consists of, what tells nothing of anybody's images, and the ways in and out.
_PUBLIC = frozenset(
    {
        *(("GET", path) for path in ("/", "/docs", "/openapi.json", "/healthz", "/readyz")),
        *(("POST", "/v1/session"), ("DELETE", "/v1/session")),
        *(("GET", f"{root}/auth/") for root in ("", "/monailabel")),
        *(("POST", f"{root}/auth/token") for root in ("", "/monailabel")),
    }
)
_PAGE = "/assets/"
_READS = ("GET", "HEAD", "OPTIONS")

# For the OpenAPI document; the headers are read by the door.
_bearer = HTTPBearer(auto_error=False, description="An API key, or a token of the OIDC issuer.")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key.")


@cache
def needs(scope: Right | None) -> Callable[..., Principal]:
    """The dependency of a call that takes this scope; gives who asks.

    Raises
    ------
    UnauthenticatedError
        If nobody known asks.
    ForbiddenError
        If whoever asks lacks the scope. With ``None`` everybody known will do.
    """

    def who(
        request: Request,
        _bearer: Annotated[Any, Security(_bearer)],
        _header: Annotated[Any, Security(_header)],
    ) -> Principal:
        principal: Principal | None = request.scope.get("principal")
        if principal is None:
            raise UnauthenticatedError("this call needs an API key; send it as a bearer token")
        if scope is not None and scope not in principal.scopes:
            raise ForbiddenError(
                f"this call needs the scope {scope!r}, and {principal.name!r} has "
                f"{', '.join(sorted(principal.scopes)) or 'none'}; ask who runs this service"
            )
        return principal

    return who


Signed = Annotated[Principal, Depends(needs(None))]
Reader = Annotated[Principal, Depends(needs("read"))]
Uploader = Annotated[Principal, Depends(needs("upload"))]
Runner = Annotated[Principal, Depends(needs("run"))]
Remover = Annotated[Principal, Depends(needs("delete"))]
Identifier = Annotated[Principal, Depends(needs("identify"))]
Admin = Annotated[Principal, Depends(needs("admin"))]


class Door:
    """Wraps the application: every call but the public ones has somebody known behind it.

    Who asks is found before a byte of the body is read, so that a stranger cannot fill a disk.
    What they did goes into the audit.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        public = scope["type"] != "http" or is_public(scope["method"], scope["path"])
        changes = scope["type"] == "http" and scope["method"] not in _READS
        if public and not changes:
            await self._app(scope, receive, send)
            return
        service = scope["app"].state.service
        told = False

        async def send_noted(message: Message) -> None:
            nonlocal told
            if message["type"] == "http.response.start" and not told:
                told = True
                deed = _deed(scope, message)
                if deed.outcome == 429:  # whoever tries keys cannot fill the audit
                    pass
                elif changes:
                    await service.ledger.changed(deed)
                elif deed.object or deed.outcome in (401, 403):
                    service.ledger.read(deed, replace(deed, request=""))
            await send(message)

        try:
            if not public:
                scope["principal"] = await service.identity.principal(
                    Headers(scope=scope), client_address(scope)
                )
        except faults.KNOWN as error:
            await faults.answer(error)(scope, receive, send_noted)
        else:
            await self._app(scope, receive, send_noted)


def _deed(scope: Scope, answer: Message) -> Deed:
    who: Principal | None = scope.get("principal")
    location = Headers(raw=answer["headers"]).get("location", "")
    return Deed(
        who=who.name if who else "",
        tenant=who.tenant if who else "",
        action=f"{scope['method']} {route_of(scope)}",
        object=named(scope.get("path_params", {}), location),
        outcome=answer["status"],
        request=scope["request_id"],
    )


def is_public(method: str, path: str) -> bool:
    """Whether a call is answered to everybody who reaches the service."""
    method = "GET" if method == "HEAD" else method
    return (method, path) in _PUBLIC or (method == "GET" and path.startswith(_PAGE))


def demand_guarded(app: FastAPI) -> None:
    """Refuse to start with a call that says neither what it needs nor that it is public.

    Raises
    ------
    DelineateError
        Names the call.
    """
    checks = {needs(None), *(needs(right) for right in RIGHTS)}
    for context in iter_route_contexts(app.routes):
        if not isinstance(context.original_route, APIRoute):
            continue
        for method in context.methods or ():
            public = is_public(method, context.path or "")
            if not public and checks.isdisjoint(_calls(context.dependant)):
                raise DelineateError(
                    f"{method} {context.path} declares no scope: give it needs(...)"
                )


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for one in dependant.dependencies:
        yield from _calls(one)
