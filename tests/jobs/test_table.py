"""The job table: one attempt at a time may write, and nothing that has ended changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from delineate.errors import ConflictError, DetectorCrashError, UnknownJobError
from delineate.jobs.database import connect, migrate
from delineate.jobs.table import Job, JobTable


@pytest.fixture
def table(tmp_path: Path) -> Iterator[JobTable]:
    database = connect(f"sqlite:///{tmp_path / 'jobs.db'}")
    migrate(database)
    yield JobTable(database)
    database.dispose()


def submitted(table: JobTable, **more: Any) -> Job:
    asked = {"image_id": "f" * 64, "series": "1.2.3", "detector": "test.bright"}
    asked |= {"options": {"threshold": 1.0}, "enqueue": lambda connection, turn, queue: None}
    return table.submit(**{**asked, **more})


def begun(table: JobTable, turn: str, **more: Any) -> Job:
    job = table.begin(turn, "default", **more)
    assert job is not None
    return job


def state(table: JobTable, job: Job) -> str:
    return table.get(job.id, tenant=None).state


def test_a_job_goes_from_queued_over_running_to_done(table: JobTable) -> None:
    job = submitted(table)
    states = [state(table, job)]
    running = begun(table, job.id)
    states.append(state(table, job))
    assert table.finish(running, "done", None)
    done = table.get(job.id, tenant=None)
    states.append(done.state)

    assert states == ["queued", "running", "done"]
    assert (done.progress, done.attempts, done.ended) == (1.0, 1, True)
    assert done.created <= str(done.started) <= str(done.finished)


def test_a_job_that_cannot_be_handed_to_the_engine_is_not_written_down(table: JobTable) -> None:
    def refuse(connection: sa.Connection, turn: str, queue: str) -> None:
        raise RuntimeError("the engine is away")

    with pytest.raises(RuntimeError):
        table.submit(image_id="f", series="1", detector="d", options={}, enqueue=refuse)

    assert table.open() == []


def test_what_an_overtaken_attempt_says_is_refused(table: JobTable) -> None:
    job = submitted(table)
    zombie = begun(table, job.id)
    current = begun(table, job.id)

    assert not table.report(zombie, "detecting", 0.9)
    assert not table.wanted(zombie)
    assert table.crashed(zombie, RuntimeError("died")) is None
    assert not table.finish(zombie, "done", None)
    assert state(table, job) == "running"
    assert table.report(current, "detecting", 0.1)
    assert table.finish(current, "done", None)
    assert table.get(job.id, tenant=None).attempts == 2


def test_nothing_that_has_ended_changes(table: JobTable) -> None:
    running = begun(table, submitted(table).id)
    table.finish(running, "failed", DetectorCrashError("died", "test.bright"))
    before = table.get(running.id, tenant=None)

    assert table.begin(running.id, "default") is None
    assert not table.finish(running, "done", None)
    assert not table.report(running, "again", 0.5)
    with pytest.raises(ConflictError, match="it is failed"):
        table.cancel(running.id, tenant=None)
    assert table.get(running.id, tenant=None) == before
    assert before.to_json()["error"] == {"code": "DetectorCrashError", "message": "died"}


def test_a_waiting_job_is_cancelled_at_once(table: JobTable) -> None:
    job = submitted(table)

    assert table.cancel(job.id, tenant=None).state == "cancelled"
    assert table.begin(job.id, "default") is None
    with pytest.raises(ConflictError):
        table.cancel(job.id, tenant=None)


def test_a_running_job_learns_that_it_is_cancelled_and_its_result_is_dropped(
    table: JobTable,
) -> None:
    running = begun(table, submitted(table).id)

    assert table.cancel(running.id, tenant=None).state == "running"
    assert not table.report(running, "detecting", 0.5)
    assert not table.finish(running, "done", None)
    assert state(table, running) == "cancelled"


def test_a_cancelled_job_whose_worker_died_is_not_begun_again(table: JobTable) -> None:
    running = begun(table, submitted(table).id)
    table.cancel(running.id, tenant=None)

    assert table.begin(running.id, "default") is None
    assert state(table, running) == "cancelled"


def test_ids_sort_by_age_and_an_unknown_one_says_what_to_do(table: JobTable) -> None:
    first, second = submitted(table), submitted(table)

    assert len(first.id) == 26
    assert first.created <= second.created
    with pytest.raises(UnknownJobError, match="POST /v1/jobs"):
        table.get("01J", tenant=None)
