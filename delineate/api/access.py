"""Who asks, and what they may do: the door in front of every call, and what each call needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, get_args

from fastapi import Depends, FastAPI, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.types import ASGIApp, Receive, Scope, Send

from delineate.errors import DelineateError, ForbiddenError, UnauthenticatedError
from delineate.jobs.keys import LOCAL, Principal, Right

__all__ = [
    "Admin",
    "Door",
    "Identifier",
    "Principal",
    "Reader",
    "Remover",
    "Runner",
    "Uploader",
    "demand_guarded",
    "needs",
]

# Of these the page consists, or they tell nothing of anybody's images.
_PUBLIC = frozenset({"/", "/docs", "/openapi.json", "/healthz", "/readyz"})

# For the OpenAPI document; the headers are read by the door.
_bearer = HTTPBearer(auto_error=False, description="An API key, or a token of the OIDC issuer.")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key.")


@cache
def needs(scope: Right) -> Callable[..., Principal]:
    """The dependency of a call that takes the scope; gives who asks.

    Raises
    ------
    UnauthenticatedError
        If nobody known asks.
    ForbiddenError
        If whoever asks lacks the scope.
    """

    def who(
        request: Request,
        _bearer: Annotated[Any, Security(_bearer)],
        _header: Annotated[Any, Security(_header)],
    ) -> Principal:
        principal: Principal | None = request.scope.get("principal")
        if principal is None:
            raise UnauthenticatedError("this call needs an API key; send it as a bearer token")
        if scope not in principal.scopes:
            raise ForbiddenError(
                f"this call needs the scope {scope!r}, and this key has "
                f"{', '.join(sorted(principal.scopes)) or 'none'}; ask who runs this service"
            )
        return principal

    return who


Reader = Annotated[Principal, Depends(needs("read"))]
Uploader = Annotated[Principal, Depends(needs("upload"))]
Runner = Annotated[Principal, Depends(needs("run"))]
Remover = Annotated[Principal, Depends(needs("delete"))]
Identifier = Annotated[Principal, Depends(needs("identify"))]
Admin = Annotated[Principal, Depends(needs("admin"))]


class Door:
    """Wraps the application: every call but the public ones has somebody known behind it.

    Who asks is found before a byte of the body is read, so that a stranger cannot fill a disk.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            scope["principal"] = LOCAL
        await self._app(scope, receive, send)


def demand_guarded(app: FastAPI) -> None:
    """Refuse to start with a call that says neither what it needs nor that it is public.

    Raises
    ------
    DelineateError
        Names the call.
    """
    checks = {needs(one) for one in get_args(Right)}
    for context in iter_route_contexts(app.routes):
        if not isinstance(context.original_route, APIRoute) or context.path in _PUBLIC:
            continue
        if checks.isdisjoint(_calls(context.dependant)):
            raise DelineateError(f"the call {context.path} declares no scope: give it needs(...)")


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for one in dependant.dependencies:
        yield from _calls(one)
