"""The job table: one attempt at a time may write, and nothing that has ended changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from delineate.errors import ConflictError, DetectorCrashError, UnknownJobError
from delineate.jobs.database import connect
from delineate.jobs.table import Job, JobTable


@pytest.fixture
def table(tmp_path: Path) -> Iterator[JobTable]:
    database = connect(f"sqlite:///{tmp_path / 'jobs.db'}")
    table = JobTable(database)
    table.create()
    yield table
    database.dispose()


def submitted(table: JobTable) -> Job:
    return table.submit(
        image_id="f" * 64,
        series="1.2.3",
        detector="test.bright",
        options={"threshold": 1.0},
        enqueue=lambda connection, job_id: None,
    )


def begun(table: JobTable, job_id: str) -> Job:
    job = table.begin(job_id)
    assert job is not None
    return job


def test_a_job_goes_from_queued_over_running_to_done(table: JobTable) -> None:
    job = submitted(table)
    states = [table.get(job.id).state]
    running = begun(table, job.id)
    states.append(table.get(job.id).state)
    assert table.finish(running, "done", None)
    done = table.get(job.id)
    states.append(done.state)

    assert states == ["queued", "running", "done"]
    assert (done.progress, done.attempts, done.ended) == (1.0, 1, True)
    assert done.created <= str(done.started) <= str(done.finished)


def test_a_job_that_cannot_be_handed_to_the_engine_is_not_written_down(table: JobTable) -> None:
    def refuse(connection: sa.Connection, job_id: str) -> None:
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
    assert table.crashed(zombie) is None
    assert not table.finish(zombie, "done", None)
    assert table.get(job.id).state == "running"
    assert table.report(current, "detecting", 0.1)
    assert table.finish(current, "done", None)
    assert table.get(job.id).attempts == 2


def test_nothing_that_has_ended_changes(table: JobTable) -> None:
    running = begun(table, submitted(table).id)
    table.finish(running, "failed", DetectorCrashError("died", "test.bright"))
    before = table.get(running.id)

    assert table.begin(running.id) is None
    assert not table.finish(running, "done", None)
    assert not table.report(running, "again", 0.5)
    assert not table.settle(running.id, RuntimeError("given up"))
    with pytest.raises(ConflictError, match="it is failed"):
        table.cancel(running.id)
    assert table.get(running.id) == before
    assert before.to_json()["error"] == {"code": "DetectorCrashError", "message": "died"}


def test_a_waiting_job_is_cancelled_at_once(table: JobTable) -> None:
    job = submitted(table)

    assert table.cancel(job.id).state == "cancelled"
    assert table.begin(job.id) is None
    with pytest.raises(ConflictError):
        table.cancel(job.id)


def test_a_running_job_learns_that_it_is_cancelled_and_its_result_is_dropped(
    table: JobTable,
) -> None:
    running = begun(table, submitted(table).id)

    assert table.cancel(running.id).state == "running"
    assert not table.report(running, "detecting", 0.5)
    assert not table.finish(running, "done", None)
    assert table.get(running.id).state == "cancelled"


def test_a_cancelled_job_whose_worker_died_is_not_begun_again(table: JobTable) -> None:
    running = begun(table, submitted(table).id)
    table.cancel(running.id)

    assert table.begin(running.id) is None
    assert table.get(running.id).state == "cancelled"


def test_ids_sort_by_age_and_an_unknown_one_says_what_to_do(table: JobTable) -> None:
    first, second = submitted(table), submitted(table)

    assert len(first.id) == 26
    assert first.created <= second.created
    with pytest.raises(UnknownJobError, match="POST /v1/jobs"):
        table.get("01J")
