"""``/v1/evaluations``: results of a service against references, scored by its workers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from delineate.api import jobs
from delineate.api.access import Principal, Reader, Runner
from delineate.api.faults import documented
from delineate.api.jobs import IdempotencyKey, JobError
from delineate.api.state import Service, State
from delineate.delineation.reference import REFERENCE
from delineate.errors import ConflictError, ForbiddenError, InputError, NotFoundError, OptionError
from delineate.evaluation.case import Rules
from delineate.evaluation.gate import Requirement
from delineate.evaluation.rules import Scoring
from delineate.jobs.datastore import Datastore
from delineate.jobs.job import Job
from delineate.jobs.scoring import EVALUATION, SCORED, demand_shared

__all__ = ["router"]

router = APIRouter(tags=["evaluations"])

_MOST_PAIRS = 10_000
# A report needs nothing from anywhere, and names in it are a stranger's words.
_ALONE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
_SIDES = ("prediction", "reference")
Table = dict[str, list[int]]


class Pair(BaseModel):
    """One case: a prediction, and what is held to be true."""

    model_config = ConfigDict(extra="forbid")

    case: str = Field(min_length=1, max_length=1000, description="A name of its own.")
    prediction: str | None = Field(None, max_length=26, description="Id of a job that is done.")
    reference: str | None = Field(
        None,
        max_length=26,
        description="Id of a job; by default the newest reference on the prediction's series.",
    )
    prediction_file: str | None = Field(
        None, max_length=4096, description="Instead, a path below a shared folder."
    )
    reference_file: str | None = Field(None, max_length=4096)
    image_file: str | None = Field(None, max_length=4096)
    prediction_table: Table | None = Field(None, description="Labels by name.")
    reference_table: Table | None = None
    groups: dict[str, str] = Field(default_factory=dict, max_length=100)


class EvaluationRequest(BaseModel):
    """What to score, and how; the options of ``delineate evaluate``."""

    model_config = ConfigDict(extra="forbid")

    pairs: list[Pair] = Field(min_length=1, max_length=_MOST_PAIRS)
    title: str = Field("", max_length=200)
    metrics: list[str] = Field(default_factory=list, description="All that fit, if empty.")
    tolerance_mm: float = Field(2.0, ge=0)
    tolerances_mm: dict[str, float] = Field(default_factory=dict, description="By structure.")
    path_tolerance_mm: float = Field(0.0, ge=0)
    surface: Literal["voxels", "elements"] = "voxels"
    distance: float = Field(20.0, ge=0)
    iou: float = Field(0.5, gt=0, le=1)
    map: dict[str, str] = Field(
        default_factory=dict, description="Names in predictions, and what references call them."
    )
    resample: bool = False
    count_unreferenced: bool = False
    missed_distance: Literal["undefined", "diagonal"] = "undefined"
    require: list[str] = Field(default_factory=list, description="Such as 'liver.dice>=0.95'.")
    report: bool = Field(True, description="Whether a report is made of the scores.")
    queue: str = Field("default", pattern="^[a-z0-9-]{1,32}$")
    priority: int = Field(5, ge=0, le=9)

    def rules(self) -> Rules:
        """The rules that this means."""
        names = ("metrics", "tolerance_mm", "tolerances_mm", "path_tolerance_mm")
        fields = {one: getattr(self, one) for one in (*names, "surface", "distance", "iou")}
        return Rules(
            scoring=Scoring(**fields),
            renamed=self.map,
            resample=self.resample,
            count_unreferenced=self.count_unreferenced,
            missed_distance=self.missed_distance,
        )


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
            "cases": _cases(asked, who, service),
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


def _cases(asked: EvaluationRequest, who: Principal, service: State) -> list[dict[str, Any]]:
    newest = Datastore(service.database).newest(who.tenant, [REFERENCE])
    return [_case(pair, who, service, newest) for pair in asked.pairs]


def _case(
    pair: Pair, who: Principal, service: State, newest: Mapping[tuple[str, str], Job]
) -> dict[str, Any]:
    named: dict[str, Job] = {}
    for side in _SIDES:
        if (name := getattr(pair, side)) is not None:
            if getattr(pair, f"{side}_file") is not None:
                raise InputError(f"case {pair.case!r}: expected a {side} or its file, got both")
            named[side] = _done(name, who, service)
    if "prediction" in named and "reference" not in named and pair.reference_file is None:
        place = named["prediction"].image_id, named["prediction"].series
        if place not in newest:
            raise InputError(
                f"case {pair.case!r}: there is no reference on that series; send one to POST "
                f"/v1/images/{place[0]}/references, or name the job that is the reference"
            )
        named["reference"] = newest[place]
    if len({(one.image_id, one.series) for one in named.values()}) > 1:
        raise InputError(
            f"case {pair.case!r}: expected two results on one series, got results on different ones"
        )
    if "reference" not in named and pair.reference_file is None:
        raise InputError(f"case {pair.case!r}: there is nothing to score against")
    sides: dict[str, Any] = {side: {"job": job.id} for side, job in named.items()}
    for side in (*_SIDES, "image"):
        if (path := getattr(pair, f"{side}_file")) is not None:
            sides[side] = {"file": str(_shared(path, who, service))}
    return {
        "name": pair.case,
        **{side: sides.get(side) for side in (*_SIDES, "image")},
        "prediction_table": pair.prediction_table,
        "reference_table": pair.reference_table,
        "groups": pair.groups,
    }


def _done(job_id: str, who: Principal, service: State) -> Job:
    job = service.table.get(job_id, tenant=who.tenant)
    if job.state != "done" or job.detector == EVALUATION:
        raise ConflictError(f"job {job.id} has no result to score, it is {job.state}")
    return job


def _shared(path: str, who: Principal, service: State) -> Path:
    if "admin" not in who.scopes:
        raise ForbiddenError(
            "files in shared folders belong to no tenant, so that this needs the scope 'admin'"
        )
    return demand_shared(path, service.settings)


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
