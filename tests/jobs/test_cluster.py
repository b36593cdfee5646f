"""Workers on several machines: network namespaces, one PostgreSQL, one storage."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from bench import Bench, bench
from postgresql import Server
from s3 import s3_server
from service import until

from delineate.jobs import free_names
from delineate.jobs.settings import Settings

_COMMAND = "from delineate.cli import main; main()"
_SUBNET = "10.213.{}.{}"


class Machine:
    """A network namespace with one cable to this one, and a data folder of its own."""

    def __init__(self, number: int, data: Path) -> None:
        self.name = f"dl{secrets.token_hex(3)}"
        self.here, self.there = _SUBNET.format(number, 1), _SUBNET.format(number, 2)
        self._data = data
        self._processes: list[subprocess.Popen[bytes]] = []
        _ip("netns", "add", self.name)
        try:
            _ip("link", "add", self.name, "type", "veth", "peer", "eth", "netns", self.name)
            _ip("addr", "add", f"{self.here}/30", "dev", self.name)
            _ip("link", "set", self.name, "up")
            for command in (
                ("addr", "add", f"{self.there}/30", "dev", "eth"),
                ("link", "set", "eth", "up"),
                ("link", "set", "lo", "up"),
            ):
                _ip("-n", self.name, *command)
        except BaseException:
            self.close()
            raise

    def work(self, settings: Settings) -> subprocess.Popen[bytes]:
        """Run a worker there, called like the machine."""
        command = ["ip", "netns", "exec", self.name, sys.executable, "-m", "delineate.jobs.worker"]
        process = subprocess.Popen(
            [*command, self.name, "default", str(os.getpid())],
            env={**os.environ, **settings.to_environment()},
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def cut(self) -> None:
        """Pull the cable: nothing gets through, and nobody is told."""
        _ip("link", "set", self.name, "down")

    def mend(self) -> None:
        """Plug it in again."""
        _ip("link", "set", self.name, "up")

    def close(self) -> None:
        """Take it away, with its processes."""
        for process in self._processes:
            process.kill()
            process.wait()
        _ip("link", "del", self.name, check=False)
        _ip("netns", "del", self.name, check=False)


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True, timeout=30)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[list[Machine]]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and the program ip")
    with ExitStack() as stack:
        try:
            made = [Machine(number, tmp_path / f"machine{number}") for number in (1, 2)]
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces cannot be made here: {error.stderr.decode()[:100]}")
        for one in made:
            stack.callback(one.close)
        yield made


@contextmanager
def reachable(server_folder: Path, addresses: list[str]) -> Iterator[Server]:
    """A server that these addresses of this machine lead to."""
    if os.geteuid() == 0:
        shutil.chown(server_folder, "postgres")
    server = Server(server_folder)
    with (server_folder / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 10.213.0.0/16 trust\n")
    server.start(*addresses)
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.slow
def test_a_worker_that_is_cut_off_loses_its_job_and_its_late_result_is_refused(
    machines: list[Machine], odd_detectors: Path, tmp_path: Path
) -> None:
    storage = f"file://{tmp_path}/storage"
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        server = stack.enter_context(reachable(folder, [one.here for one in machines]))
        one = stack.enter_context(bench(tmp_path / "api", database=server.url, storage=storage))
        processes = {}
        for number, machine in enumerate(machines):
            url = server.url.replace("127.0.0.1", machine.here)
            data = tmp_path / f"machine{number}"
            processes[machine.name] = machine.work(
                Settings(data=data, database=url, storage=storage, min_free_bytes=0)
            )
        until(lambda: len(one.presence.alive()) == 2 or None)
        job_id = one.submit(seconds=8.0)
        until(lambda: one.table.get(job_id, tenant=None).stage == "looking" or None)
        lost = next(machine for machine in machines if machine.name == one.owner(job_id))

        lost.cut()
        cut = time.monotonic()
        until(lambda: one.table.get(job_id, tenant=None).attempts == 2 or None, seconds=60)
        noticed = time.monotonic() - cut
        until(lambda: time.monotonic() - cut > 12.0 or None)  # it has found all by now
        lost.mend()
        done = one.wait(job_id)

        assert (done.state, done.attempts) == ("done", 2)
        assert done.worker != lost.name
        assert done.causes == [f"attempt 1: its worker {lost.name} was lost"]
        assert noticed < 40  # some nine seconds where nothing else runs
        # It works on, under its old name, and what it found late is nowhere.
        until(lambda: lost.name in one.presence.alive() or None)
        assert all(process.poll() is None for process in processes.values())
        until(lambda: len(list((tmp_path / "storage").glob(f"**/{job_id}/*"))) == 1 or None)
        assert (one.store.attempt(done) / "delineation.json").exists()
        after = [one.submit(seconds=1.0) for _ in range(4)]
        assert {one.wait(each).state for each in after} == {"done"}
        assert one.table.get(job_id, tenant=None) == done


def test_a_worker_elsewhere_fetches_the_image_and_publishes_the_result(
    server: Server, odd_detectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        for name, value in stack.enter_context(s3_server()).items():
            monkeypatch.setenv(name, value)
        shared = {"database": server.fresh(), "storage": f"s3://images/{tmp_path.name}"}
        here: Bench = stack.enter_context(bench(tmp_path / "here", **shared))
        there = Settings(data=tmp_path / "there", min_free_bytes=0, **shared)
        here.worker("worker-1", settings=there)

        job = here.wait(here.submit())

        assert (job.state, job.causes) == ("done", [])
        assert not (tmp_path / "here/tenants/local/jobs").exists()
        assert (here.store.attempt(job) / "delineation.json").exists()
        assert (tmp_path / "there/tenants/local/images" / here.image_id).is_dir()


def test_the_command_starts_workers_under_names_of_their_own(
    odd_detectors: Path, tmp_path: Path
) -> None:
    with bench(tmp_path / "data") as one:
        command = [sys.executable, "-c", _COMMAND, "worker", "--workers", "2"]
        process = subprocess.Popen([*command, "--data", str(tmp_path / "data"), "--name", "extra"])
        try:
            until(lambda: one.presence.alive("default") == ("extra-1", "extra-2") or None)
            assert one.wait(one.submit()).state == "done"
            assert free_names(one.settings, "extra", 1) == ["extra-3"]
        finally:
            process.terminate()
            assert process.wait(20) == 0
        assert one.presence.alive() == ()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_taken_while_jobs_wait_can_be_restored(
    kind: str, odd_detectors: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("server").fresh() if kind == "postgresql" else ""
    with bench(tmp_path / "before", database=url) as before:
        before.worker("worker-1")
        done = before.wait(before.submit())
        running = before.submit(seconds=60.0)
        until(lambda: before.table.get(running, tenant=None).stage == "looking" or None)
        waiting = before.submit()

        # As docs/deploy.md says: the database first, then the files.
        (tmp_path / "after").mkdir()
        if kind == "sqlite":
            with (
                closing(sqlite3.connect(tmp_path / "before" / "delineate.db")) as source,
                closing(sqlite3.connect(tmp_path / "after" / "delineate.db")) as target,
            ):
                source.backup(target)
        else:
            url = request.getfixturevalue("server").copied(url)
        shutil.copytree(tmp_path / "before" / "tenants", tmp_path / "after" / "tenants")
    with bench(tmp_path / "after", database=url) as after:
        after.worker("worker-2")
        after.table.cancel(running, tenant=None)

        assert after.wait(waiting).state == "done"
        assert after.wait(running).state == "cancelled"
        kept = after.table.get(done.id, tenant=None)
        assert kept == done
        assert (after.store.attempt(kept) / "delineation.json").exists()
