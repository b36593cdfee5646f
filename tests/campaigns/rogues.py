"""Detectors that crash, exit, hang, hoard and shout, and jobs cancelled in the middle.

Run as ``python -m tests.campaigns.rogues --rounds 20``. Counts how each job ends, how long a
cancelled one's process lives on, and how long ``/healthz`` takes all the while.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

import httpx
from service import Service, children, install_detectors, lives, series, service, until

ROGUES = ("test.crash", "test.leave", "test.noisy", "test.hungry", "test.stuck")


@dataclass
class Outcome:
    """What was counted; seconds."""

    ends: Counter[str] = field(default_factory=Counter)
    wrong_after: int = 0
    host_gone_after: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)


def campaign(data: Path, rounds: int) -> Outcome:
    """Run each rogue and a good job after it, and cancel one; ask ``/healthz`` meanwhile."""
    outcome, ended = Outcome(), threading.Event()
    with service(data, detect_seconds=5.0, detect_memory_mb=1500, quiet=True) as running:
        image_id = running.upload(series(data.parent / "ct")).raise_for_status().json()["id"]
        running.wait(running.submit(image_id)["id"])
        asking = threading.Thread(target=_ask, args=(running.url, ended, outcome.health))
        asking.start()
        try:
            for _ in range(rounds):
                for rogue in ROGUES:
                    job = running.wait(running.submit(image_id, rogue)["id"])
                    code = (job["error"] or {}).get("code", "")
                    outcome.ends[f"{rogue} {job['state']} {code}".strip()] += 1
                    good = running.wait(running.submit(image_id)["id"])
                    outcome.wrong_after += running.bright_samples(good["id"]) != 60
                outcome.host_gone_after.append(_cancelled(running, image_id))
        finally:
            ended.set()
            asking.join()
    return outcome


def _cancelled(running: Service, image_id: str) -> float:
    """Seconds from the call until the process of a detector that hears nothing is gone."""
    before = set(children(running.pid("worker-1")))
    job = running.submit(image_id, "test.stuck")
    until(lambda: running.job(job["id"])["stage"] not in ("", "starting", "reading") or None)
    hosts = set(children(running.pid("worker-1"))) - before
    asked = time.monotonic()
    running.client.delete(f"/v1/jobs/{job['id']}").raise_for_status()
    until(lambda: not any(lives(pid) for pid in hosts) or None)
    gone = time.monotonic() - asked
    assert running.wait(job["id"])["state"] == "cancelled"
    return gone


def _ask(url: str, ended: threading.Event, seconds: list[float]) -> None:
    with httpx.Client() as client:
        while not ended.wait(0.02):
            began = time.monotonic()
            client.get(f"{url}/healthz", timeout=30).raise_for_status()
            seconds.append(time.monotonic() - began)


def main() -> None:
    """Run the campaign and print its counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PYTHONPATH"] = install_detectors(Path(scratch) / "site")
        outcome = campaign(Path(scratch) / "data", asked.rounds)
    for end, count in sorted(outcome.ends.items()):
        print(f"{count} x {end}")  # noqa: T201
    slow = sorted(outcome.health)[int(0.99 * (len(outcome.health) - 1))]
    print(f"good jobs after them that were wrong: {outcome.wrong_after}")  # noqa: T201
    print(f"a cancelled detector is gone after {max(outcome.host_gone_after):.2f} s at most")  # noqa: T201
    print(f"/healthz: p99 {1000 * slow:.0f} ms of {len(outcome.health)} calls")  # noqa: T201


if __name__ == "__main__":
    main()
