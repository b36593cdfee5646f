"""One database for our jobs and for the engine, so that one transaction can write to both."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import InterfaceError, OperationalError

__all__ = ["connect", "patiently"]

T = TypeVar("T")


def connect(url: str) -> sa.Engine:
    """Connection pool for a SQLAlchemy URL, ``sqlite:///...`` or ``postgresql://...``.

    SQLite is set to its write-ahead log, so that readers never wait, and to wait up to 30 s for
    its one writer.
    """
    address = sa.make_url(url)
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
        return sa.create_engine(address, pool_pre_ping=True, pool_size=10)
    engine = sa.create_engine(address, pool_size=10)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # IMMEDIATE: two transactions that read and then write would else deadlock at the write.
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "foreign_keys=ON", "journal_mode=WAL"):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine


def patiently(call: Callable[[], T], patience: float = 120.0) -> T:
    """Call until the database answers, for at most ``patience`` seconds."""
    deadline, pause = time.monotonic() + patience, 0.1
    while True:
        try:
            return call()
        except (OperationalError, InterfaceError):
            if time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 3.0)
