"""``/v1/evaluations``: results of a service against references, scored by its workers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from delineate.api import jobs
from delineate.api.access import Reader, Runner
from delineate.api.evaluation_requests import EvaluationRequest, named
from delineate.api.faults import documented
from delineate.api.jobs import IdempotencyKey, JobError
from delineate.api.state import Service, State
from delineate.errors import ConflictError, InputError, NotFoundError, OptionError
from delineate.evaluation.gate import Requirement
from delineate.jobs.job import Job
from delineate.jobs.scoring import EVALUATION, SCORED

__all__ = ["router"]

router = APIRouter(tags=["evaluations"])

# A report needs nothing from anywhere, and names in it are a stranger's words.
_ALONE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"}


class Evaluation(BaseModel):
    """How an evaluation stands, and what came of it."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stage: str
    progress: float = Field(ge=0, le=1)
    error: JobError | None
    title: str
    cases: int
    created: str
    finished: str | None
    summary: dict[str, Any] | None = Field(
        description="As summary.json of delineate evaluate; null before it is done."
    )


class EvaluationPage(BaseModel):
    """Some evaluations, without their summaries, and where the next ones begin."""

    evaluations: list[Evaluation]
    next: str | None


class ScoredCase(BaseModel):
    """What came of one case."""

    case: str
    error: str = Field(description="Why it could not be scored; empty if it could.")
    notes: list[str]
    scores: dict[str, dict[str, float | None]] = Field(
        description="Values by structure and metric; null where one is not defined."
    )
    kept: dict[str, Any] = Field(description="As delineate itself keeps it, for its own client.")


class ScoredPage(BaseModel):
    """Some cases, in their order, and how many there are."""

    cases: list[ScoredCase]
    of: int


def _evaluation(job: jobs.Found) -> Job:
    if job.detector != EVALUATION:
        raise NotFoundError(f"job {job.id} is no evaluation; see /v1/jobs/{job.id}")
    return job


Found = Annotated[Job, Depends(_evaluation)]


@router.post(
    "/evaluations",
    status_code=202,
    response_model=Evaluation,
    responses=documented(404, 409, 413, 422),
)
def submit(
    asked: EvaluationRequest,
    response: Response,
    who: Runner,
    service: Service,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Score results against references: a job, which may be followed and cancelled as others."""
    if asked.queue not in service.settings.queues:
        raise OptionError(
            f"there is no queue {asked.queue!r}, this service has "
            f"{', '.join(service.settings.queues)}"
        )
    rules = asked.rules()
    for text in asked.require:
        Requirement.parse(text)
    name, number = Counter(one.case for one in asked.pairs).most_common(1)[0]
    if number > 1:
        raise InputError(f"expected a name of its own for each case, got {name!r} {number} times")
    titles = {"title": asked.title or "results", "reference_title": "references"}
    job = service.table.submit(
        image_id="",
        series="",
        detector=EVALUATION,
        options={
            "cases": named(asked, who, service),
            "rules": rules.to_json(),
            "report": {**titles, "requirements": asked.require} if asked.report else None,
        },
        tenant=who.tenant,
        queue=asked.queue,
        priority=asked.priority,
        key=idempotency_key,
        enqueue=service.engine.enqueue,
    )
    response.headers["Location"] = f"/v1/evaluations/{job.id}"
    return _told(job, None)


@router.get("/evaluations", response_model=EvaluationPage, responses=documented())
def evaluations(
    who: Reader,
    service: Service,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(max_length=26, description="'next' of a page.")] = None,
) -> dict[str, Any]:
    """The evaluations, the newest first."""
    page = service.table.page(who.tenant, limit=limit + 1, after=after, evaluations=True)
    told = [_told(job, None) for job in page[:limit]]
    return {"evaluations": told, "next": told[-1]["id"] if len(page) > limit else None}


@router.get("/evaluations/{job_id}", response_model=Evaluation, responses=documented(404))
def evaluation(job: Found, service: Service) -> dict[str, Any]:
    """How an evaluation stands; its summary, once it is done."""
    summary = None
    if job.state == "done" and job.options["report"]:
        summary = service.store.of(job.tenant).kept(job, "summary.json")
    return _told(job, None if summary is None else json.loads(summary))


@router.get(
    "/evaluations/{job_id}/cases",
    response_model=ScoredPage,
    responses=documented(404, 409),
)
def scored(
    job: Found,
    service: Service,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    first: Annotated[int, Query(ge=0, description="Place of the first, from 0.")] = 0,
) -> dict[str, Any]:
    """What came of each case, in their order."""
    cases = json.loads(_file(job, service, SCORED).read_bytes())
    return {"cases": [_scored(one) for one in cases[first : first + limit]], "of": len(cases)}


def _scored(one: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, dict[str, float | None]] = {}
    for structure, metric, value, *_ in one["scores"]:
        values.setdefault(structure, {})[metric] = value
    told = {name: one[name] for name in ("case", "error", "notes")}
    return {**told, "scores": values, "kept": dict(one)}


@router.get(
    "/evaluations/{job_id}/{name}",
    response_class=FileResponse,
    responses={
        200: {
            "description": "A file.",
            "content": {"text/csv": {}, "text/html": {}, "application/json": {}},
        },
        **documented(404, 409),
    },
)
def report(
    job: Found,
    name: Literal["scores.csv", "report.html", "summary.json"],
    service: Service,
) -> FileResponse:
    """A file of the report, as ``delineate evaluate`` writes it."""
    return FileResponse(_file(job, service, name), headers=_ALONE)


def _file(job: Job, service: State, name: str) -> Path:
    if job.state != "done":
        why = f": {job.error_message}" if job.error_message else ""
        raise ConflictError(f"evaluation {job.id} has no scores, it is {job.state}{why}")
    path = service.store.of(job.tenant).attempt(job) / name
    if not path.exists():
        raise NotFoundError(f"evaluation {job.id} has no {name}; it was asked for no report")
    return path


def _told(job: Job, summary: dict[str, Any] | None) -> dict[str, Any]:
    told = job.to_json()
    names = ("id", "state", "stage", "progress", "error", "created", "finished")
    report = job.options["report"] or {}
    return {
        **{name: told[name] for name in names},
        "title": report.get("title", ""),
        "cases": len(job.options["cases"]),
        "summary": summary,
    }
