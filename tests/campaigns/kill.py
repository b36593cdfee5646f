"""Kill processes of a working service at random and count what comes of its jobs.

Run as ``python -m tests.campaigns.kill --kills 200 --jobs 500``; the tests run a short form. Kills
are SIGKILL to the API, a worker or a detector's process, also while jobs are being submitted.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx
from service import Service, children, install_detectors, lives, series, service, until

from delineate.jobs.database import connect
from delineate.jobs.liveness import Presence
from delineate.jobs.table import JobTable

_VICTIMS = ("api", "worker", "worker", "host", "host")


@dataclass
class Outcome:
    """What a campaign counted."""

    jobs: int = 0
    states: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    wrong: int = 0
    results_too_many: int = 0
    causes: list[str] = field(default_factory=list)  # of jobs that were not done
    attempts: int = 0
    seconds: float = 0.0
    seconds_after_last_kill: float = 0.0


def campaign(
    data: Path, kills: int, jobs: int, workers: int = 2, seed: int = 0, database: str = ""
) -> Outcome:
    """Submit jobs and kill processes meanwhile; then wait until every job has ended."""
    outcome, chance = Outcome(), random.Random(seed)
    began = time.monotonic()
    patience = {"max_crashes": 10**6, "max_attempts": 10**6}
    with service(data, workers=workers, database=database, **patience) as running:
        image_id = running.upload(series(data.parent / "ct")).raise_for_status().json()["id"]
        database = connect(running.settings.database_url)
        table, presence = JobTable(database), Presence(running.settings, database)
        submitted = threading.Event()
        killer = threading.Thread(
            target=_kill, args=(running, table, presence, kills, chance, outcome.kills, submitted)
        )
        killer.start()
        try:
            known = [_submit(running, image_id, chance) for _ in range(jobs)]
        finally:
            submitted.set()
            killer.join(120)
        killed = time.monotonic()
        until(lambda: not table.open() or None, seconds=120 + jobs)
        outcome.seconds_after_last_kill = round(time.monotonic() - killed, 1)
        for job_id in _all_ids(table):
            job = table.get(job_id, tenant=None)
            outcome.jobs += 1
            outcome.states[job.state] += 1
            outcome.attempts += job.attempts
            if job.state != "done":
                outcome.causes += [f"{job_id}: {cause}" for cause in job.causes]
                continue
            outcome.wrong += running.bright_samples(job_id) != 60
            kept = until(lambda i=job_id: _settled(running.home / "jobs" / i))  # type: ignore[misc]
            outcome.results_too_many += len(kept) != 1
        outcome.unknown = len(set(known) - set(_all_ids(table)))
    outcome.seconds = round(time.monotonic() - began, 1)
    return outcome


def _submit(running: Service, image_id: str, chance: random.Random) -> str:
    """Submit a job; again where the answer was lost with the API."""
    asked = {
        "image_id": image_id,
        "detector": "test.bright",
        "options": {"seconds": round(chance.uniform(0.1, 1.0), 2)},
    }

    def answered() -> str | None:
        try:
            response = running.client.post("/v1/jobs", json=asked)
        except httpx.TransportError:
            return None
        return str(response.json()["id"]) if response.status_code == 202 else None

    return until(answered, seconds=120)


def _kill(
    running: Service,
    table: JobTable,
    presence: Presence,
    kills: int,
    chance: random.Random,
    counts: Counter[str],
    submitted: threading.Event,
) -> None:
    """Kill while there is work, until that many are killed or the work is done."""
    while counts.total() < kills:
        time.sleep(chance.uniform(0.05, 1.0))
        if not table.open():
            if submitted.is_set():
                return
            continue
        victim = chance.choice(_VICTIMS)
        try:
            name = "api" if victim == "api" else f"worker-{chance.randint(1, 2)}"
            pid = running.pid(name)
        except KeyError:
            continue  # it is dead as it is
        if not _is_up(running, presence, name):
            continue  # a slow machine would else never get beyond starting it
        hosts = [one for one in children(pid) if lives(one)]
        if victim == "host":
            if not hosts:
                continue
            pid = chance.choice(hosts)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        counts[victim] += 1


def _is_up(running: Service, presence: Presence, name: str) -> bool:
    if name != "api":
        return presence.held(name)
    try:
        return httpx.get(f"{running.url}/healthz", timeout=0.5).status_code == 200
    except httpx.TransportError:
        return False


def _all_ids(table: JobTable) -> list[str]:
    return [job.id for job in table.all()]


def _settled(folder: Path) -> list[Path] | None:
    """The result folders of a job, once the worker has removed those of other attempts."""
    kept = list(folder.iterdir())
    return kept if len(kept) == 1 else None


def main() -> None:
    """Run a campaign and print its counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", default="", help="postgresql://...; SQLite without")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PYTHONPATH"] = install_detectors(Path(scratch) / "site")
        data = Path(scratch) / "data"
        outcome = campaign(data, asked.kills, asked.jobs, asked.workers, asked.seed, asked.database)
    for name, value in vars(outcome).items():
        print(f"{name}: {dict(value) if isinstance(value, Counter) else value}")  # noqa: T201


if __name__ == "__main__":
    main()
