"""The job table: one attempt at a time may write, and nothing that has ended changes.

On SQLite, and on PostgreSQL where Debian's server is installed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from delineate.errors import ConflictError, DetectorCrashError, UnknownJobError
from delineate.jobs.database import connect, migrate
from delineate.jobs.table import Job, JobTable


@pytest.fixture(params=["sqlite", "postgresql"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobTable]:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("server").fresh()
    database = connect(url)
    migrate(database)
    yield JobTable(database)
    database.dispose()
    database.dispose()


def submitted(table: JobTable, **more: Any) -> Job:
    asked = {"image_id": "f" * 64, "series": "1.2.3", "detector": "test.bright"}
    asked |= {"options": {"threshold": 1.0}, "enqueue": lambda connection, turn, queue: None}
    return table.submit(**{**asked, **more})


def begun(table: JobTable, turn: str, **more: Any) -> Job:
    job = table.begin(turn, "default", **more)
    assert job is not None
    return job


def begun_of(table: JobTable, turn: str, queue: str) -> str:
    job = table.begin(turn, queue)
    assert job is not None
    return job.id


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


def test_no_two_workers_take_one_job(table: JobTable) -> None:
    for number in range(10):
        there = {submitted(table).id for _ in range(3)}
        together, taken = threading.Barrier(4), list[Job | None]()

        def take(worker: int, turn: str = f"turn-{number}", start: Any = together) -> None:
            start.wait()
            taken.append(table.begin(f"{turn}-{worker}", "default"))  # noqa: B023

        workers = [threading.Thread(target=take, args=(one,)) for one in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

        assert sorted(job.id for job in taken if job is not None) == sorted(there)


def test_a_worker_takes_the_most_urgent_then_the_warm_then_the_oldest(table: JobTable) -> None:
    old, warm, urgent, elsewhere = (
        submitted(table),
        submitted(table, detector="test.warm"),
        submitted(table, priority=9),
        submitted(table, queue="gpu", priority=9),
    )
    taken = [begun(table, f"turn {n}", warm=["test.warm"]).id for n in range(3)]

    assert taken == [urgent.id, warm.id, old.id]
    assert table.begin("turn 4", "default") is None
    assert begun_of(table, "turn 5", "gpu") == elsewhere.id


def test_a_job_that_has_waited_a_minute_is_not_overtaken(
    table: JobTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = submitted(table)
    after = time.time() + 61.0
    with monkeypatch.context() as later:
        later.setattr("delineate.jobs.job.time.time", lambda: after)
        submitted(table, detector="test.warm")

        assert begun(table, "turn", warm=["test.warm"]).id == old.id


def test_a_turn_that_is_given_again_goes_on_with_its_job(table: JobTable) -> None:
    first, second = submitted(table), submitted(table)
    assert begun(table, "turn", worker="one").id == first.id

    again = begun(table, "turn", worker="two")

    assert (again.id, again.attempts, again.worker) == (first.id, 2, "two")
    assert again.causes == ["attempt 1: its worker one was lost"]
    assert state(table, second) == "queued"


def test_a_job_that_loses_worker_after_worker_is_given_up(table: JobTable) -> None:
    job = submitted(table)
    for _ in range(3):
        begun(table, job.id, max_attempts=2)

    assert table.begin(job.id, "default", max_attempts=2) is None
    lost = table.get(job.id, tenant=None)
    assert (lost.state, lost.dead, lost.error_code) == ("failed", True, "JobLostError")
    assert [one.id for one in table.page("local", state="dead")] == [job.id]


def test_crashes_of_the_detector_are_told_and_are_no_lost_workers(table: JobTable) -> None:
    job = submitted(table)
    for count in range(1, 4):
        running = begun(table, job.id, max_attempts=0)
        assert table.crashed(running, DetectorCrashError("died", "test.bright")) == count

    assert table.get(job.id, tenant=None).causes == [
        f"attempt {number}: DetectorCrashError: died" for number in (1, 2, 3)
    ]


def test_the_same_key_is_the_same_job_unless_something_else_is_asked(table: JobTable) -> None:
    job = submitted(table, key="once")

    assert submitted(table, key="once") == job
    assert submitted(table, key="once", tenant="other").id != job.id
    with pytest.raises(ConflictError, match=f"stands for job {job.id}"):
        submitted(table, key="once", detector="test.other")
    assert len(table.all()) == 2


def test_of_many_that_send_a_key_at_once_all_get_the_same_job(table: JobTable) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: submitted(table, key="once").id, range(16)))

    assert len(found) == len(table.all()) == 1


def test_a_job_is_unknown_to_other_tenants(table: JobTable) -> None:
    job = submitted(table, tenant="mine")

    for ask in (table.get, table.cancel, table.forget):
        with pytest.raises(UnknownJobError):
            ask(job.id, tenant="other")
    assert table.page("other") == []
    assert table.needing("other", job.image_id) is None
    assert table.get(job.id, tenant="mine") == job


def test_pages_go_from_the_newest_to_the_oldest(table: JobTable) -> None:
    ids = [submitted(table).id for _ in range(5)]
    first = table.page("local", limit=2)
    rest = table.page("local", after=first[-1].id)

    assert sorted((one.id for one in [*first, *rest]), reverse=True) == sorted(ids, reverse=True)
    assert [one.id for one in first] == sorted(ids, reverse=True)[:2]
    assert table.page("local", state="done") == []


def test_only_a_job_that_has_ended_is_forgotten(table: JobTable) -> None:
    job = submitted(table)
    with pytest.raises(ConflictError, match="cancel it first"):
        table.forget(job.id, tenant="local")
    table.cancel(job.id, tenant="local")

    assert table.forget(job.id, tenant="local").state == "cancelled"
    assert table.all() == []


def test_an_image_is_needed_by_an_open_job_that_looks_at_it_or_names_it(table: JobTable) -> None:
    template = "e" * 64
    job = submitted(table, options={"template": template})

    assert [table.needing("local", one) for one in ("f" * 64, template)] == [job, job]
    assert table.needing("local", "a" * 64) is None
    table.cancel(job.id, tenant="local")
    assert table.needing("local", template) is None
