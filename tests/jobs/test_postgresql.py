"""The same engine on PostgreSQL; where Debian's server is not installed these are skipped."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import Bench, bench
from service import until

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class Server:
    """A PostgreSQL server of its own, on a loopback port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "-A", "trust", "-U", "postgres", "-D", str(folder), "--no-sync")

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self._folder}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._folder), "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        """As if the power had failed."""
        self._run("pg_ctl", "-D", str(self._folder), "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*user, str(PROGRAMS[-1] / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=60)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if not PROGRAMS:
        pytest.skip("Debian's postgresql is not installed")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        one = Server(folder)
        one.start()
        yield one
        one.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def workshop(server: Server, odd_detectors: Path, tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path / "data", database=server.url) as one:
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
