"""Which workers are alive: each holds a lock that is dropped when it dies.

On SQLite, and so on one machine, it is a lock on a file, which the system drops. On PostgreSQL it
is an advisory lock, which the server drops with the worker's connection.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from delineate.jobs.database import metadata
from delineate.jobs.job import now
from delineate.jobs.settings import Settings

__all__ = ["Presence", "workers"]

workers = sa.Table(
    "worker",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("queue", sa.String(32), nullable=False),
    sa.Column("machine", sa.String(255), nullable=False),
    sa.Column("started", sa.String(32), nullable=False),
)

_LOCK_CLASS = 0x64656C69
_PING_SECONDS = 0.5


class _Locks(Protocol):
    """Locks with names, of which nothing is left once their holder has died."""

    def take(self, name: str, held: ExitStack, again: Callable[[], None]) -> bool:
        """Take a lock, until ``held`` is closed; ``False`` if somebody else has it.

        ``again`` is called whenever it was lost and taken again meanwhile.
        """
        ...

    def taken(self, name: str) -> bool:
        """Whether somebody has it."""
        ...


class Presence:
    """The roll of the workers of one service."""

    def __init__(self, settings: Settings, database: sa.Engine) -> None:
        self._database = database
        self._locks: _Locks = (
            _ServerLocks(database)
            if database.dialect.name == "postgresql"
            else _FileLocks(settings.workers)
        )

    @contextmanager
    def hold(self, name: str, queue: str, patience: float = 20.0) -> Iterator[None]:
        """Be the worker ``name`` of a queue for the time of the block.

        Raises
        ------
        TimeoutError
            If another process still is after ``patience`` seconds.
        """
        deadline = time.monotonic() + patience
        with ExitStack() as held:
            while not self._locks.take(name, held, partial(self._enrol, name, queue)):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another process runs as worker {name!r}")
                time.sleep(0.05)
            self._enrol(name, queue)
            yield

    def held(self, name: str) -> bool:
        """Whether some process is the worker ``name``."""
        return self._locks.taken(name)

    def alive(self, queue: str | None = None) -> tuple[str, ...]:
        """Names of the workers that live, of one queue or of all, in order."""
        wanted = sa.select(workers.c.name).order_by(workers.c.name)
        if queue is not None:
            wanted = wanted.where(workers.c.queue == queue)
        with self._database.connect() as connection:
            names = connection.execute(wanted).scalars().all()
        return tuple(name for name in names if self.held(name))

    def forget(self, name: str) -> None:
        """Strike a worker that has died off the roll."""
        with self._database.begin() as connection:
            connection.execute(sa.delete(workers).where(workers.c.name == name))

    def _enrol(self, name: str, queue: str) -> None:
        with self._database.begin() as connection:
            connection.execute(sa.delete(workers).where(workers.c.name == name))
            row = {"name": name, "queue": queue, "machine": socket.gethostname()}
            connection.execute(sa.insert(workers).values(**row, started=now()))


class _FileLocks:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, name: str, held: ExitStack, again: Callable[[], None]) -> bool:
        """See `_Locks`; the system never takes one away."""
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        if _locked(descriptor, fcntl.LOCK_EX):
            held.callback(os.close, descriptor)
            return True
        os.close(descriptor)
        return False

    def taken(self, name: str) -> bool:
        """See `_Locks`."""
        try:
            descriptor = os.open(self._folder / f"{name}.lock", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            # A shared lock: two that look at once do not take each other for the worker.
            return not _locked(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _ServerLocks:
    """Advisory locks of PostgreSQL, each on a connection of its own.

    A server that restarts drops them: a thread notices within a second or so and takes the lock
    again once the server is back.
    """

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def take(self, name: str, held: ExitStack, again: Callable[[], None]) -> bool:
        """See `_Locks`."""
        connection = self._connected(name)
        if connection is None:
            return False
        ended = threading.Event()
        keeper = threading.Thread(
            target=self._keep, args=(name, connection, ended, again), daemon=True, name="presence"
        )
        keeper.start()
        held.callback(keeper.join, 5.0)
        held.callback(ended.set)
        return True

    def taken(self, name: str) -> bool:
        """See `_Locks`."""
        found = sa.text(
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = pg_locks.database "
            "WHERE locktype = 'advisory' AND granted AND datname = current_database() "
            "AND classid = CAST(:kind AS oid) AND objid = CAST(:name AS oid) AND objsubid = 2"
        )
        values = {"kind": str(_LOCK_CLASS), "name": str(_number(name))}
        with self._database.connect() as connection:
            return bool(connection.execute(found, values).scalar_one())

    def _connected(self, name: str) -> sa.Connection | None:
        """A connection that holds the lock; ``None`` if another one does."""
        connection = self._database.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # the pool may open another in its place
        number = _number(name)
        values = {"kind": _LOCK_CLASS, "name": number - 2**32 if number >= 2**31 else number}
        took = sa.text("SELECT pg_try_advisory_lock(CAST(:kind AS int), CAST(:name AS int))")
        if connection.execute(took, values).scalar_one():
            return connection
        connection.close()
        return None

    def _keep(
        self,
        name: str,
        connection: sa.Connection | None,
        ended: threading.Event,
        again: Callable[[], None],
    ) -> None:
        while not ended.wait(_PING_SECONDS):
            with suppress(SQLAlchemyError):
                if connection is not None:
                    connection.execute(sa.text("SELECT 1"))
                    continue
            with suppress(SQLAlchemyError):
                if connection is not None:
                    connection.invalidate()
                    connection.close()
            connection = None
            with suppress(SQLAlchemyError):  # at once: a server that restarts is back soon
                connection = self._connected(name)
                if connection is not None:
                    again()
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()


def _number(name: str) -> int:
    return zlib.crc32(name.encode())
