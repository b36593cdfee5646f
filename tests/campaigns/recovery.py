"""How soon a dead worker's job goes on, and what a database that restarts costs.

Run as ``python -m tests.campaigns.recovery --deaths 50 --restarts 3 --stopped 60``; the restarts
and the worker that is stopped need Debian's PostgreSQL. Deaths: kill -9 of the worker that has a
job, under a name that never returns; what is counted is the time until the next attempt works.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1])]
    sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "jobs")]

from bench import Bench, bench
from postgresql import Server
from service import install_detectors, until


def deaths(one: Bench, count: int) -> list[float]:
    """Seconds from each death to the next attempt's first progress."""
    seconds, alive = [], {name: one.worker(name) for name in ("worker-0", "worker-1")}
    until(lambda: len(one.presence.alive()) == 2 or None)
    for number in range(2, count + 2):
        job_id = one.submit(seconds=2.0)
        until(lambda i=job_id: one.table.get(i, tenant=None).stage == "looking" or None)  # type: ignore[misc]
        died = time.monotonic()
        alive.pop(one.owner(job_id)).kill()
        until(lambda i=job_id: _works_again(one, i))  # type: ignore[misc]
        seconds.append(time.monotonic() - died)
        assert one.wait(job_id).state == "done"
        name = f"worker-{number}"
        alive[name] = one.worker(name)
        until(lambda n=name: n in one.presence.alive() or None)  # type: ignore[misc]
    return seconds


def _works_again(one: Bench, job_id: str) -> bool | None:
    job = one.table.get(job_id, tenant=None)
    return (job.attempts == 2 and job.stage not in ("", "starting")) or job.ended or None


def restarts(one: Bench, server: Server, count: int) -> Counter[str]:
    """States of jobs that ran while the server was stopped at once and started again."""
    for number in range(2):
        one.worker(f"worker-{number}")
    until(lambda: len(one.presence.alive()) == 2 or None)
    ids = []
    for _ in range(count):
        ids += [one.submit(seconds=2.0) for _ in range(4)]
        until(lambda i=ids[-4]: one.table.get(i, tenant=None).stage == "looking" or None)  # type: ignore[misc]
        server.stop()
        time.sleep(1.0)
        server.start()
    states = Counter(one.wait(job_id, seconds=300).state for job_id in ids)
    until(lambda: len(one.presence.alive()) == 2 or None)
    return states


def stopped(one: Bench, seconds: float) -> dict[str, object]:
    """What comes of a job whose worker sleeps, is given up by the server, and wakes up."""
    zombie = one.worker("zombie")
    job_id = one.submit(seconds=5.0)
    until(lambda: one.table.get(job_id, tenant=None).stage == "looking" or None)
    os.kill(zombie.pid, signal.SIGSTOP)
    with one.database.connect() as connection:  # as when its machine has gone
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        )
    one.worker("heir")
    slept = time.monotonic()
    until(lambda: one.table.get(job_id, tenant=None).attempts == 2 or None)
    taken = time.monotonic() - slept
    time.sleep(max(0.0, seconds - taken))
    os.kill(zombie.pid, signal.SIGCONT)
    job = one.wait(job_id)
    time.sleep(3.0)
    after = one.table.get(job_id, tenant=None)
    left = [folder.name for folder in one.store.attempt(job).parent.iterdir()]
    return {"state": after.state, "worker": after.worker, "unchanged": after == job, "left": left}


@contextmanager
def own_server() -> Iterator[Server]:
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def main() -> None:
    """Run the campaign and print its counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deaths", type=int, default=50)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--stopped", type=float, default=60.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, own_server() as server:
        os.environ["PYTHONPATH"] = install_detectors(Path(scratch) / "site")
        for name, url in (("sqlite", ""), ("postgresql", server.fresh())):
            with bench(Path(scratch) / name, database=url) as one:
                seconds = sorted(deaths(one, asked.deaths))
            late = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
            print(  # noqa: T201
                f"{name}: {len(seconds)} deaths, the job goes on after "
                f"{statistics.median(seconds):.1f} s (median), {late:.1f} s (p95)"
            )
        with bench(Path(scratch) / "restarts", database=server.fresh()) as one:
            print(f"restarts: {dict(restarts(one, server, asked.restarts))}")  # noqa: T201
        with bench(Path(scratch) / "stopped", database=server.fresh()) as one:
            print(f"stopped: {stopped(one, asked.stopped)}")  # noqa: T201


if __name__ == "__main__":
    main()
