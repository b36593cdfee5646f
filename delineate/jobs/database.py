"""One database for our jobs and for the engine, so that one transaction can write to both."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import InterfaceError, OperationalError

from delineate.errors import StorageFullError, UnavailableError

__all__ = ["connect", "metadata", "migrate", "patiently"]

T = TypeVar("T")

# All our tables are declared on this; the migrations make them so.
metadata = sa.MetaData()


def connect(url: str) -> sa.Engine:
    """Connection pool for a SQLAlchemy URL, ``sqlite:///...`` or ``postgresql://...``.

    SQLite is set to its write-ahead log, so that readers never wait, and to wait up to 30 s for
    its one writer.
    """
    address = sa.make_url(url)
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
        engine = sa.create_engine(
            address, pool_pre_ping=True, pool_size=10, connect_args=_noticing(address)
        )
        sa.event.listen(engine, "handle_error", _tell_full)
        return engine
    engine = sa.create_engine(address, pool_size=10)
    sa.event.listen(engine, "handle_error", _tell_full)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # IMMEDIATE: two transactions that read and then write would else deadlock at the write.
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "foreign_keys=ON", "journal_mode=WAL"):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine


def _tell_full(context: sa.engine.ExceptionContext) -> None:
    """Have a full disk told as such."""
    error = context.original_exception
    if getattr(error, "sqlstate", "") == "53100" or "disk is full" in str(error):
        raise StorageFullError(
            "the disk of the database is full; remove results or images, or ask who runs this "
            "service"
        ) from error


def _noticing(address: sa.URL) -> dict[str, Any]:
    """Have both ends notice within about six seconds that the other cannot be reached.

    Without it the server would keep the locks of a machine that lost its power for two hours.
    """
    own = {"keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 3}
    ends = {**own, "tcp_user_timeout": 6000, "connect_timeout": 6}
    server = " ".join(f"-c tcp_{name}={value}" for name, value in own.items())
    options = f"{address.query.get('options', '')} {server} -c tcp_user_timeout=6000".strip()
    return {**ends, "options": options}


def migrate(database: sa.Engine) -> None:
    """Bring our tables to the newest version, all of it or nothing."""
    from alembic import command
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.ERROR)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    with database.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def patiently(call: Callable[[], T], patience: float = 120.0) -> T:
    """Call until database, storage and disk let it, for at most ``patience`` seconds."""
    deadline, pause = time.monotonic() + patience, 0.1
    while True:
        try:
            return call()
        except (OperationalError, InterfaceError, UnavailableError, StorageFullError):
            if time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 3.0)
