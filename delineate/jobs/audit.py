"""The audit: who did what to which image or job, when, and how it ended. Only ever added to.

Each entry's digest is over its own fields and the digest before it, so that an entry that was
changed, or taken out of the middle, shows. Whoever can write to the database can still make the
whole chain anew, or cut its end off: against that the last number and digest are told to the log
now and then and by ``delineate audit --verify``, to be kept where that person cannot write.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from delineate.errors import DelineateError
from delineate.jobs.database import metadata
from delineate.jobs.job import now

__all__ = ["AuditBrokenError", "AuditTrail", "Deed", "Entry", "Head"]

_FIRST = "0" * 64
_LOCK = 0x64656C6961756469  # "deliaudi": PostgreSQL's advisory lock of whoever adds

_audit = sa.Table(
    "audit",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("moment", sa.String(32), nullable=False),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("tenant", sa.String(32), nullable=False),
    sa.Column("action", sa.String(200), nullable=False),
    sa.Column("object", sa.String(200), nullable=False),
    sa.Column("outcome", sa.Integer, nullable=False),
    sa.Column("request", sa.String(16), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)


class AuditBrokenError(DelineateError):
    """The audit was changed by somebody who should not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What somebody did.

    Parameters
    ----------
    who, tenant
        Name of a key or of a token's subject, and whose images it sees; empty for a stranger.
    action
        Method and template of a call (``GET /v1/images/{image_id}``), or a command.
    object
        Ids that we made or UIDs; never what a client made up.
    outcome
        The HTTP status, or 0 for a command.
    request
        Id of the request, as in the log and in ``X-Request-Id``.
    """

    who: str
    tenant: str
    action: str
    object: str = ""
    outcome: int = 0
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Deed):
    """A deed with its place in the chain."""

    number: int
    moment: str
    digest: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: the number of its last entry, from 1, and that entry's digest."""

    number: int
    digest: str

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


class AuditTrail:
    """The audit of one service."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def add(self, deeds: Sequence[Deed]) -> Head:
        """Append deeds, all or none; the end of the chain then."""
        with self._database.begin() as connection:
            if self._database.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            else:  # before the end is read, not only before the first is written
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            head = _head(connection)
            for deed in deeds:
                fields = {"number": head.number + 1, "moment": now(), **asdict(deed)}
                head = Head(head.number + 1, _digest(fields, head.digest))
                connection.execute(sa.insert(_audit).values(**fields, digest=head.digest))
        return head

    def head(self) -> Head:
        """The end of the chain now."""
        with self._database.connect() as connection:
            return _head(connection)

    def entries(self, *, tenant: str | None = None, last: int | None = None) -> Generator[Entry]:
        """The entries from the first to the last, or the ``last`` so many; of one tenant or all."""
        wanted = sa.select(_audit)
        if tenant is not None:
            wanted = wanted.where(_audit.c.tenant == tenant)
        if last is not None:
            newest = wanted.order_by(_audit.c.number.desc()).limit(last).subquery()
            wanted = sa.select(newest).order_by(newest.c.number)
        else:
            wanted = wanted.order_by(_audit.c.number)
        with (
            self._database.connect() as connection,
            connection.execution_options(yield_per=1000).execute(wanted) as rows,
        ):
            for row in rows:
                yield Entry(**row._asdict())

    def verify(self, known: Head | None = None) -> Head:
        """Check the chain from its first entry.

        Parameters
        ----------
        known
            An end of the chain that was noted before; it has to be in it.

        Raises
        ------
        AuditBrokenError
            Says at which entry it broke.
        """
        head = Head(0, _FIRST)
        with closing(self.entries()) as entries:
            for entry in entries:
                fields: dict[str, Any] = asdict(entry)
                digest = fields.pop("digest")
                if entry.number != head.number + 1:
                    raise AuditBrokenError(
                        f"entries {head.number + 1} to {entry.number - 1} of the audit are missing"
                    )
                if _digest(fields, head.digest) != digest:
                    raise AuditBrokenError(
                        f"entry {entry.number} of the audit, or one before it, was changed"
                    )
                head = Head(entry.number, digest)
                if known is not None and known.number == head.number and known.digest != digest:
                    raise AuditBrokenError(f"the audit up to entry {known.number} was written anew")
        if known is not None and known.number > head.number:
            raise AuditBrokenError(
                f"the audit ends at entry {head.number}, and there were {known.number}"
            )
        return head


def _head(connection: sa.Connection) -> Head:
    row = connection.execute(
        sa.select(_audit.c.number, _audit.c.digest).order_by(_audit.c.number.desc()).limit(1)
    ).one_or_none()
    return Head(0, _FIRST) if row is None else Head(row.number, row.digest)


def _digest(fields: dict[str, Any], before: str) -> str:
    told = json.dumps(fields, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}{told}".encode()).hexdigest()
