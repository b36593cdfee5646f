"""More than is good for a service: a large upload, many at once, slow ones, aborted ones.

Run as ``python -m tests.campaigns.flood``; the tests run a short form. Meanwhile the memory of the
API process is read, and ``/healthz`` is asked again and again.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx
from service import Service, install_detectors, series, service, until, zipped

_MIB = 2**20
_BLOCK = os.urandom(_MIB)


@dataclass
class Outcome:
    """What a campaign counted; memory in MiB."""

    statuses: Counter[str] = field(default_factory=Counter)
    idle_mib: float = 0.0
    most_mib: float = 0.0
    health_asked: int = 0
    health_p99_seconds: float = 0.0
    upload_mib_per_second: float = 0.0
    left_behind: int = 0
    descriptors_more: int = 0


def campaign(
    running: Service, scratch: Path, mib: int, at_once: int, slow: int, aborted: int, seed: int = 0
) -> Outcome:
    """Send one upload of ``mib`` MiB, then ``at_once`` together, with ``slow`` and ``aborted``."""
    outcome, chance = Outcome(), random.Random(seed)
    packed = zipped(series(scratch / "ct", seed="flood"))
    with ThreadPoolExecutor(max(at_once, 8)) as pool:  # connections to the database stay open
        for answer in pool.map(lambda _: running.send(packed), range(at_once)):
            answer.raise_for_status()
    outcome.idle_mib = _rss(running)
    before = _descriptors(running)
    with _watched(running, outcome), ThreadPoolExecutor(max(at_once, 8)) as pool:
        began = time.monotonic()
        for where in ("/v1/images", _begun(running)):
            outcome.statuses[_large(running, where, mib)] += 1
        outcome.upload_mib_per_second = round(2 * mib / (time.monotonic() - began), 1)
        dawdlers = [_dawdler(running) for _ in range(slow)]
        answers = [pool.submit(lambda: running.send(packed).status_code) for _ in range(at_once)]
        aborts = [pool.submit(_abort, running, packed, chance.random()) for _ in range(aborted)]
        for one in answers:
            outcome.statuses[f"at once {one.result()}"] += 1
        for abort in aborts:
            abort.result()
        for connection in dawdlers:
            connection.close()
    until(lambda: not _incoming(running) or None, 60)
    outcome.left_behind = len(_incoming(running))
    running.client.close()
    running.client = httpx.Client(base_url=running.url, timeout=120)
    until(lambda: _descriptors(running) - before <= 4 or None, 60)
    outcome.descriptors_more = _descriptors(running) - before
    return outcome


def _large(running: Service, where: str, mib: int) -> str:
    """Send that many MiB that are no image; they come in whole, and are refused."""
    method = "POST" if where == "/v1/images" else "PUT"

    def body() -> Iterator[bytes]:
        for _ in range(mib):
            yield _BLOCK

    headers = {"Content-Length": str(mib * _MIB)}
    answer = httpx.request(
        method, f"{running.url}{where}", content=body(), headers=headers, timeout=900
    )
    if method == "PUT":
        httpx.delete(f"{running.url}{where.rsplit('/files/', 1)[0]}")
    return f"{method} {answer.status_code}"


def _begun(running: Service) -> str:
    return f"/v1/uploads/{running.client.post('/v1/uploads').json()['id']}/files/large"


def _connected(running: Service, length: int) -> socket.socket:
    host, port = running.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"POST /v1/images HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def _dawdler(running: Service) -> socket.socket:
    connection = _connected(running, 4 * _MIB)
    connection.sendall(b"x" * 300_000)
    return connection


def _abort(running: Service, body: bytes, part: float) -> None:
    with _connected(running, len(body)) as connection:
        connection.sendall(body[: int(part * len(body))])


@contextmanager
def _watched(running: Service, outcome: Outcome) -> Iterator[None]:
    over, waits = threading.Event(), list[float]()

    def watch() -> None:
        with httpx.Client(base_url=running.url, timeout=60) as client:
            while not over.wait(0.05):
                began = time.monotonic()
                client.get("/healthz").raise_for_status()
                waits.append(time.monotonic() - began)
                outcome.most_mib = max(outcome.most_mib, _rss(running))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        outcome.health_asked = len(waits)
        outcome.health_p99_seconds = round(sorted(waits)[int(0.99 * (len(waits) - 1))], 3)


def _rss(running: Service) -> float:
    for line in Path(f"/proc/{running.pid('api')}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return round(int(line.split()[1]) / 1024, 1)
    raise AssertionError


def _descriptors(running: Service) -> int:
    return len(os.listdir(f"/proc/{running.pid('api')}/fd"))


def _incoming(running: Service) -> list[Path]:
    return list((running.settings.data / "tenants" / "local" / "incoming").iterdir())


def main() -> None:
    """Run a campaign and print its counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--slow", type=int, default=48)
    parser.add_argument("--aborted", type=int, default=500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        os.environ["PYTHONPATH"] = install_detectors(scratch / "site")
        with service(scratch / "data", quiet=True) as running:
            outcome = campaign(
                running, scratch, asked.mib, asked.at_once, asked.slow, asked.aborted
            )
    for name, value in vars(outcome).items():
        print(f"{name}: {dict(value) if isinstance(value, Counter) else value}")  # noqa: T201


if __name__ == "__main__":
    main()
