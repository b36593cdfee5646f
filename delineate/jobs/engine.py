"""The durable queue: DBOS Transact behind three methods.

Everything that is DBOS's own stays in this module and in `reaper`. The arguments that it stores
are job ids; what a job is about stands in our own table.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer

from delineate.jobs.database import connect
from delineate.jobs.settings import Settings
from delineate.jobs.table import JobTable

__all__ = ["DurableQueue", "Engine", "launch", "prepare"]

APPLICATION = "delineate"
QUEUE = "delineate-jobs"
WORKFLOW = "delineate.job"
# Pinned: DBOS derives it from the code by default and leaves jobs of older code lying.
VERSION = "1"
_POLL_SECONDS = 0.25


class Engine(Protocol):
    """What the rest of delineate knows of the engine."""

    def enqueue(self, connection: sa.Connection, job_id: str) -> None:
        """Have a job worked off, once the connection's transaction is committed."""
        ...

    def ended(self, job_ids: Sequence[str]) -> dict[str, bool]:
        """Which of these jobs the engine knows, and whether it has ended with each."""
        ...


class DurableQueue:
    """Hands jobs to whichever worker is free; runs nothing itself."""

    def __init__(self, database: sa.Engine) -> None:
        self._client = DBOSClient(
            system_database_engine=database,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            retry_connection_errors=False,
        )

    def enqueue(self, connection: sa.Connection, job_id: str) -> None:
        """See `Engine`."""
        self._client.enqueue_in_transaction(
            connection,
            {
                "workflow_name": WORKFLOW,
                "queue_name": QUEUE,
                "workflow_id": job_id,
                "app_version": VERSION,
            },
            job_id,
        )

    def ended(self, job_ids: Sequence[str]) -> dict[str, bool]:
        """See `Engine`."""
        if not job_ids:
            return {}
        found = self._client.list_workflows(
            workflow_ids=list(job_ids), load_input=False, load_output=False
        )
        open_states = ("ENQUEUED", "DELAYED", "PENDING")
        return {one.workflow_id: one.status not in open_states for one in found}


def prepare(settings: Settings) -> sa.Engine:
    """Create or update the tables, ours and the engine's; the database, ready to use."""
    settings.data.mkdir(parents=True, exist_ok=True)
    logging.getLogger("dbos").setLevel(logging.ERROR)
    with (settings.data / "prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one process at a time, whichever comes first
        database = connect(settings.database_url)
        DBOS.migrate(settings.database_url)
        JobTable(database).create()
    return database


def launch(
    settings: Settings, database: sa.Engine, name: str, perform: Callable[[str], None]
) -> None:
    """Take jobs from the queue, one at a time, until the process ends.

    Jobs that a worker of this name held when it died are taken up again first.

    Parameters
    ----------
    settings, database
        As ``prepare`` left them.
    name
        Name of the worker; its lock is held.
    perform
        Does a job, given its id. May be called again for the same job.
    """
    config: DBOSConfig = {
        "name": APPLICATION,
        "system_database_url": settings.database_url,
        "system_database_engine": database,
        "executor_id": name,
        "application_version": VERSION,
        "serializer": DBOSPortableJSONSerializer(),
        "run_migrations": False,
        "log_level": "ERROR",
        "scheduler_polling_interval_sec": 3600.0,
    }
    DBOS(config=config)

    @DBOS.step(name="perform")
    def step(job_id: str) -> None:
        perform(job_id)

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=settings.max_attempts)
    def work(job_id: str) -> None:
        step(job_id)

    DBOS.listen_queues([QUEUE])
    DBOS.launch()
    DBOS.register_queue(
        QUEUE,
        worker_concurrency=1,
        polling_interval_sec=_POLL_SECONDS,
        on_conflict="always_update",
    )
