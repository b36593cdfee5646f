"""``/v1/detectors``: what is installed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from delineate.api.access import Reader
from delineate.api.faults import documented
from delineate.api.state import Service

__all__ = ["router"]

router = APIRouter(tags=["detectors"])

_SECONDS = 60.0


@router.get("/detectors", responses=documented())
async def detectors(_who: Reader, service: Service) -> list[dict[str, Any]]:
    """All installed detectors, each with the JSON schema of its options."""
    listed: list[dict[str, Any]] = await service.librarian.run("detectors", _SECONDS)
    return listed
