"""API keys, and the sessions of browsers: who may do what for which tenant.

A key is ``dlk_ID_SECRET``: an id to find it by, and 32 random bytes. Only their SHA-256 is kept.
That is the right hash for a secret that nobody chose: 256 random bits cannot be guessed, so that
a slow hash (bcrypt, argon2), made for the passwords of people, would only make each call slow.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

import sqlalchemy as sa

from delineate.errors import ConflictError, NotFoundError, OptionError, UnauthenticatedError
from delineate.jobs.database import metadata
from delineate.jobs.job import LOCAL_TENANT, TENANT

__all__ = ["LOCAL", "RIGHTS", "Key", "KeyRing", "Principal", "Right", "demand_tenant"]

Right = Literal["read", "upload", "run", "delete", "identify", "admin"]
RIGHTS: tuple[str, ...] = get_args(Right)

_PREFIX = "dlk"
_USED_EVERY = timedelta(minutes=1)

_keys = sa.Table(
    "api_key",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("tenant", sa.String(32), nullable=False),
    sa.Column("scopes", sa.String(200), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("expires", sa.String(32)),
    sa.Column("used", sa.String(32)),
    sa.Column("revoked", sa.String(32)),
    sa.Index("ix_api_key_name", "name", unique=True),
)
_sessions = sa.Table(
    "browser_session",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("key_id", sa.String(16), nullable=False),
    sa.Column("expires", sa.String(32), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the tenant whose images and jobs they see, a name for the audit, their scopes."""

    tenant: str
    name: str
    scopes: frozenset[str]


LOCAL = Principal(LOCAL_TENANT, "local", frozenset(RIGHTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is known of a key; its secret is not."""

    id: str
    name: str
    tenant: str
    scopes: frozenset[str]
    created: str
    expires: str | None
    used: str | None
    revoked: str | None

    @property
    def state(self) -> Literal["usable", "expired", "revoked"]:
        """Whether it opens anything."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= _now() else "usable"


class KeyRing:
    """The keys of one service."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def add(
        self,
        name: str,
        tenant: str,
        scopes: Collection[str],
        lifetime: timedelta | None = None,
    ) -> tuple[Key, str]:
        """Make a key.

        Returns
        -------
        tuple
            What is kept of it, and the key itself, which is kept nowhere.

        Raises
        ------
        OptionError
            If the name, the tenant or a scope is not one.
        ConflictError
            If there is a key of that name, also a revoked one: the audit names keys so.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", name):
            raise OptionError(
                "expected a name of at most 64 letters, digits, '.', '_', '@' and '-', "
                f"got {name!r}"
            )
        demand_tenant(tenant)
        unknown = sorted(set(scopes) - set(RIGHTS))
        if unknown or not scopes:
            got = ", ".join(unknown) or "none"
            raise OptionError(f"expected some of the scopes {', '.join(RIGHTS)}, got {got}")
        key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        row = {
            "id": key_id,
            "name": name,
            "tenant": tenant,
            "scopes": " ".join(right for right in RIGHTS if right in scopes),
            "digest": _digest(secret),
            "created": _now(),
            "expires": _now(lifetime) if lifetime is not None else None,
        }
        try:
            with self._database.begin() as connection:
                kept = connection.execute(sa.insert(_keys).values(row).returning(_keys)).one()
        except sa.exc.IntegrityError:
            raise ConflictError(f"there is a key {name!r} already; choose another name") from None
        return _key(kept), f"{_PREFIX}_{key_id}_{secret}"

    def all(self) -> Sequence[Key]:
        """All keys there ever were, the oldest first."""
        with self._database.connect() as connection:
            rows = connection.execute(sa.select(_keys).order_by(_keys.c.created)).all()
        return [_key(row) for row in rows]

    def revoke(self, name: str) -> Key:
        """Make a key useless from now on, and the sessions that it opened."""
        with self._database.begin() as connection:
            here = sa.and_(_keys.c.name == name, _keys.c.revoked.is_(None))
            connection.execute(sa.update(_keys).where(here).values(revoked=_now()))
            row = connection.execute(sa.select(_keys).where(_keys.c.name == name)).one_or_none()
        if row is None:
            raise NotFoundError(f"no key is called {name!r}; 'delineate keys list' names them")
        return _key(row)

    def principal(self, key: str) -> Principal:
        """Whose key that is.

        Raises
        ------
        UnauthenticatedError
            If it is not known, has expired or was revoked; which of these is not told.
        """
        return _principal(self._opened(key))

    def login(self, key: str, lifetime: timedelta) -> str:
        """Open a session for a browser; the token that stands for it, kept only as its hash."""
        row, token = self._opened(key), secrets.token_urlsafe(32)
        expires = _now(lifetime) if row.expires is None else min(row.expires, _now(lifetime))
        values = {"digest": _digest(token), "key_id": row.id, "expires": expires}
        with self._database.begin() as connection:
            connection.execute(sa.delete(_sessions).where(_sessions.c.expires <= _now()))
            connection.execute(sa.insert(_sessions).values(values))
        return token

    def session(self, token: str) -> Principal:
        """Who opened that session; raises as `principal` does."""
        here = sa.and_(_sessions.c.digest == _digest(token), _sessions.c.expires > _now())
        with self._database.connect() as connection:
            row = connection.execute(
                sa.select(_keys).join(_sessions, _sessions.c.key_id == _keys.c.id).where(here)
            ).one_or_none()
        return _principal(_usable(row))

    def logout(self, token: str) -> None:
        """Close a session, if there is one."""
        with self._database.begin() as connection:
            connection.execute(sa.delete(_sessions).where(_sessions.c.digest == _digest(token)))

    def _opened(self, key: str) -> sa.Row[Any]:
        parts = key.split("_", 2)
        if len(parts) != 3 or parts[0] != _PREFIX:
            raise _unknown()
        with self._database.connect() as connection:
            row = connection.execute(sa.select(_keys).where(_keys.c.id == parts[1])).one_or_none()
        expected = row.digest if row is not None else ""
        if not hmac.compare_digest(_digest(parts[2]), expected):
            raise _unknown()
        row = _usable(row)
        if row.used is None or row.used < _now(-_USED_EVERY):
            with self._database.begin() as connection:
                here = _keys.c.id == row.id
                connection.execute(sa.update(_keys).where(here).values(used=_now()))
        return row


def demand_tenant(name: str) -> None:
    """Raise unless that may be a tenant: its name is a folder."""
    if not re.fullmatch(TENANT, name):
        raise OptionError(
            f"expected a tenant of 1 to 32 lower-case letters, digits and '-', got {name[:40]!r}"
        )


def _usable(row: sa.Row[Any] | None) -> sa.Row[Any]:
    if row is None or _key(row).state != "usable":
        raise _unknown()
    return row


def _unknown() -> UnauthenticatedError:
    return UnauthenticatedError(
        "this key is not known, has expired or was revoked; ask who runs this service for one "
        "('delineate keys add')"
    )


def _key(row: sa.Row[Any]) -> Key:
    fields = row._asdict()
    del fields["digest"]
    return Key(**{**fields, "scopes": frozenset(row.scopes.split())})


def _principal(row: sa.Row[Any]) -> Principal:
    return Principal(row.tenant, row.name, frozenset(row.scopes.split()))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _now(shift: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) + shift).isoformat(timespec="seconds")
