"""``/batch/infer``: one detector over many images, at low priority."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Reader, Runner
from delineate.api.faults import documented
from delineate.api.monailabel import models
from delineate.api.monailabel.infer import start
from delineate.api.monailabel.shelf import FINAL, items
from delineate.api.state import Service, State
from delineate.errors import ConflictError, DelineateError, NotFoundError
from delineate.jobs.table import Job

__all__ = ["router"]

router = APIRouter(prefix="/batch", tags=["MONAI Label"])

_PRIORITY = 2
_STAMP = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class _Batch:
    """The last one of a tenant: known while the service runs, its jobs for longer."""

    id: str
    request: dict[str, Any]
    began: str
    jobs: dict[str, str]
    refused: dict[str, str]


@router.get("/infer", responses=documented(404))
def status(
    who: Reader,
    request: Request,
    service: Service,
    all: bool = False,  # noqa: A002
    check_if_running: bool = False,
) -> Any:
    """How the last batch stands."""
    batch = _batches(request).get(who.tenant)
    if batch is None:
        raise NotFoundError("no batch was started")
    told = _told(batch, _jobs(service, who.tenant, batch))
    if check_if_running and told["status"] != "RUNNING":
        raise NotFoundError("no batch is running")
    return [told] if all else told


@router.post("/infer/{model}", responses=documented(404, 409, 413, 422))
async def run(
    model: str,
    who: Runner,
    request: Request,
    service: Service,
    images: Literal["all", "labeled", "unlabeled"] = "all",
    params: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Queue a job for each image; what is found becomes its label ``original``."""
    batches = _batches(request)
    before = batches.get(who.tenant)
    if before is not None:
        jobs = await run_in_threadpool(_jobs, service, who.tenant, before)
        if not all(job.ended for job in jobs):
            raise ConflictError("a batch is running; wait for it, or stop it")
    detector = await models.model(service, model)
    chosen = [
        one
        for one in await items(service, service.store.of(who.tenant))
        if images == "all" or (images == "labeled") == (FINAL in one.labels)
    ]
    began = time.strftime(_STAMP, time.gmtime())
    asked = {"model": model, "images": images}
    batch = _Batch(secrets.token_hex(16), asked, began, {}, {})
    batches[who.tenant] = batch
    for one in chosen:
        try:
            job = await start(service, who, one.subject, detector, params or {}, _PRIORITY)
        except DelineateError as error:
            batch.refused[one.name] = f"{type(error).__name__}: {error}"
        else:
            batch.jobs[one.name] = job.id
    return _told(batch, await run_in_threadpool(_jobs, service, who.tenant, batch))


@router.delete("/infer", responses=documented())
def stop(who: Runner, request: Request, service: Service) -> dict[str, Any] | None:
    """Cancel what the last batch has not done yet."""
    batch = _batches(request).get(who.tenant)
    if batch is None:
        return None
    for job in _jobs(service, who.tenant, batch):
        if not job.ended:
            _cancel(service, job)
    return _told(batch, _jobs(service, who.tenant, batch))


def _cancel(service: State, job: Job) -> None:
    try:
        service.table.cancel(job.id, tenant=job.tenant)
    except ConflictError:  # it has ended meanwhile
        return


def _batches(request: Request) -> dict[str, _Batch]:
    state = request.app.state
    if not hasattr(state, "batches"):
        state.batches = {}
    batches: dict[str, _Batch] = state.batches
    return batches


def _jobs(service: State, tenant: str, batch: _Batch) -> list[Job]:
    found = []
    for job_id in batch.jobs.values():
        try:
            found.append(service.table.get(job_id, tenant=tenant))
        except NotFoundError:  # removed meanwhile
            continue
    return found


def _told(batch: _Batch, jobs: list[Job]) -> dict[str, Any]:
    """As the protocol has a task: in the words of its clients, with numbers instead of a log."""
    states = [job.state for job in jobs]
    if not all(job.ended for job in jobs):
        status = "RUNNING"
    elif "cancelled" in states:
        status = "STOPPED"
    else:
        status = "ERROR" if batch.refused or "failed" in states else "DONE"
    counted = {state: states.count(state) for state in sorted(set(states))}
    details = [f"{count} {state}" for state, count in counted.items()]
    told: dict[str, Any] = {
        "id": batch.id,
        "status": status,
        "request": batch.request,
        "start_ts": batch.began,
        "details": [*details, *(f"{name}: {why}" for name, why in batch.refused.items())],
        "result": {"jobs": dict(batch.jobs)},
    }
    ends = [job.finished for job in jobs if job.finished is not None]
    if status != "RUNNING" and ends:
        told["end_ts"] = max(ends)[:19].replace("T", " ")
    return told
