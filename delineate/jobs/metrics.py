"""Numbers about the service for Prometheus: never an id, never a name that a client chose.

Each process writes its own into files of one folder, which the supervisor empties at the start and
names in ``PROMETHEUS_MULTIPROC_DIR``; whichever process is asked adds them up. A process that was
started otherwise tells its own only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import generate_latest as written
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from delineate.jobs.job import jobs

__all__ = ["MEDIA_TYPE", "Stages", "attempt", "exposition", "memory", "request"]

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
if _FOLDER:
    Path(_FOLDER).mkdir(parents=True, exist_ok=True)  # before the first number is written there

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SLOW = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
# Stages that delineate itself goes through; what a plugin calls its own is "detecting".
_STAGES = frozenset({"starting", "reading", "saving"})

_requests = Counter(
    "delineate_requests", "Answers by call and status.", ["method", "route", "status"]
)
_request_seconds = Histogram(
    "delineate_request_seconds",
    "From a request to the end of its answer.",
    ["route"],
    buckets=_FAST,
)
_received = Counter("delineate_received_bytes", "Bytes of bodies that came in.", ["route"])
_attempts = Counter(
    "delineate_attempts", "Attempts at jobs by how they ended.", ["detector", "outcome"]
)
_attempt_seconds = Histogram(
    "delineate_attempt_seconds", "From the start of an attempt to its end.", ["detector"],
    buckets=_SLOW,
)  # fmt: skip
_stage_seconds = Histogram(
    "delineate_stage_seconds", "Time that attempts spent in a stage.", ["stage"], buckets=_SLOW
)
_memory = Gauge(
    "delineate_resident_bytes",
    "Memory of a process when it last said.",
    ["process"],
    multiprocess_mode="mostrecent",
)


def request(method: str, route: str, status: int, seconds: float, received: int) -> None:
    """Count an answer; ``route`` is a template, or empty for the page and for what is nowhere."""
    route = route or "page"
    _requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
    _request_seconds.labels(route).observe(seconds)
    if received:
        _received.labels(route).inc(received)


def attempt(detector: str, outcome: str, seconds: float) -> None:
    """Count an attempt at a job; ``outcome`` is ``done`` or the class of what went wrong."""
    _attempts.labels(detector, outcome).inc()
    _attempt_seconds.labels(detector).observe(seconds)


class Stages:
    """Measures how long an attempt spends in each stage."""

    def __init__(self) -> None:
        self._stage, self._began = "starting", time.monotonic()

    def enter(self, stage: str) -> None:
        """The stage that begins; the same again changes nothing."""
        stage = stage if stage in _STAGES else "detecting"
        if stage != self._stage:
            self.end()
            self._stage = stage

    def end(self) -> None:
        """The last one is over."""
        now = time.monotonic()
        _stage_seconds.labels(self._stage).observe(now - self._began)
        self._began = now


def memory(process: str) -> None:
    """Tell how much memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    _memory.labels(process).set(pages * os.sysconf("SC_PAGE_SIZE"))


def exposition(database: sa.Engine) -> bytes:
    """All numbers, as Prometheus reads them."""
    if _FOLDER:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        found = written(registry)
    else:
        found = written(REGISTRY)
    own = CollectorRegistry()
    own.register(_Queues(database))
    return found + written(own)


class _Queues(Collector):
    """How many jobs wait and run, and for how long the oldest has."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def collect(self) -> Iterator[Any]:
        """See `Collector`."""
        depth = GaugeMetricFamily("delineate_jobs", "Jobs by state.", labels=["queue", "state"])
        age = GaugeMetricFamily(
            "delineate_oldest_job_seconds",
            "Age of the oldest job in that state.",
            labels=["queue", "state"],
        )
        with self._database.connect() as connection:
            found = connection.execute(
                sa.select(jobs.c.queue, jobs.c.state, sa.func.count(), sa.func.min(jobs.c.created))
                .where(jobs.c.state.in_(("queued", "running")))
                .group_by(jobs.c.queue, jobs.c.state)
            ).all()
        for queue, state, count, oldest in found:
            depth.add_metric([queue, state], count)
            passed = datetime.now(UTC) - datetime.fromisoformat(oldest)
            age.add_metric([queue, state], passed.total_seconds())
        yield from (depth, age)
