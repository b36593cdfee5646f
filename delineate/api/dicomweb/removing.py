"""Deletion by DICOMweb, where the settings allow it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from delineate.api.access import Principal, Remover
from delineate.api.dicomweb.node import Dicom, Node, drop_unused
from delineate.api.dicomweb.resources import documented, found, place
from delineate.api.images import remove
from delineate.errors import ConflictError
from delineate.jobs import dicom_index
from delineate.jobs.dicom_search import Located, Place
from delineate.jobs.dicom_tables import INSTANCES

__all__ = ["router"]

router = APIRouter()

_CHUNK = 500
_ANSWERS: dict[int | str, dict[str, Any]] = {
    204: {"description": "They are gone."},
    **documented(404, 405, 409),
}


@router.delete("/studies/{study}", status_code=204, responses=_ANSWERS)
async def delete_study(study: str, who: Remover, node: Dicom) -> None:
    """Remove a study."""
    await _remove(who, node, place(who.tenant, study))


@router.delete("/studies/{study}/series/{series}", status_code=204, responses=_ANSWERS)
async def delete_series(study: str, series: str, who: Remover, node: Dicom) -> None:
    """Remove a series."""
    await _remove(who, node, place(who.tenant, study, series))


@router.delete(
    "/studies/{study}/series/{series}/instances/{instance}", status_code=204, responses=_ANSWERS
)
async def delete_instance(
    study: str, series: str, instance: str, who: Remover, node: Dicom
) -> None:
    """Remove an instance."""
    await _remove(who, node, place(who.tenant, study, series, instance))


async def _remove(who: Principal, node: Node, where: Place) -> None:
    if not node.service.settings.dicom_delete:
        raise HTTPException(405, "nothing is deleted by DICOMweb here; its settings may allow it")
    instances = await found(node, where)
    await run_in_threadpool(_removed, who, node, instances)


def _removed(who: Principal, node: Node, instances: list[Located]) -> None:
    """Remove instances with the images that they make up; results stay with their jobs.

    Raises
    ------
    ConflictError
        If an image holds others as well, or a job needs it.
    """
    tenant = who.tenant
    gone = {one.id for one in instances}
    images = {one.holder_id for one in instances if one.holder == "image"}
    here = INSTANCES.c
    for image_id in images:
        held = sa.select(here.id).where(here.tenant == tenant, here.holder_id == image_id)
        with node.database.connect() as connection:
            others = set(connection.execute(held).scalars()) - gone
        if others:
            raise ConflictError(
                f"they lie in an image with {len(others)} others; delete all of these together"
            )
    for image_id in images:
        remove(image_id, who, node.service)
    store = node.service.store.of(tenant)
    ids = sorted(gone)
    with node.database.begin() as connection:
        for start in range(0, len(ids), _CHUNK):
            dicom_index.remove(connection, here.id.in_(ids[start : start + _CHUNK]))
    drop_unused(node.database, store, [one.name for one in instances if one.holder == "own"])
