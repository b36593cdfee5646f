"""What whoever runs the service asks it, and what becomes of calls when it stops."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from service import Service, series, service, until, zipped
from sqlalchemy.exc import OperationalError

from delineate.api.ledger import Ledger, named
from delineate.jobs.audit import AuditTrail, Deed, Head
from delineate.jobs.database import connect, migrate

JOB = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
PAIR = "1.2.840.1/1.2.840.2"


@pytest.fixture(scope="module")
def own(odd_detectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("own") / "data") as one:
        yield one


def test_a_service_that_can_work_is_ready(own: Service) -> None:
    answer = own.client.get("/readyz")

    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert set(answer.json()) == {"ready", "database", "storage", "workers"}


def test_numbers_of_all_processes_are_told(own: Service, tmp_path: Path) -> None:
    image = own.send(zipped(series(tmp_path))).json()["id"]
    job = own.wait(own.submit(image)["id"])
    told = own.client.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in told.splitlines() if not line.startswith("#"))

    assert job["state"] == "done"
    assert lines['delineate_attempts_total{detector="test.bright",outcome="done"}'] == "1.0"
    assert float(lines['delineate_stage_seconds_count{stage="reading"}']) == 1.0
    assert float(lines['delineate_received_bytes_total{route="/v1/images"}']) > 1000
    for process in ("api", "worker-1"):
        assert float(lines[f'delineate_resident_bytes{{process="{process}"}}']) > 1e7
    assert "delineate_jobs{" not in told  # none waits
    for told_nowhere in (image, job["id"], str(tmp_path)):
        assert told_nowhere not in told


def test_numbers_say_what_waits(own: Service, tmp_path: Path) -> None:
    image = own.send(zipped(series(tmp_path))).json()["id"]
    jobs = [own.submit(image, options={"seconds": 20})["id"] for _ in range(3)]
    own.wait(jobs[0], "running")
    told = own.client.get("/metrics").text
    for job in jobs:
        own.client.delete(f"/v1/jobs/{job}")
    for job in jobs:
        own.wait(job)

    assert 'delineate_jobs{queue="default",state="queued"} 2.0' in told
    assert 'delineate_oldest_job_seconds{queue="default",state="running"}' in told


def test_what_is_under_way_ends_well_when_the_api_stops(own: Service, tmp_path: Path) -> None:
    body = zipped(series(tmp_path))
    image = own.send(body).json()["id"]
    job = own.submit(image, options={"seconds": 60})["id"]
    own.wait(job, "running")
    halfway, goes_on = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield body[:1000]
        halfway.set()
        assert goes_on.wait(60)
        yield body[1000:]

    answers: list[httpx.Response] = []
    send = threading.Thread(
        target=lambda: answers.append(own.client.post("/v1/images?name=a.zip", content=slowly()))
    )
    send.start()
    assert halfway.wait(60)
    stopped = own.pid("api")
    with httpx.stream("GET", f"{own.url}/v1/jobs/{job}/events", timeout=60) as events:
        lines = events.iter_lines()
        assert next(lines)
        os.kill(stopped, signal.SIGTERM)
        list(lines)  # the stream ends, though the job goes on
    goes_on.set()
    send.join()

    assert answers[0].status_code == 201
    assert until(lambda: own._supervisor.pids().get("api", stopped) != stopped or None)
    assert own.job(job)["state"] == "running"
    own.client.delete(f"/v1/jobs/{job}")
    assert own.wait(job)["state"] == "cancelled"


@pytest.mark.parametrize(
    ("parameters", "location", "told"),
    [
        ({"image_id": "ab" * 32}, "", "ab" * 32),
        ({"job_id": JOB, "format": "seg"}, "", JOB),
        ({"study": "1.2.840.1", "series": "1.2.840.2", "instance": "1.2.840.3"}, "", PAIR),
        ({}, "/v1/images/" + "cd" * 32, "cd" * 32),
        ({"job_id": "JOHN^DOE"}, "", ""),
        ({"job_id": "19511231"}, "", ""),
        ({"upload_id": "doe", "name": "Doe.dcm"}, "", ""),
        ({}, "", ""),
    ],
)
def test_only_ids_are_named_in_the_audit(
    parameters: dict[str, str], location: str, told: str
) -> None:
    assert named(parameters, location) == told


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    found = connect(f"sqlite:///{tmp_path / 'audit.db'}")
    migrate(found)
    yield found
    found.dispose()


def deed(who: str, outcome: int = 200) -> Deed:
    return Deed(who=who, tenant="local", action="GET /x", outcome=outcome)


def test_what_changes_is_written_before_it_is_answered_and_reads_once(
    database: sa.Engine,
) -> None:
    trail = AuditTrail(database)

    async def act() -> None:
        ledger = Ledger(trail)
        await asyncio.gather(*(ledger.changed(deed(f"writer {n}")) for n in range(20)))
        assert trail.head().number == 20
        for _ in range(5):
            ledger.read(deed("reader"), deed("reader"))
        ledger.read(deed("reader", 404), deed("reader", 404))
        await ledger.close()

    asyncio.run(act())

    assert [(one.who, one.outcome) for one in trail.entries(last=2)] == [
        ("reader", 200),
        ("reader", 404),
    ]
    assert trail.verify().number == 22


def test_the_audit_waits_for_a_database_that_is_away(database: sa.Engine) -> None:
    trail = AuditTrail(database)
    away = [True, True]

    class Unsteady(AuditTrail):
        def add(self, deeds: list[Deed]) -> Head:  # type: ignore[override]
            if away:
                away.pop()
                raise OperationalError("", {}, Exception("away"))
            return super().add(deeds)

    async def act() -> None:
        ledger = Ledger(Unsteady(database))
        await ledger.changed(deed("patient"))
        await ledger.close()

    began = time.monotonic()
    asyncio.run(act())

    assert [one.who for one in trail.entries()] == ["patient"]
    assert time.monotonic() - began > 1
