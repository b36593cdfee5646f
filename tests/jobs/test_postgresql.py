"""The same engine on PostgreSQL; where Debian's server is not installed these are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import Bench, bench
from postgresql import Server
from service import until


@pytest.fixture
def workshop(server: Server, odd_detectors: Path, tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path / "data", database=server.fresh()) as one:
        yield one


def test_a_job_outlives_its_worker_and_the_database(server: Server, workshop: Bench) -> None:
    workers = {name: workshop.worker(name) for name in ("worker-1", "worker-2")}
    job_id = workshop.submit(seconds=2.0)
    until(lambda: workshop.table.get(job_id, tenant=None).stage == "looking" or None, seconds=60)

    workers.pop(workshop.owner(job_id)).kill()
    until(lambda: workshop.table.get(job_id, tenant=None).attempts == 2 or None, seconds=60)
    server.stop()
    server.start()
    job = workshop.wait(job_id)

    assert job.state == "done"
    assert [folder.name for folder in workshop.store.attempt(job).parent.iterdir()] == [
        str(job.attempts)
    ]
    (survivor,) = workers.values()
    assert survivor.poll() is None
    assert workshop.wait(workshop.submit()).state == "done"
