"""Which job a turn is spent on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from delineate.errors import DelineateError
from delineate.jobs.job import Job, ended, jobs, now

__all__ = ["JobLostError", "spend"]

# For so long jobs whose detector is warm may overtake the others of their priority.
_OVERTAKE_SECONDS = 60.0


class JobLostError(DelineateError):
    """A job was given up: it took down worker after worker."""


def spend(
    connection: sa.Connection,
    turn: str,
    queue: str,
    worker: str,
    warm: Sequence[str],
    max_attempts: int,
) -> Job | None:
    """Start the next attempt at a job; see `JobTable.begin`."""
    while True:
        held = sa.and_(jobs.c.turn == turn, jobs.c.state == "running")
        row = connection.execute(sa.select(jobs).where(held).with_for_update()).first()
        if row is None:
            row = connection.execute(_next(queue, warm)).first()
            if row is None:
                return None
        job = Job.of(row)
        lost = job.attempts - job.crashes
        values = _started(job, turn, worker)
        if job.cancelling:
            values = ended("cancelled")
        elif job.state == "running" and lost > max_attempts:
            error = JobLostError(
                f"given up after {lost} attempts that ended without a result; the "
                "worker's log says how each ended"
            )
            values = ended("failed", error, dead=True)
        # SQLite locks with the first change only: somebody may have taken it since it was seen.
        unchanged = sa.and_(
            jobs.c.id == job.id, jobs.c.state == job.state, jobs.c.attempts == job.attempts
        )
        row = connection.execute(
            sa.update(jobs).where(unchanged).values(values).returning(jobs)
        ).first()
        if row is not None and values["state"] == "running":
            return Job.of(row)


def _next(queue: str, warm: Sequence[str]) -> sa.Select[Any]:
    """The job to take next; locked, so that two workers do not take the same."""
    rank = sa.case(
        (jobs.c.created <= now(-_OVERTAKE_SECONDS), 0), (jobs.c.detector.in_(warm), 1), else_=2
    )
    return (
        sa.select(jobs)
        .where(jobs.c.state == "queued", jobs.c.queue == queue)
        .order_by(jobs.c.priority.desc(), rank, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def _started(job: Job, turn: str, worker: str) -> dict[str, Any]:
    causes = list(job.causes)
    if len(causes) < job.attempts:
        causes.append(f"attempt {job.attempts}: its worker {job.worker} was lost")
    began = {"state": "running", "stage": "starting", "progress": 0.0, "causes": causes}
    by = {"turn": turn, "worker": worker, "attempts": job.attempts + 1}
    return {**began, **by, "started": job.started or now()}
