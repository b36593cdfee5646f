"""What the DICOMweb node has still to do: kept in a table, so that no kill and no outage loses it.

Kinds of tasks and what they are about: ``index`` (an image to read), ``complete`` (a series that
may have all its instances), ``offer`` (a job whose result is to be found), ``push`` and ``pull``
(a transfer to or from another server).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from delineate.errors import UnknownTransferError
from delineate.jobs.dicom_tables import TASKS
from delineate.jobs.job import jobs, new_id, now

__all__ = ["done", "failed", "get", "listed", "put", "take", "touch"]

_LEASE_SECONDS = 900.0
# How long a result may wait to be offered while detectors are at work: writing its files takes a
# core that they need.
_OFFER_SECONDS = 120.0
# Pauses between the tries of a transfer; the last one is repeated until they are used up.
_PAUSES = (5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
_MOST_TRIES = 40


def put(
    connection: sa.Connection,
    tenant: str,
    kind: str,
    subject: str,
    details: Mapping[str, Any] | None = None,
    wait: float = 0.0,
    state: Literal["waiting", "done"] = "waiting",
) -> str:
    """Put a task down, to be done after so many seconds; its id.

    One about the same is begun anew, with these details and from now.
    """
    mine = sa.and_(TASKS.c.tenant == tenant, TASKS.c.kind == kind, TASKS.c.subject == subject)
    values = {
        "state": state,
        "due": time.time() + wait,
        "tries": 0,
        "error": None,
        "finished": None,
        "details": dict(details or {}),
    }
    again = sa.update(TASKS).where(mine).values(values).returning(TASKS.c.id)
    there = connection.execute(again).scalar_one_or_none()
    if there is not None:
        return str(there)
    return str(
        connection.execute(
            sa.insert(TASKS)
            .values(id=new_id(), tenant=tenant, kind=kind, subject=subject, created=now(), **values)
            .returning(TASKS.c.id)
        ).scalar_one()
    )


def take(database: sa.Engine) -> sa.Row[Any] | None:
    """The next task that is due, in the caller's hands for a quarter of an hour.

    A result is offered once no job is under way, or two minutes after it came.
    """
    moment = time.time()
    at_work = sa.exists().where(jobs.c.state.in_(("queued", "running")))
    late = TASKS.c.due <= moment - _OFFER_SECONDS
    unhurried = sa.and_(TASKS.c.kind == "offer", at_work, ~late)
    waiting = sa.and_(TASKS.c.state == "waiting", TASKS.c.leased <= moment)
    due = sa.and_(waiting, TASKS.c.due <= moment, ~unhurried)
    with database.connect() as connection:
        if connection.execute(sa.select(TASKS.c.id).where(due).limit(1)).first() is None:
            return None  # without taking SQLite's one writer's place
    first = sa.select(TASKS.c.id).where(due).order_by(TASKS.c.due).limit(1)
    with database.begin() as connection:
        if connection.dialect.name == "postgresql":
            first = first.with_for_update(skip_locked=True)
        return connection.execute(
            sa.update(TASKS)
            .where(TASKS.c.id == first.scalar_subquery(), due)
            .values(leased=moment + _LEASE_SECONDS, tries=TASKS.c.tries + 1)
            .returning(TASKS)
        ).one_or_none()


def done(database: sa.Engine, task: sa.Row[Any], details: Mapping[str, Any] | None = None) -> None:
    """End a task, unless it was begun anew in the meantime."""
    values: dict[str, Any] = {"state": "done", "finished": now(), "error": None}
    if details is not None:
        values["details"] = {**task.details, **details}
    _write(database, task, values)


def failed(database: sa.Engine, task: sa.Row[Any], error: Exception, again: bool) -> None:
    """Try a task once more, later and later, or give it up."""
    values: dict[str, Any] = {"error": f"{type(error).__name__}: {error}"[:2000]}
    if again and task.tries < _MOST_TRIES:
        values["due"] = time.time() + _PAUSES[min(task.tries, len(_PAUSES)) - 1]
    else:
        values |= {"state": "failed", "finished": now()}
    _write(database, task, values)


def _write(database: sa.Engine, task: sa.Row[Any], values: Mapping[str, Any]) -> None:
    mine = sa.and_(TASKS.c.id == task.id, TASKS.c.leased == task.leased)
    same = sa.and_(mine, TASKS.c.due == task.due, TASKS.c.state == "waiting")
    with database.begin() as connection:
        connection.execute(sa.update(TASKS).where(same).values(dict(values)))
        connection.execute(sa.update(TASKS).where(mine).values(leased=0.0))


def touch(database: sa.Engine, task: sa.Row[Any], due: float) -> None:
    """Put a task off."""
    _write(database, task, {"due": due, "tries": 0})


def get(database: sa.Engine, tenant: str, task_id: str) -> sa.Row[Any]:
    """The task of that id.

    Raises
    ------
    UnknownTransferError
        If the tenant has none such.
    """
    mine = sa.and_(TASKS.c.id == task_id, TASKS.c.tenant == tenant)
    with database.connect() as connection:
        row = connection.execute(sa.select(TASKS).where(mine)).one_or_none()
    if row is None:
        raise UnknownTransferError("no transfer has this id; GET /v1/transfers lists yours")
    return row


def listed(
    database: sa.Engine, tenant: str, kinds: Sequence[str], limit: int = 100
) -> Sequence[sa.Row[Any]]:
    """The latest tasks of some kinds."""
    mine = sa.and_(TASKS.c.tenant == tenant, TASKS.c.kind.in_(kinds))
    with database.connect() as connection:
        return connection.execute(
            sa.select(TASKS).where(mine).order_by(TASKS.c.id.desc()).limit(limit)
        ).all()
