"""``/v1/jobs/ID/comparison``: how two results on one image differ."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Reader
from delineate.api.faults import documented
from delineate.api.results import Done
from delineate.api.state import Service
from delineate.errors import ConflictError, InputError
from delineate.jobs.disk import room
from delineate.jobs.table import Job

__all__ = ["Comparison", "file_of", "router", "scores_of"]

router = APIRouter(tags=["results"])


class Compared(BaseModel):
    """One structure of two results."""

    reference: str | None = Field(description="What it is called there; null if it lacks it.")
    prediction: str | None
    note: Literal["", "missed", "invented", "absent"]
    dice: float | None
    hd: float | None = Field(description="The largest distance between both surfaces.")
    hd95: float | None
    assd: float | None
    volume_reference: float
    volume_prediction: float
    added: float = Field(description="What the prediction alone has.")
    removed: float = Field(description="What the reference alone has.")
    unit: str = Field(description="Of the volumes: ml, px2 or px3.")
    unit_of_length: str


class ComparedThings(BaseModel):
    """How many things of a category two results have in common."""

    name: str
    prediction: int
    reference: int
    hits: int
    precision: float | None
    recall: float | None
    f1: float | None


class Things(BaseModel):
    """What was found one by one in two results, as far as it is the same."""

    by: Literal["iou", "distance"] = Field(
        description="By overlap where all have a box or an outline, else by distance."
    )
    least: float = Field(description="The least overlap, or the greatest distance, of partners.")
    unit: str = Field(description="Of that: 1, px or mm.")
    pairs: list[tuple[int, int]] = Field(
        description="Ids of findings: in this result, in the reference; whatever their category."
    )
    categories: list[ComparedThings] = Field(description="Partners within each category.")
    all: ComparedThings = Field(description="Whatever their category.")


class Comparison(BaseModel):
    """How a result differs from another one, which is taken for the reference."""

    reference: str = Field(description="Id of its job.")
    prediction: str
    dice: float | None = Field(description="Mean over the reference's structures.")
    structures: list[Compared]
    notes: list[str]
    things: Things | None = Field(description="Where both results have things, not areas.")


@router.get(
    "/jobs/{job_id}/comparison",
    response_model=Comparison,
    responses=documented(404, 409, 422, 507),
)
async def comparison(
    job: Done,
    who: Reader,
    service: Service,
    reference: Annotated[
        str, Query(max_length=26, description="Id of the job whose result is the reference.")
    ],
    distance: Annotated[
        float | None,
        Query(ge=0, description="Farthest apart that two things are the same one; 20 by default."),
    ] = None,
    iou: Annotated[
        float | None,
        Query(gt=0, le=1, description="Least overlap of two things that are one; 0.5 by default."),
    ] = None,
) -> dict[str, Any]:
    """How this result differs from another one on the same series, measured once and kept.

    Structures are matched by name, else by code and side; things by where they are. With
    ``distance`` or ``iou`` it is measured each time.
    """
    other = await run_in_threadpool(service.table.get, reference, tenant=who.tenant)
    if other.state != "done":
        raise ConflictError(f"job {other.id} has no result, it is {other.state}")
    if (other.image_id, other.series) != (job.image_id, job.series):
        raise InputError(
            "expected two results on one series, got results on different ones; compare results "
            "of the same image"
        )
    store = service.store.of(who.tenant)
    folders = [await run_in_threadpool(store.attempt, one) for one in (other, job)]
    path, usual = folders[1] / file_of(other), distance is None and iou is None
    if usual and path.exists():
        told = json.loads(await run_in_threadpool(path.read_bytes))
        return {"reference": other.id, "prediction": job.id, "things": None, **told}
    if usual:
        service.store.check_room()
    told = await service.judge.run(
        "compare",
        service.settings.export_seconds,
        reference=str(folders[0]),
        prediction=str(folders[1]),
        distance=distance,
        iou=iou,
    )
    if usual:
        await run_in_threadpool(_keep, path, told)
    return {"reference": other.id, "prediction": job.id, **told}


def file_of(reference: Job) -> str:
    """Where a comparison with a reference is kept, below the folder of the result."""
    return f"comparisons/{reference.id}-{reference.attempts}.json"


def scores_of(told: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Mean Dice and F1 of a kept comparison; one of them at most."""
    things = told.get("things")
    return told["dice"], None if things is None else things["all"]["f1"]


def _keep(path: Path, told: dict[str, Any]) -> None:
    with room():
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(f".{secrets.token_hex(4)}")  # two may ask at once
        partial.write_text(json.dumps(told))
        partial.replace(path)
