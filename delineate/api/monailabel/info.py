"""``/info/``: what the service can do, as the clients ask for it first."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Reader
from delineate.api.faults import documented
from delineate.api.monailabel import models
from delineate.api.monailabel.learning import STRATEGIES
from delineate.api.monailabel.shelf import items, stats
from delineate.api.state import Service
from delineate.errors import NotFoundError

__all__ = ["router"]

router = APIRouter(tags=["MONAI Label"])

_LINES = 300


@router.get("/info/", responses=documented())
async def info(who: Reader, request: Request, service: Service) -> dict[str, Any]:
    """Models, their labels and options, and how much is labelled."""
    known = {name: models.told(one) for name, one in (await models.models(service)).items()}
    shown = [one["labels"] for one in known.values() if one["type"] in models.SHOWN]
    shelf = await items(service, service.store.of(who.tenant))
    return {
        "name": "delineate",
        "description": "Finds things in images. Research. Not for diagnosis.",
        "version": request.app.version,
        "labels": list(dict.fromkeys(name for labels in shown for name in labels)),
        "models": known,
        "trainers": {},
        "strategies": STRATEGIES,
        "scoring": {},
        "train_stats": {},
        "datastore": stats(shelf),
    }


@router.get("/model/info/{model}", responses=documented(404))
async def model_info(model: str, _who: Reader, service: Service) -> dict[str, Any]:
    """What a model's files are, by their hashes."""
    detector = await models.model(service, model)
    files = detector["weights"]
    return {"checksum": f"SHA256:{files[0]['sha256']}" if files else "", "weights": files}


@router.get("/model/{model}", responses=documented(404))
async def model_file(model: str, _who: Reader, service: Service) -> None:
    """Models are not handed out."""
    await models.model(service, model)
    raise NotFoundError("this service hands out no models; 'delineate models' on its machine does")


@router.get("/logs/", responses=documented(), response_class=PlainTextResponse)
async def logs(who: Reader, service: Service) -> PlainTextResponse:
    """The last jobs of this tenant, a line each; no log of the service holds more of them."""
    page = await run_in_threadpool(service.table.page, who.tenant, limit=_LINES)
    lines = [
        " ".join([job.created, job.id, job.detector, job.state, job.error_code or ""]).strip()
        for job in reversed(page)
    ]
    return PlainTextResponse("".join(f"{line}\n" for line in lines))
