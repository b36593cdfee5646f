"""``/auth/``: how clients learn that they need a key, and log in with it as their password."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request

from delineate.api.access import Signed
from delineate.api.faults import documented
from delineate.api.identity import client_address
from delineate.api.state import Service
from delineate.errors import TooLargeError

__all__ = ["router"]

router = APIRouter(prefix="/auth", tags=["MONAI Label"])

_LONGEST = 4096


@router.get("/", responses=documented())
def enabled(service: Service) -> dict[str, Any]:
    """Whether keys are asked for."""
    return {"enabled": service.identity.asked_for, "client_id": "delineate", "realm": ""}


@router.post("/token", responses=documented(413))
async def token(request: Request, service: Service) -> dict[str, str | None]:
    """The token that stands for a login: the password has to be an API key, and is the token."""
    if not service.identity.asked_for:
        return {"access_token": None, "token_type": None}
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST:
            raise TooLargeError(f"at most {_LONGEST} bytes are taken as a login")
    key = parse_qs(body.decode("latin-1")).get("password", [""])[0]
    address = client_address(request.scope)
    await service.identity.principal({"authorization": f"Bearer {key}"}, address)
    return {"access_token": key, "token_type": "bearer"}


@router.get("/token/valid", responses=documented())
def valid(who: Signed) -> dict[str, str]:
    """Who asks; 401 if the token is none, or no longer."""
    return {"username": who.name, "tenant": who.tenant}
