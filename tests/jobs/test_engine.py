"""What the durable engine does not do by itself, each point found by running it."""

from __future__ import annotations

import inspect
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
import sqlalchemy as sa
from bench import Bench, bench
from dbos import DBOS
from service import children, lives, until
from sqlalchemy.exc import OperationalError

from delineate.jobs.monitor import RowMonitor
from delineate.jobs.reaper import Reaper
from delineate.jobs.table import Job, JobTable


@pytest.fixture
def workshop(odd_detectors: Path, tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path / "data", max_attempts=1) as one:
        yield one


@pytest.fixture(scope="module")
def manned(odd_detectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A bench with a worker that no test kills."""
    with bench(tmp_path_factory.mktemp("manned") / "data") as one:
        before = [one.submit() for _ in range(3)]
        worker = one.worker("worker-1")
        assert [one.wait(job_id).state for job_id in before] == ["done"] * 3
        one.pid = worker.pid
        yield one
        assert worker.poll() is None


def test_another_worker_takes_over_when_one_dies_and_never_returns(workshop: Bench) -> None:
    workers = {name: workshop.worker(name) for name in ("worker-1", "worker-2")}
    until(lambda: len(workshop.presence.alive()) == 2 or None)
    time.sleep(1.0)
    job_id = workshop.submit(seconds=1.0)
    until(lambda: workshop.table.get(job_id, tenant=None).stage == "looking" or None)
    killed = time.monotonic()
    workers.pop(workshop.owner(job_id)).kill()
    job = workshop.wait(job_id)

    assert (job.state, job.attempts) == ("done", 2)
    assert workshop.presence.alive() == tuple(workers)
    # About four seconds where nothing else runs: two sightings a second apart, the start of a
    # detector and a second of its work.
    assert time.monotonic() - killed < 60


def test_a_worker_of_the_same_name_takes_up_its_job_again(workshop: Bench) -> None:
    first = workshop.worker("worker-1")
    job_id = workshop.submit(seconds=0.5)
    until(lambda: workshop.table.get(job_id, tenant=None).stage == "looking" or None)
    first.kill()
    workshop.worker("worker-1")

    job = workshop.wait(job_id)

    assert (job.state, job.attempts) == ("done", 2)
    kept = workshop.store.attempt(job)
    assert [folder.name for folder in kept.parent.iterdir()] == ["2"]


def test_the_engine_keeps_ids_as_json_and_nothing_else(workshop: Bench) -> None:
    job_id = workshop.submit(threshold=123.0)

    (row,) = workshop.engine_rows("workflow_status")
    (arguments,) = workshop.engine_rows("workflow_input")

    assert json.loads(arguments["inputs"]) == {
        "positionalArgs": [job_id, "default"],
        "namedArgs": {},
    }
    assert row["serialization"] == "portable_json"
    assert row["workflow_uuid"] == job_id
    # Pinned, or a change of our code would leave old jobs lying.
    assert row["application_version"] == "2"
    told = str(workshop.engine_rows())
    assert job_id in told
    assert workshop.series not in told
    assert workshop.image_id not in told
    assert "123" not in told.replace(job_id, "").replace(str(row["created_at"]), "")


def test_jobs_queued_before_any_worker_ever_ran_are_done(manned: Bench) -> None:
    def all_spent() -> bool | None:
        states = {row["status"] for row in manned.engine_rows("workflow_status")}
        return states == {"SUCCESS"} or None

    assert until(all_spent)


def test_a_job_that_the_engine_lost_is_handed_to_it_again(workshop: Bench) -> None:
    job = workshop.table.submit(
        image_id=workshop.image_id,
        series=workshop.series,
        detector="test.bright",
        options={},
        enqueue=lambda connection, turn, queue: None,
    )
    reaper = Reaper(workshop.presence, workshop.table, workshop.queue, "nobody")
    assert workshop.queue.ended([job.id]) == {}

    reaper.sweep(older_than=0.0)
    reaper.sweep(older_than=0.0)

    turn = str(workshop.table.get(job.id, tenant=None).turn)
    assert workshop.queue.ended([job.id, turn]) == {turn: False}
    assert len(workshop.engine_rows("workflow_status")) == 1


def test_a_job_that_takes_down_worker_after_worker_ends_as_failed(workshop: Bench) -> None:
    job_id = workshop.submit(seconds=60.0)
    for attempt in range(1, workshop.settings.max_attempts + 2):
        worker = workshop.worker("worker-1")
        until(lambda n=attempt: workshop.table.get(job_id, tenant=None).attempts == n or None)  # type: ignore[misc]
        worker.kill()
        worker.wait()
    workshop.worker("worker-1")

    job = workshop.wait(job_id)

    assert (job.state, job.error_code) == ("failed", "JobLostError")
    assert "given up after 2 attempts" in str(job.error_message)


@pytest.mark.parametrize("detector", ["test.crash", "test.leave"])
def test_a_crash_is_tried_once_more_and_then_told_with_its_cause(
    manned: Bench, detector: str
) -> None:
    crashing = manned.submit(detector)
    good = manned.submit()

    job = manned.wait(crashing)

    assert (job.state, job.attempts, job.crashes) == ("failed", 2, 2)
    assert job.error_code == "DetectorCrashError"
    assert detector in str(job.error_message)
    assert manned.wait(good).state == "done"


def test_turns_that_ended_long_ago_are_forgotten(manned: Bench) -> None:
    job_id = manned.submit()
    manned.wait(job_id)
    turn = str(manned.table.get(job_id, tenant=None).turn)
    until(lambda: manned.queue.ended([turn]) == {turn: True} or None)

    manned.queue.tidy()
    assert manned.queue.ended([turn]) == {turn: True}
    manned.queue.tidy(timedelta(seconds=-5))

    assert manned.queue.ended([turn]) == {}
    assert manned.table.get(job_id, tenant=None).state == "done"


def test_a_worker_keeps_nothing_open_from_job_to_job(manned: Bench) -> None:
    def descriptors() -> int:
        return len(os.listdir(f"/proc/{manned.pid}/fd"))

    before = descriptors()
    assert {manned.wait(job_id).state for job_id in [manned.submit() for _ in range(6)]} == {"done"}

    until(lambda: descriptors() <= before or None, seconds=20)


def test_what_a_detector_refuses_is_not_tried_again(manned: Bench) -> None:
    job = manned.wait(manned.submit("test.careful"))

    assert (job.attempts, job.error_code) == (1, "ModelError")
    assert job.error_message == "the weights are not as declared"


def test_a_detector_dies_with_its_worker(workshop: Bench) -> None:
    worker = workshop.worker("worker-1")
    job_id = workshop.submit("test.stuck")
    hosts = until(lambda: [pid for pid in children(worker.pid) if lives(pid)] or None)
    until(
        lambda: (
            workshop.table.get(job_id, tenant=None).stage not in ("", "starting", "reading") or None
        )
    )

    worker.kill()

    until(lambda: not any(lives(pid) for pid in hosts) or None, seconds=5.0)


def test_a_worker_that_was_taken_for_dead_cannot_write_when_it_comes_back(
    workshop: Bench,
) -> None:
    zombie = workshop.worker("worker-1")
    job_id = workshop.submit(seconds=1.0)
    until(lambda: workshop.table.get(job_id, tenant=None).stage == "looking" or None)
    os.kill(zombie.pid, signal.SIGSTOP)
    # As on a shared folder whose server has dropped the lock.
    (workshop.settings.workers / "worker-1.lock").unlink()
    workshop.worker("worker-2")
    until(lambda: workshop.table.get(job_id, tenant=None).attempts == 2 or None)
    os.kill(zombie.pid, signal.SIGCONT)

    done = workshop.wait(job_id)
    time.sleep(1.0)

    assert (done.state, done.attempts) == ("done", 2)
    assert workshop.table.get(job_id, tenant=None) == done
    until(
        lambda: [one.name for one in workshop.store.attempt(done).parent.iterdir()] == ["2"] or None
    )
    assert len(workshop.engine_rows("workflow_status")) == 1


def test_telling_progress_never_waits_for_the_database(manned: Bench) -> None:
    class Away(JobTable):
        calls = 0

        def report(self, job: Job, stage: str, progress: float) -> bool:
            Away.calls += 1
            time.sleep(0.2)
            raise OperationalError("UPDATE", {}, sa.exc.TimeoutError())

        def wanted(self, job: Job) -> bool:
            return self.report(job, "", 0.0)

    job = manned.table.get(manned.submit(), tenant=None)
    with RowMonitor(Away(manned.database), job) as monitor:
        began = time.monotonic()
        for step in range(10_000):
            monitor.progress(step / 10_000, "detecting")
            monitor.checkpoint()
        assert time.monotonic() - began < 0.5
        time.sleep(1.6)

    assert 1 <= Away.calls <= 5
    assert not monitor.cancelled


def test_the_private_call_to_the_engine_has_the_form_that_is_relied_on() -> None:
    parameters = inspect.signature(DBOS._recover_pending_workflows).parameters

    assert list(parameters) == ["executor_ids"]
    assert version("dbos").split(".")[0] == "3"
