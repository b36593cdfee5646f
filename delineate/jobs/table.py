"""The job table: what users see of a job, and the only place where its state changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from delineate.errors import ConflictError, UnknownJobError
from delineate.jobs import turns
from delineate.jobs.job import LOCAL_TENANT, Job, State, ended, jobs, new_id, now

__all__ = ["Enqueue", "Job", "JobTable", "State"]

# Called inside a transaction with its connection, the id of a turn and the name of a queue.
Enqueue = Callable[[sa.Connection, str, str], None]

_OPEN = jobs.c.state.in_(("queued", "running"))
_REQUEST = ("image_id", "series", "detector", "options", "modality", "queue", "priority")


class JobTable:
    """The jobs of one service, of all tenants."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def submit(
        self,
        *,
        image_id: str,
        series: str,
        detector: str,
        options: Mapping[str, Any],
        modality: str | None = None,
        tenant: str = LOCAL_TENANT,
        queue: str = "default",
        priority: int = 5,
        key: str | None = None,
        retry_of: str | None = None,
        enqueue: Enqueue,
    ) -> Job:
        """Write a job down and hand it to the engine, both or neither.

        Parameters
        ----------
        image_id, series, detector, options, queue
            Checked before: here nothing is looked up.
        modality
            What the image was stated to be, if it was.
        tenant
            Whose it is.
        priority
            0 to 9; those of a higher one are done first.
        key
            Chosen by the sender: the same request with the same key is the same job.
        retry_of
            The job that this one tries again.
        enqueue
            Called with the connection, inside its transaction, the new id and the queue.

        Raises
        ------
        ConflictError
            If the key stands for another request.
        """
        fields: dict[str, Any] = {
            "image_id": image_id,
            "series": series,
            "detector": detector,
            "options": dict(options),
            "modality": modality,
            "tenant": tenant,
            "queue": queue,
            "priority": priority,
            "key": key,
            "retry_of": retry_of,
        }
        if (known := self._by_key(tenant, key)) is None:
            name = new_id()
            fields |= {"id": name, "turn": name, "state": "queued", "created": now(), "causes": []}
            try:
                with self._database.begin() as connection:
                    row = connection.execute(sa.insert(jobs).values(fields).returning(jobs)).one()
                    enqueue(connection, name, queue)
                return Job.of(row)
            except IntegrityError:  # the same key, at the same time
                known = self._by_key(tenant, key)
                if known is None:
                    raise
        if any(getattr(known, name) != fields[name] for name in _REQUEST):
            raise ConflictError(
                f"the idempotency key stands for job {known.id}, which is another request; "
                "send a new key with each new request"
            )
        return known

    def get(self, job_id: str, *, tenant: str | None) -> Job:
        """The job of that id, if it is the tenant's; ``None``: whoever's it is."""
        with self._database.connect() as connection:
            row = connection.execute(sa.select(jobs).where(_one(job_id, tenant))).one_or_none()
        if row is None:
            raise UnknownJobError(f"no job has the id {job_id[:40]!r}; POST /v1/jobs starts one")
        return Job.of(row)

    def page(
        self,
        tenant: str,
        *,
        state: str | None = None,
        limit: int = 100,
        after: str | None = None,
        image_id: str | None = None,
        evaluations: bool = False,
    ) -> Sequence[Job]:
        """The newest jobs of a tenant, or those older than the job ``after``.

        ``state`` is one of the states, or ``"dead"``; ``image_id`` that of what they look at.
        Those that look at none are ``evaluations``, and apart from the others.
        """
        alone = jobs.c.image_id == "" if evaluations else jobs.c.image_id != ""
        wanted = [jobs.c.tenant == tenant, alone]
        if image_id is not None:
            wanted.append(jobs.c.image_id == image_id)
        if state is not None:
            wanted.append(jobs.c.dead if state == "dead" else jobs.c.state == state)
        if after is not None:
            wanted.append(jobs.c.id < after)
        return self._jobs(sa.select(jobs).where(*wanted).order_by(jobs.c.id.desc()).limit(limit))

    def begin(
        self,
        turn: str,
        queue: str,
        *,
        worker: str = "",
        warm: Sequence[str] = (),
        max_attempts: int = 20,
    ) -> Job | None:
        """Take a job and start its next attempt, which alone may write from now on.

        It is the job that this turn was spent on before, if that has not ended. Else, among
        those that wait in the queue, one of the highest priority: the oldest that has waited a
        minute or more; else the oldest whose detector is ``warm``; else the oldest.

        Parameters
        ----------
        turn
            As the engine gave it.
        queue, worker, warm
            Where to look; who asks; the detectors that run there already.
        max_attempts
            A job that lost more workers than these is given up.

        Returns
        -------
        Job or None
            ``None`` if there is nothing to do.
        """
        with self._database.begin() as connection:
            return turns.spend(connection, turn, queue, worker, warm, max_attempts)

    def report(self, job: Job, stage: str, progress: float) -> bool:
        """Tell how far an attempt is; whether it should go on.

        It should not if somebody asked to cancel it, or if a later attempt has begun.
        """
        values = {"stage": stage[:100], "progress": min(1.0, max(0.0, progress))}
        return self._write(job, values, jobs.c.cancelling.is_(False))

    def wanted(self, job: Job) -> bool:
        """Whether an attempt should go on; see :meth:`report`."""
        with self._database.connect() as connection:
            row = connection.execute(
                sa.select(jobs.c.id).where(_mine(job), jobs.c.cancelling.is_(False))
            ).one_or_none()
        return row is not None

    def overtaken(self, job: Job) -> bool:
        """Whether a later attempt has begun."""
        with self._database.connect() as connection:
            attempts = sa.select(jobs.c.attempts).where(jobs.c.id == job.id)
            return connection.execute(attempts).scalar_one_or_none() != job.attempts

    def crashed(self, job: Job, error: Exception) -> int | None:
        """Count a crash of the detector; the count, or ``None`` for an attempt overtaken."""
        cause = f"attempt {job.attempts}: {type(error).__name__}: {error}"[:500]
        with self._database.begin() as connection:
            return connection.execute(
                sa.update(jobs)
                .where(_mine(job))
                .values(crashes=jobs.c.crashes + 1, causes=[*job.causes, cause])
                .returning(jobs.c.crashes)
            ).scalar_one_or_none()

    def finish(
        self,
        job: Job,
        state: Literal["done", "failed", "cancelled"],
        error: Exception | None,
        *,
        dead: bool = False,
    ) -> bool:
        """End an attempt; ``False`` if it did not end so, and its result is to be dropped.

        A later attempt has begun, then, or somebody asked to cancel it, and it is cancelled.
        ``dead``: it failed through no fault of its input.
        """
        if self._write(job, ended(state, error, dead=dead), jobs.c.cancelling.is_(False)):
            return True
        return self._write(job, ended("cancelled")) and state == "cancelled"

    def cancel(self, job_id: str, *, tenant: str | None) -> Job:
        """Ask a job to stop: one that waits ends here, one that runs ends shortly.

        Raises
        ------
        ConflictError
            If it had ended before.
        """
        with self._database.begin() as connection:
            changes = (("queued", ended("cancelled")), ("running", {"cancelling": True}))
            found = [
                connection.execute(
                    sa.update(jobs)
                    .where(_one(job_id, tenant), jobs.c.state == state)
                    .values(values)
                ).rowcount
                for state, values in changes
            ]
        job = self.get(job_id, tenant=tenant)
        if not any(found):
            raise ConflictError(f"job {job_id} cannot be cancelled: it is {job.state}")
        return job

    def forget(self, job_id: str, *, tenant: str) -> Job:
        """Remove the row of a job that has ended; what the row said.

        Raises
        ------
        ConflictError
            If it has not.
        """
        with self._database.begin() as connection:
            row = connection.execute(
                sa.delete(jobs).where(_one(job_id, tenant), ~_OPEN).returning(jobs)
            ).one_or_none()
        if row is None:
            job = self.get(job_id, tenant=tenant)
            raise ConflictError(f"job {job_id} is {job.state}; cancel it first, then remove it")
        return Job.of(row)

    def open(self, older_than: float = 0.0, limit: int | None = None) -> Sequence[Job]:
        """Jobs that have not ended and were created at least ``older_than`` seconds ago.

        The oldest first; at most ``limit`` of them.
        """
        wanted = sa.select(jobs).where(_OPEN, jobs.c.created <= now(-older_than))
        return self._jobs(wanted.order_by(jobs.c.id).limit(limit))

    def needing(self, tenant: str, image_id: str) -> Job | None:
        """An open job that looks at an image, or names it in an option."""
        named = sa.cast(jobs.c.options, sa.String).contains(image_id, autoescape=True)
        here = sa.or_(jobs.c.image_id == image_id, named)
        found = self._jobs(sa.select(jobs).where(_OPEN, jobs.c.tenant == tenant, here).limit(1))
        return found[0] if found else None

    def all(self) -> Sequence[Job]:
        """All jobs, the oldest first."""
        return self._jobs(sa.select(jobs).order_by(jobs.c.id))

    def hand_over(self, job: Job, enqueue: Enqueue) -> None:
        """Give an open job, which the engine knows no turn for any more, another turn."""
        turn = new_id()
        with self._database.begin() as connection:
            changed = connection.execute(
                sa.update(jobs)
                .where(jobs.c.id == job.id, jobs.c.turn.is_not_distinct_from(job.turn), _OPEN)
                .values(turn=turn)
            )
            if changed.rowcount:
                enqueue(connection, turn, job.queue)

    def _by_key(self, tenant: str, key: str | None) -> Job | None:
        if key is None:
            return None
        found = self._jobs(sa.select(jobs).where(jobs.c.tenant == tenant, jobs.c.key == key))
        return found[0] if found else None

    def _jobs(self, wanted: sa.Select[Any]) -> list[Job]:
        with self._database.connect() as connection:
            return [Job.of(row) for row in connection.execute(wanted)]

    def _write(self, job: Job, values: Mapping[str, Any], *conditions: Any) -> bool:
        with self._database.begin() as connection:
            done = connection.execute(
                sa.update(jobs).where(_mine(job), *conditions).values(dict(values))
            )
            return done.rowcount > 0


def _one(job_id: str, tenant: str | None) -> sa.ColumnElement[bool]:
    here = jobs.c.id == job_id
    return here if tenant is None else sa.and_(here, jobs.c.tenant == tenant)


def _mine(job: Job) -> sa.ColumnElement[bool]:
    return sa.and_(jobs.c.id == job.id, jobs.c.state == "running", jobs.c.attempts == job.attempts)
