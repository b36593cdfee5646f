"""``/v1/session``: a browser's way in. The key is sent once and a cookie stands for it.

The cookie is HttpOnly, so that no script reads it, and SameSite=Strict, so that no other site's
page uses it; streams and downloads, which can send no header, are let in by it.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from delineate.api.access import Signed
from delineate.api.faults import documented
from delineate.api.identity import COOKIE, SESSION, session_token
from delineate.api.state import Service
from delineate.jobs.keys import Principal

__all__ = ["router"]

router = APIRouter(tags=["session"])


class Login(BaseModel):
    """What opens a session."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(max_length=200, description="An API key.")


class Session(BaseModel):
    """Who somebody is to the service."""

    name: str
    tenant: str
    scopes: list[str]


@router.post("/session", response_model=Session, responses=documented())
async def login(asked: Login, request: Request, response: Response, service: Service) -> Session:
    """Open a session with a key."""
    address = request.client.host if request.client else ""
    token, who = await service.identity.login(asked.key, address)
    request.scope["principal"] = who  # for the audit
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION.total_seconds()),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return _told(who)


@router.get("/session", response_model=Session, responses=documented())
def session(who: Signed) -> Session:
    """Who asks."""
    return _told(who)


@router.delete("/session", status_code=204, responses=documented())
async def logout(request: Request, response: Response, service: Service) -> None:
    """Close the session of this browser, if it has one."""
    if (token := session_token(request.headers)) is not None:
        await service.identity.logout(token)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


def _told(who: Principal) -> Session:
    return Session(name=who.name, tenant=who.tenant, scopes=sorted(who.scopes))
