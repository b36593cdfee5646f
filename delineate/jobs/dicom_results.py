"""Results among the DICOM objects: offered beside the series that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import sqlalchemy as sa

from delineate.errors import NotFoundError
from delineate.jobs import dicom_tasks
from delineate.jobs.dicom_tables import TASKS
from delineate.jobs.job import Job, jobs
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store, StoredImage

__all__ = ["is_dicom", "missed", "register"]


def register(settings: Settings, database: sa.Engine, store: Store, job: Job) -> None:
    """Have a result offered by DICOMweb, if its image has come as DICOM; returns at once."""
    with suppress(NotFoundError):  # removed in the meantime
        stored = store.of(job.tenant).image(job.image_id)
        if settings.offered and is_dicom(stored, job.series):
            with database.begin() as connection:
                dicom_tasks.put(connection, job.tenant, "offer", job.id)


def is_dicom(stored: StoredImage, series: str) -> bool:
    """Whether a series of an image is one of DICOM files."""
    reports = stored.document["report"]["series"]
    return any(one["id"] == series and one["format"] == "dicom" for one in reports)


def missed(database: sa.Engine, limit: int = 100) -> Sequence[tuple[str, str]]:
    """Tenant and id of jobs whose worker died before it could register their results."""
    same = sa.and_(TASKS.c.subject == jobs.c.id, TASKS.c.tenant == jobs.c.tenant)
    wanted = (
        sa.select(jobs.c.tenant, jobs.c.id)
        .where(jobs.c.state == "done", jobs.c.image_id != "")  # evaluations look at none
        .where(~sa.exists().where(same, TASKS.c.kind == "offer"))
        .order_by(jobs.c.id.desc())
        .limit(limit)
    )
    with database.connect() as connection:
        return [(tenant, job_id) for tenant, job_id in connection.execute(wanted)]
