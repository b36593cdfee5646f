"""``/activelearning/{strategy}``: which image to label next."""

from __future__ import annotations

import secrets
import time
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Reader
from delineate.api.faults import documented
from delineate.api.monailabel.files import checksum, file_name, image_file
from delineate.api.monailabel.shelf import FINAL, Item, items
from delineate.api.state import Service, State
from delineate.errors import NotFoundError
from delineate.jobs.store import TenantStore

__all__ = ["STRATEGIES", "router"]

router = APIRouter(tags=["MONAI Label"])

STRATEGIES = {
    "first": {"description": "The first image without a final label"},
    "random": {"description": "Any image without a final label"},
}
_SECONDS = 60.0


@router.post("/activelearning/{strategy}", responses=documented(404, 413))
async def next_sample(
    strategy: str, who: Reader, service: Service, params: dict[str, Any] | None = None
) -> dict[str, Any]:
    """An image without a final label; an empty object where there is none."""
    if strategy not in STRATEGIES:
        raise NotFoundError(f"expected a strategy out of {', '.join(STRATEGIES)}")
    store = service.store.of(who.tenant)
    waiting = [one for one in await items(service, store) if FINAL not in one.labels]
    if not waiting:
        return {}
    chosen = secrets.choice(waiting) if strategy == "random" else waiting[0]
    return {
        "id": chosen.name,
        "ts": int(time.time()),
        "name": file_name(chosen.name, chosen.subject.suffix),
        "strategy": {strategy: {"ts": int(time.time())}},
        **chosen.about,
        **await _more(service, store, chosen),
    }


async def _more(service: State, store: TenantStore, item: Item) -> dict[str, Any]:
    """Of a file that is there, its checksum; of a DICOM series, what a viewer finds it by."""
    subject = item.subject
    stored = await run_in_threadpool(store.image, subject.image_id)
    if subject.format != "dicom":
        if not subject.suffix:
            return {}
        return {"checksum": await checksum(await image_file(service, stored, subject))}
    series = next(one for one in stored.document["report"]["series"] if one["id"] == subject.series)
    told: dict[str, Any] = await service.reader.run(
        "header",
        _SECONDS,
        paths=[str(path) for path in stored.files],
        names=stored.reading["names"],
        files=series["files"],
    )
    return told
