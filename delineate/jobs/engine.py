"""The durable queue: DBOS Transact behind a few names.

Everything that is DBOS's own stays in this module and in `reaper`. What it hands out are turns: a
job brings one turn into its queue, and the worker that gets a turn decides in our own table which
job to spend it on. The arguments that the engine stores are ids and names of queues.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer

from delineate.jobs.database import connect, migrate
from delineate.jobs.settings import Settings
from delineate.jobs.store import adopt

__all__ = ["DurableQueue", "Engine", "launch", "prepare"]

APPLICATION = "delineate"
WORKFLOW = "delineate.turn"
# Pinned: DBOS derives it from the code by default and leaves jobs of older code lying.
VERSION = "2"
_POLL_SECONDS = 0.1
_UNBOUNDED = 10**9
_PREPARE_LOCK = 0x64656C6970726570
_TIDIED_AT_ONCE = 1000
_KEPT = timedelta(days=1)


class Engine(Protocol):
    """What the rest of delineate knows of the engine."""

    def enqueue(self, connection: sa.Connection, turn: str, queue: str) -> None:
        """Have a worker of that queue take a turn, once the transaction is committed."""
        ...

    def ended(self, turns: Sequence[str]) -> dict[str, bool]:
        """Which of these turns the engine knows, and whether they have ended."""
        ...

    def tidy(self, older_than: timedelta = _KEPT) -> None:
        """Forget turns that ended so long ago."""
        ...


class DurableQueue:
    """Hands turns to whichever worker is free; runs nothing itself."""

    def __init__(self, database: sa.Engine) -> None:
        self._client = DBOSClient(
            system_database_engine=database,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            retry_connection_errors=False,
        )

    def enqueue(self, connection: sa.Connection, turn: str, queue: str) -> None:
        """See `Engine`."""
        self._client.enqueue_in_transaction(
            connection,
            {
                "workflow_name": WORKFLOW,
                "queue_name": _engine_queue(queue),
                "workflow_id": turn,
                "app_version": VERSION,
            },
            turn,
            queue,
        )

    def ended(self, turns: Sequence[str]) -> dict[str, bool]:
        """See `Engine`."""
        if not turns:
            return {}
        found = self._client.list_workflows(
            workflow_ids=list(turns), load_input=False, load_output=False
        )
        open_states = ("ENQUEUED", "DELAYED", "PENDING")
        return {one.workflow_id: one.status not in open_states for one in found}

    def tidy(self, older_than: timedelta = _KEPT) -> None:
        """See `Engine`."""
        before = (datetime.now(UTC) - older_than).isoformat()
        while found := self._client.list_workflows(
            name=WORKFLOW,
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before,
            limit=_TIDIED_AT_ONCE,
            load_input=False,
            load_output=False,
        ):
            self._client.delete_workflows([one.workflow_id for one in found])


def _engine_queue(queue: str) -> str:
    return f"{APPLICATION}-{queue}"


def prepare(settings: Settings) -> sa.Engine:
    """Create or update the tables, ours and the engine's; the database, ready to use."""
    settings.data.mkdir(parents=True, exist_ok=True)
    logging.getLogger("dbos").setLevel(logging.ERROR)
    database = connect(settings.database_url)
    with _alone(settings, database):
        migrate(database)
        DBOS.migrate(settings.database_url)
        adopt(settings)
    return database


@contextmanager
def _alone(settings: Settings, database: sa.Engine) -> Iterator[None]:
    """One process at a time, whichever comes first: of this data folder, and of this server."""
    with (settings.data / "prepare.lock").open("w") as lock, database.connect() as connection:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if database.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_PREPARE_LOCK})")
        yield


def launch(
    settings: Settings,
    database: sa.Engine,
    name: str,
    queue: str,
    take: Callable[[str, str], None],
) -> None:
    """Take turns from a queue, one at a time, until the process ends.

    Turns that a worker of this name held when it died are taken again first.

    Parameters
    ----------
    settings, database
        As ``prepare`` left them.
    name
        Name of the worker; its lock is held.
    queue
        The queue whose turns it takes.
    take
        Given a turn and its queue, does jobs. May be called again with the same turn.
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

    @DBOS.step(name="take")
    def step(turn: str, queue: str) -> None:
        take(turn, queue)

    # How often a job may lose its worker is counted in our table.
    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=_UNBOUNDED)
    def work(turn: str, queue: str) -> None:
        step(turn, queue)

    DBOS.listen_queues([_engine_queue(queue)])
    DBOS.launch()
    DBOS.register_queue(
        _engine_queue(queue),
        worker_concurrency=1,
        polling_interval_sec=_POLL_SECONDS,
        on_conflict="always_update",
    )
