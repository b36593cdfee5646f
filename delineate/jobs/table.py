"""The job table: what users see of a job, and the only place where its state changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from delineate.errors import ConflictError, UnknownJobError

__all__ = ["Job", "JobTable", "State"]

State = Literal["queued", "running", "done", "failed", "cancelled"]

_metadata = sa.MetaData()
_jobs = sa.Table(
    "job",
    _metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("stage", sa.String(100), nullable=False, default=""),
    sa.Column("progress", sa.Float, nullable=False, default=0.0),
    sa.Column("error_code", sa.String(100)),
    sa.Column("error_message", sa.String(2000)),
    sa.Column("image_id", sa.String(64), nullable=False),
    sa.Column("series", sa.String(200), nullable=False),
    sa.Column("detector", sa.String(200), nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("modality", sa.String(16)),
    # The number of the attempt that may write; what an older one still says is refused.
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("crashes", sa.Integer, nullable=False, default=0),
    sa.Column("cancelling", sa.Boolean, nullable=False, default=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("started", sa.String(32)),
    sa.Column("finished", sa.String(32)),
)
_OPEN = _jobs.c.state.in_(("queued", "running"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of the table."""

    id: str
    state: State
    stage: str
    progress: float
    error_code: str | None
    error_message: str | None
    image_id: str
    series: str
    detector: str
    options: Mapping[str, Any]
    modality: str | None
    attempts: int
    crashes: int
    cancelling: bool
    created: str
    started: str | None
    finished: str | None

    @property
    def ended(self) -> bool:
        """Whether nothing about it changes any more."""
        return self.state not in ("queued", "running")

    def to_json(self) -> dict[str, Any]:
        """As ``docs/rest.md`` shows it."""
        error = {"code": self.error_code, "message": self.error_message}
        return {
            "id": self.id,
            "state": self.state,
            "stage": self.stage,
            "progress": round(self.progress, 3),
            "error": error if self.error_code else None,
            "image_id": self.image_id,
            "series": self.series,
            "detector": self.detector,
            "options": dict(self.options),
            "modality": self.modality,
            "attempts": self.attempts,
            "created": self.created,
            "started": self.started,
            "finished": self.finished,
        }


class JobTable:
    """The jobs of one service."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def create(self) -> None:
        """Create the table where it is not there yet, and columns that an older one lacks."""
        _metadata.create_all(self._database)
        there = {column["name"] for column in sa.inspect(self._database).get_columns(_jobs.name)}
        if _jobs.c.modality.name not in there:
            with suppress(sa.exc.DBAPIError), self._database.begin() as connection:
                # Another process may be quicker.
                connection.execute(sa.text("ALTER TABLE job ADD COLUMN modality VARCHAR(16)"))

    def submit(
        self,
        *,
        image_id: str,
        series: str,
        detector: str,
        options: Mapping[str, Any],
        modality: str | None = None,
        enqueue: Callable[[sa.Connection, str], None],
    ) -> Job:
        """Write a job down and hand it to the engine, both or neither.

        Parameters
        ----------
        image_id, series, detector, options
            Checked before: here nothing is looked up.
        modality
            What the image was stated to be, if it was.
        enqueue
            Called with the connection, inside its transaction, and the new id.
        """
        fields = {
            "id": _new_id(),
            "state": "queued",
            "image_id": image_id,
            "series": series,
            "detector": detector,
            "options": dict(options),
            "modality": modality,
            "created": _now(),
        }
        with self._database.begin() as connection:
            row = connection.execute(sa.insert(_jobs).values(fields).returning(_jobs)).one()
            enqueue(connection, row.id)
        return _job(row)

    def get(self, job_id: str) -> Job:
        """The job of that id."""
        with self._database.connect() as connection:
            row = connection.execute(sa.select(_jobs).where(_jobs.c.id == job_id)).one_or_none()
        if row is None:
            raise UnknownJobError(f"no job has the id {job_id[:40]!r}; POST /v1/jobs starts one")
        return _job(row)

    def begin(self, job_id: str) -> Job | None:
        """Start the next attempt, which alone may write from now on.

        Returns
        -------
        Job or None
            ``None`` if there is nothing left to do: it has ended, or was to be cancelled.
        """
        with self._database.begin() as connection:
            here = sa.and_(_jobs.c.id == job_id, _OPEN)
            connection.execute(
                sa.update(_jobs).where(here, _jobs.c.cancelling).values(_ended("cancelled"))
            )
            row = connection.execute(
                sa.update(_jobs)
                .where(here)
                .values(
                    state="running",
                    attempts=_jobs.c.attempts + 1,
                    stage="starting",
                    progress=0.0,
                    started=sa.func.coalesce(_jobs.c.started, _now()),
                )
                .returning(_jobs)
            ).one_or_none()
        return None if row is None else _job(row)

    def report(self, job: Job, stage: str, progress: float) -> bool:
        """Tell how far an attempt is; whether it should go on.

        It should not if somebody asked to cancel it, or if a later attempt has begun.
        """
        values = {"stage": stage[:100], "progress": min(1.0, max(0.0, progress))}
        return self._write(job, values, _jobs.c.cancelling.is_(False))

    def wanted(self, job: Job) -> bool:
        """Whether an attempt should go on; see :meth:`report`."""
        with self._database.connect() as connection:
            row = connection.execute(
                sa.select(_jobs.c.id).where(_mine(job), _jobs.c.cancelling.is_(False))
            ).one_or_none()
        return row is not None

    def crashed(self, job: Job) -> int | None:
        """Count a crash of the detector; the count, or ``None`` for an attempt overtaken."""
        with self._database.begin() as connection:
            return connection.execute(
                sa.update(_jobs)
                .where(_mine(job))
                .values(crashes=_jobs.c.crashes + 1)
                .returning(_jobs.c.crashes)
            ).scalar_one_or_none()

    def finish(
        self, job: Job, state: Literal["done", "failed", "cancelled"], error: Exception | None
    ) -> bool:
        """End an attempt; ``False`` if it did not end so, and its result is to be dropped.

        A later attempt has begun, then, or somebody asked to cancel it, and it is cancelled.
        """
        if self._write(job, _ended(state, error), _jobs.c.cancelling.is_(False)):
            return True
        return self._write(job, _ended("cancelled")) and state == "cancelled"

    def settle(self, job_id: str, error: Exception) -> bool:
        """End an open job that the engine has given up."""
        with self._database.begin() as connection:
            here = sa.and_(_jobs.c.id == job_id, _OPEN)
            values = _ended("failed", error)
            values["state"] = sa.case((_jobs.c.cancelling, "cancelled"), else_="failed")
            return connection.execute(sa.update(_jobs).where(here).values(values)).rowcount > 0

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop: one that waits ends here, one that runs ends shortly.

        Raises
        ------
        ConflictError
            If it had ended before.
        """
        with self._database.begin() as connection:
            waiting = sa.and_(_jobs.c.id == job_id, _jobs.c.state == "queued")
            running = sa.and_(_jobs.c.id == job_id, _jobs.c.state == "running")
            changes = ((waiting, _ended("cancelled")), (running, {"cancelling": True}))
            found = [
                connection.execute(sa.update(_jobs).where(here).values(values)).rowcount
                for here, values in changes
            ]
        job = self.get(job_id)
        if not any(found):
            raise ConflictError(f"job {job_id} cannot be cancelled: it is {job.state}")
        return job

    def open(self, older_than: float = 0.0) -> Sequence[Job]:
        """Jobs that have not ended and were created at least ``older_than`` seconds ago."""
        before = _now(-older_than)
        with self._database.connect() as connection:
            rows = connection.execute(
                sa.select(_jobs).where(_OPEN, _jobs.c.created <= before).order_by(_jobs.c.id)
            ).all()
        return [_job(row) for row in rows]

    def all(self) -> Sequence[Job]:
        """All jobs, the oldest first."""
        with self._database.connect() as connection:
            rows = connection.execute(sa.select(_jobs).order_by(_jobs.c.id)).all()
        return [_job(row) for row in rows]

    def transaction(self, work: Callable[[sa.Connection], None]) -> None:
        """Do ``work`` in one transaction of the database that the table lies in."""
        with self._database.begin() as connection:
            work(connection)

    def _write(self, job: Job, values: Mapping[str, Any], *conditions: Any) -> bool:
        with self._database.begin() as connection:
            done = connection.execute(
                sa.update(_jobs).where(_mine(job), *conditions).values(dict(values))
            )
            return done.rowcount > 0


def _mine(job: Job) -> sa.ColumnElement[bool]:
    return sa.and_(
        _jobs.c.id == job.id, _jobs.c.state == "running", _jobs.c.attempts == job.attempts
    )


def _ended(state: str, error: Exception | None = None) -> dict[str, Any]:
    values: dict[str, Any] = {"state": state, "finished": _now(), "stage": ""}
    if state == "done":
        values["progress"] = 1.0
    if error is not None:
        values |= {"error_code": type(error).__name__, "error_message": str(error)[:2000]}
    return values


def _job(row: sa.Row[Any]) -> Job:
    return Job(**row._asdict())


def _now(shift: float = 0.0) -> str:
    moment = datetime.fromtimestamp(time.time() + shift, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _new_id() -> str:
    """A ULID: 48 bits of milliseconds, then 80 random ones; ids sort by age."""
    number = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10))
    return "".join(_DIGITS[(number >> (5 * place)) & 31] for place in reversed(range(26)))
