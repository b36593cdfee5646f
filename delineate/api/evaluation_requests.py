"""What ``POST /v1/evaluations`` takes, checked and as a job's options name it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from delineate.api.access import Principal
from delineate.api.state import State
from delineate.delineation.reference import REFERENCE
from delineate.errors import ConflictError, ForbiddenError, InputError
from delineate.evaluation.case import Rules
from delineate.evaluation.rules import Scoring
from delineate.jobs.datastore import Datastore
from delineate.jobs.job import Job
from delineate.jobs.scoring import EVALUATION, demand_shared

__all__ = ["EvaluationRequest", "Pair", "named"]

_MOST_PAIRS = 10_000
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


def named(asked: EvaluationRequest, who: Principal, service: State) -> list[dict[str, Any]]:
    """The cases, with what each side is.

    Raises
    ------
    NotFoundError, ConflictError
        If a job is not there, or has no result.
    InputError
        If a case has nothing to be scored, or results on different series; or a file is in no
        shared folder.
    ForbiddenError
        If a file is named without the scope that this takes.
    """
    newest = Datastore(service.database).newest(who.tenant, [REFERENCE])
    return [_case(pair, who, service, newest) for pair in asked.pairs]


def _case(
    pair: Pair, who: Principal, service: State, newest: Mapping[tuple[str, str], Job]
) -> dict[str, Any]:
    there: dict[str, Job] = {}
    for side in _SIDES:
        if (name := getattr(pair, side)) is not None:
            if getattr(pair, f"{side}_file") is not None:
                raise InputError(f"case {pair.case!r}: expected a {side} or its file, got both")
            there[side] = _done(name, who, service)
    if "prediction" in there and "reference" not in there and pair.reference_file is None:
        place = there["prediction"].image_id, there["prediction"].series
        if place not in newest:
            raise InputError(
                f"case {pair.case!r}: there is no reference on that series; send one to POST "
                f"/v1/images/{place[0]}/references, or name the job that is the reference"
            )
        there["reference"] = newest[place]
    if len({(one.image_id, one.series) for one in there.values()}) > 1:
        raise InputError(
            f"case {pair.case!r}: expected two results on one series, got results on different ones"
        )
    if "reference" not in there and pair.reference_file is None:
        raise InputError(f"case {pair.case!r}: there is nothing to score against")
    sides: dict[str, Any] = {side: {"job": job.id} for side, job in there.items()}
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
