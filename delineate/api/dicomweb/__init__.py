"""A DICOMweb node (PS3.18): STOW-RS, QIDO-RS, WADO-RS, WADO-URI; see ``docs/dicomweb.md``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import APIRouter, FastAPI

from delineate.api.dicomweb import (
    capabilities,
    frames,
    pictures,
    removing,
    retrieving,
    searching,
    storing,
    transfers,
    uri,
)
from delineate.api.dicomweb.clerk import Clerk
from delineate.api.dicomweb.node import Node
from delineate.api.state import State
from delineate.jobs.rules import Rules

__all__ = ["own", "router", "tended"]

router = APIRouter(tags=["dicomweb"])
for _part in (*(capabilities, searching, storing, retrieving, frames, pictures, uri, removing),):
    router.include_router(_part.router, prefix="/dicomweb")

# What DICOMweb does not know of: below /v1.
own = transfers.router


@asynccontextmanager
async def tended(app: FastAPI, service: State) -> AsyncIterator[None]:
    """Have the node run for the life of the block."""
    node = Node(service, Rules.read(service.settings.rules))
    app.state.dicomweb = node
    clerk = asyncio.create_task(Clerk(node).run())
    try:
        yield
    finally:
        clerk.cancel()
        with suppress(asyncio.CancelledError):
            await clerk
        for assistant in (node.reader, node.painter):
            await assistant.close()
