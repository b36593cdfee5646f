"""``/infer/{model}``: a job, waited for."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from delineate import errors
from delineate.api.access import Principal, Runner
from delineate.api.faults import documented
from delineate.api.jobs import Wanted, check, queue
from delineate.api.monailabel import models
from delineate.api.monailabel.answers import attached, with_params
from delineate.api.monailabel.forms import Form, form, received
from delineate.api.monailabel.subjects import Subject, datastore_of, find, subject_of
from delineate.api.monailabel.temporary import close, open_session
from delineate.api.results import Drawn, made
from delineate.api.state import Service, State
from delineate.errors import ConflictError, DelineateError, InputError, NotFoundError
from delineate.jobs.datastore import Session
from delineate.jobs.masks import DTYPES, EXTENSIONS
from delineate.jobs.store import TenantStore
from delineate.jobs.table import Job

__all__ = ["labels_file", "router", "start"]

router = APIRouter(tags=["MONAI Label"])

Output = Literal["image", "json", "all", "dicom_seg"]
# Somebody sits before it and waits.
_PRIORITY = 6
_SHORTEST, _LONGEST = 0.05, 0.25
_LAYERED = ".seg.nrrd"
_EXACT = Drawn.model_validate({})


@dataclass(frozen=True, slots=True)
class _Target:
    """What to look at, and whether it is kept for this request only."""

    subject: Subject
    session: Session | None = None
    is_passing: bool = False


@router.post(
    "/infer/{model}",
    responses={
        200: {
            "description": "Labels or Markups, and what is known of them.",
            "content": {
                "multipart/form-data": {},
                "application/octet-stream": {},
                "application/gzip": {},
                "application/json": {},
                "application/dicom": {},
            },
        },
        **documented(404, 409, 413, 422, 507),
    },
    response_class=Response,
    openapi_extra=form("file", params="JSON: options of the detector, and how to answer."),
)
async def infer(
    model: str,
    request: Request,
    who: Runner,
    service: Service,
    image: Annotated[str, Query(description="Id, name or SeriesInstanceUID.")] = "",
    session_id: Annotated[str, Query(max_length=64)] = "",
    output: Output = "all",
) -> Response:
    """Run a detector and answer once it has ended; a client that goes cancels it."""
    store = service.store.of(who.tenant)
    with store.incoming() as folder:
        sent = await received(request, service, folder)
        detector = await models.model(service, model)
        params = sent.json("params")
        shape = _shape(detector, params)
        target = await _target(service, store, folder, sent, image, session_id)
    drop = partial(_drop, service, target)
    # A viewer that asks for the samples alone lays them over the series that it has.
    over_series = target.session is None and target.subject.format == "dicom"
    try:
        job = await start(service, who, target.subject, detector, params, _PRIORITY)
        job = await _ended(request, service, job)
        shape["shown"] = output == "image" and over_series
        answer = await _answer(service, store, job, detector, shape, output, drop)
    except BaseException:
        await asyncio.shield(drop())
        raise
    if isinstance(answer, JSONResponse):
        await drop()
    answer.headers["Location"] = f"/v1/jobs/{job.id}"
    return answer


async def _drop(service: State, target: _Target) -> None:
    """Let go of an image that was sent with the request."""
    if target.is_passing and target.session is not None:
        await run_in_threadpool(close, service, target.session)


async def start(
    service: State,
    who: Principal,
    subject: Subject,
    detector: Mapping[str, Any],
    params: Mapping[str, Any],
    priority: int,
) -> Job:
    """Queue a job."""
    stored = await run_in_threadpool(service.store.of(who.tenant).image, subject.image_id)
    wanted = Wanted.model_validate(
        {
            "detector": detector["id"],
            "series": subject.series,
            "options": models.options(detector, params),
            "priority": priority,
        }
    )
    checked = await check(service, who, stored, wanted)
    job: Job = await run_in_threadpool(queue, service, who, subject.image_id, checked, key=None)
    return job


def _shape(detector: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """How the labels are to be written; refused before anything runs."""
    extension = params.get("result_extension") or EXTENSIONS[0]
    dtype = params.get("result_dtype") or "uint16"
    if extension not in (*EXTENSIONS, _LAYERED):
        known = ", ".join((*EXTENSIONS, _LAYERED))
        raise InputError(f"expected a 'result_extension' out of {known}, got {extension!r:.40}")
    if dtype not in DTYPES:
        known = ", ".join(DTYPES)
        raise InputError(f"expected a 'result_dtype' out of {known}, got {dtype!r:.40}")
    count = len(detector["categories"])
    if dtype == "uint8" and count > 255:
        raise InputError(
            f"{detector['id']} has {count} labels, and this client asks for 8 bits, which "
            "hold 255; use /v1/jobs, or ask for 'result_dtype': 'uint16'"
        )
    compress = params.get("result_compress", True) is not False
    return {"extension": extension, "dtype": dtype, "compress": compress, "shown": False}


async def _target(
    service: State,
    store: TenantStore,
    folder: Path,
    sent: Form,
    image: str,
    session_id: str,
) -> _Target:
    """What the client means: a session that lives, else the file that came, else a kept image."""
    if "label" in sent.files:
        raise InputError("no model here takes drawings or scribbles; send no 'label'")
    if session_id:
        kept = datastore_of(service)
        with suppress(NotFoundError):
            session = await run_in_threadpool(kept.session, store.tenant, session_id, use=True)
            stored = await run_in_threadpool(store.image, session.image_id)
            return _Target(subject_of(stored), session)
        if not sent.files and not image:
            raise NotFoundError("there is no such session, or it has expired; send the image again")
    if sent.files:
        opened = await open_session(service, store, folder, [sent.file("file")])
        stored = await run_in_threadpool(store.image, opened.image_id)
        return _Target(subject_of(stored), opened, is_passing=True)
    if not image:
        raise InputError("expected an image: its id as 'image', a 'session_id', or a 'file'")
    return _Target(await run_in_threadpool(find, service, store, image))


async def _ended(request: Request, service: State, job: Job) -> Job:
    """Wait for a job; cancel it where its client goes.

    Raises
    ------
    DelineateError
        What it failed with.
    ConflictError
        If somebody cancelled it.
    """
    pause = _SHORTEST
    while not job.ended:
        await asyncio.sleep(pause)
        pause = min(_LONGEST, 1.5 * pause)
        if await request.is_disconnected():
            with suppress(ConflictError):
                await run_in_threadpool(service.table.cancel, job.id, tenant=job.tenant)
            raise ClientDisconnect
        job = await run_in_threadpool(service.table.get, job.id, tenant=job.tenant)
    if job.state == "cancelled":
        raise ConflictError(f"job {job.id} was cancelled")
    if job.state == "failed":
        kind = getattr(errors, job.error_code or "", DelineateError)
        raise kind(job.error_message)
    return job


async def _answer(
    service: State,
    store: TenantStore,
    job: Job,
    detector: Mapping[str, Any],
    shape: dict[str, Any],
    output: Output,
    done: Any,
) -> Response:
    if output == "dicom_seg":
        folder = await made(job, "seg", _EXACT, service)
        return attached(next((folder / "file").iterdir()), f"{job.id}.dcm", done=done)
    if output == "json":
        shape = {**shape, "extension": None}
    path, params = await labels_file(service, store, job, detector, shape)
    params["latencies"] = _latencies(job)
    if path is None:
        return JSONResponse(params)
    name = f"{job.id}{''.join(path.suffixes)}"
    if output == "image":
        return attached(path, name, done=done)
    return with_params(path, name, params, done=done)


async def labels_file(
    service: State,
    store: TenantStore,
    job: Job,
    detector: Mapping[str, Any],
    shape: Mapping[str, Any],
) -> tuple[Path | None, dict[str, Any]]:
    """The file that holds what a job found, made when it is first asked for, and what to tell.

    There is no file where ``shape`` has no ``extension``.
    """
    layered = shape["extension"] == _LAYERED and detector["gives"] in models.SEGMENTING
    shape = {**shape, "extension": None if layered else shape["extension"]}
    names = [one["name"] for one in detector["categories"]]
    variant = hashlib.sha256(json.dumps([names, shape], sort_keys=True).encode()).hexdigest()[:16]
    kept = store.attempt(job) / "exports" / f"monailabel-{variant}"
    if not kept.is_dir():
        service.store.check_room()
        stored = await run_in_threadpool(store.image, job.image_id)
        await service.writer.run(
            "mask",
            service.settings.export_seconds,
            result=str(store.attempt(job)),
            image={
                "paths": [str(path) for path in stored.files],
                "series": job.series,
                "reading": stored.reading,
            },
            names=names,
            form=shape,
            folder=str(kept),
        )
    params: dict[str, Any] = json.loads((kept / "params.json").read_bytes())
    params["label_names"] = models.numbered(detector)
    folder = await made(job, "nrrd", _EXACT, service) if layered else kept
    return next((folder / "file").iterdir(), None), params


def _latencies(job: Job) -> dict[str, float]:
    """Seconds from its being queued, and from its being taken, to its end."""
    moments = [datetime.fromisoformat(at) for at in (job.created, job.started, job.finished) if at]
    return {
        "infer": round((moments[-1] - moments[-2]).total_seconds(), 3),
        "total": round((moments[-1] - moments[0]).total_seconds(), 3),
    }
