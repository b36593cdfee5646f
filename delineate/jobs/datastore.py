"""What clients of MONAI Label keep beside images: names, labels that people drew, sessions."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from delineate.errors import NotFoundError
from delineate.jobs.database import metadata
from delineate.jobs.job import Job, jobs

__all__ = ["Datastore", "Label", "Session"]

_names = sa.Table(
    "image_name",
    metadata,
    sa.Column("tenant", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("image_id", sa.String(64), nullable=False),
)
_labels = sa.Table(
    "image_label",
    metadata,
    sa.Column("tenant", sa.String(32), primary_key=True),
    # A series' UID, or the id of an image of another format.
    sa.Column("subject", sa.String(200), primary_key=True),
    # Empty for what is told of the image itself.
    sa.Column("tag", sa.String(64), primary_key=True),
    # The label is kept as an image; Markups, which are text, stand here.
    sa.Column("image_id", sa.String(64)),
    sa.Column("markups", sa.Text),
    sa.Column("info", sa.JSON, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
)
_sessions = sa.Table(
    "image_session",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("tenant", sa.String(32), nullable=False),
    sa.Column("image_id", sa.String(64), nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("used", sa.BigInteger, nullable=False),
    sa.Column("expiry", sa.Integer, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label that somebody sent: under which tag, where it is, what is told of it."""

    subject: str
    tag: str
    image_id: str | None
    markups: str | None
    info: Mapping[str, Any]
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An image that is kept for a while; times in seconds, ``expiry`` from the last use on."""

    id: str
    tenant: str
    image_id: str
    created: int
    used: int
    expiry: int


class Datastore:
    """Names, labels and sessions of one service."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def name(self, tenant: str, name: str, image_id: str) -> None:
        """Call an image so; another one that was called so is no longer."""
        with self._database.begin() as connection:
            _put(connection, _names, tenant=tenant, name=name, image_id=image_id)

    def names(self, tenant: str) -> dict[str, str]:
        """Ids of images by the names that clients gave them."""
        wanted = sa.select(_names.c.name, _names.c.image_id).where(_names.c.tenant == tenant)
        with self._database.connect() as connection:
            return {row.name: row.image_id for row in connection.execute(wanted)}

    def named(self, tenant: str, name: str) -> str | None:
        """Id of the image that a client calls so."""
        here = sa.and_(_names.c.tenant == tenant, _names.c.name == name[:255])
        with self._database.connect() as connection:
            return connection.execute(sa.select(_names.c.image_id).where(here)).scalar_one_or_none()

    def keep(
        self,
        tenant: str,
        subject: str,
        tag: str,
        info: Mapping[str, Any],
        *,
        image_id: str | None = None,
        markups: str | None = None,
    ) -> str | None:
        """Keep a label; id of the one it takes the place of."""
        wanted = sa.select(_labels.c.image_id).where(_label(tenant, subject, tag))
        with self._database.begin() as connection:
            before: str | None = connection.execute(wanted).scalar_one_or_none()
            _put(
                connection,
                _labels,
                tenant=tenant,
                subject=subject,
                tag=tag,
                image_id=image_id,
                markups=markups,
                info=dict(info),
                changed=int(time.time()),
            )
        return before

    def label(self, tenant: str, subject: str, tag: str) -> Label:
        """The label of that tag.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        found = [one for one in self.labels(tenant, subject) if one.tag == tag]
        if not found:
            raise NotFoundError(f"this image has no label {tag[:64]!r}")
        return found[0]

    def labels(self, tenant: str, subject: str | None = None) -> Sequence[Label]:
        """All labels, or those of one image."""
        wanted = sa.select(*(_labels.c[name] for name in Label.__slots__))
        wanted = wanted.where(_labels.c.tenant == tenant).order_by(_labels.c.subject, _labels.c.tag)
        if subject is not None:
            wanted = wanted.where(_labels.c.subject == subject)
        with self._database.connect() as connection:
            return [Label(**row._asdict()) for row in connection.execute(wanted)]

    def tell(self, tenant: str, subject: str, tag: str, info: Mapping[str, Any]) -> bool:
        """Set what is told of a label; ``False`` if there is none."""
        with self._database.begin() as connection:
            done = connection.execute(
                sa.update(_labels).where(_label(tenant, subject, tag)).values(info=dict(info))
            )
        return done.rowcount > 0

    def forget(self, tenant: str, subject: str, tag: str | None = None) -> list[str]:
        """Drop a label, or all of an image; ids of the images that they were kept as."""
        here = _label(tenant, subject, tag)
        with self._database.begin() as connection:
            gone = connection.execute(
                sa.delete(_labels).where(here).returning(_labels.c.image_id)
            ).scalars()
            return [one for one in gone if one is not None]

    def forget_names(self, tenant: str, image_id: str) -> None:
        """Drop the names of an image."""
        here = sa.and_(_names.c.tenant == tenant, _names.c.image_id == image_id)
        with self._database.begin() as connection:
            connection.execute(sa.delete(_names).where(here))

    def open_session(self, tenant: str, image_id: str, expiry: int) -> Session:
        """Keep an image until nobody has asked for it in ``expiry`` seconds."""
        now = int(time.time())
        session = Session(
            id=secrets.token_hex(16),
            tenant=tenant,
            image_id=image_id,
            created=now,
            used=now,
            expiry=expiry,
        )
        values = {name: getattr(session, name) for name in Session.__slots__}
        with self._database.begin() as connection:
            connection.execute(sa.insert(_sessions).values(values))
        return session

    def session(self, tenant: str, session_id: str, *, use: bool = False) -> Session:
        """A session that has not expired; with ``use`` its time begins anew.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        now = int(time.time())
        here = sa.and_(
            _sessions.c.tenant == tenant,
            _sessions.c.id == session_id,
            _sessions.c.used + _sessions.c.expiry >= now,
        )
        with self._database.begin() as connection:
            if use:
                connection.execute(sa.update(_sessions).where(here).values(used=now))
            row = connection.execute(sa.select(_sessions).where(here)).one_or_none()
        if row is None:
            raise NotFoundError("there is no such session, or it has expired; send the image again")
        return Session(**row._asdict())

    def sessions(self, tenant: str | None = None) -> Sequence[Session]:
        """All sessions that are not closed, expired ones too; of one tenant, or of all."""
        wanted = sa.select(_sessions)
        if tenant is not None:
            wanted = wanted.where(_sessions.c.tenant == tenant)
        with self._database.connect() as connection:
            return [Session(**row._asdict()) for row in connection.execute(wanted)]

    def close_session(self, session: Session) -> None:
        """Drop a session; its image is the caller's to remove."""
        with self._database.begin() as connection:
            connection.execute(sa.delete(_sessions).where(_sessions.c.id == session.id))

    def jobs_on(self, tenant: str, image_id: str) -> list[str]:
        """Ids of the jobs that looked at an image, or will."""
        wanted = sa.select(jobs.c.id).where(jobs.c.tenant == tenant, jobs.c.image_id == image_id)
        with self._database.connect() as connection:
            return list(connection.execute(wanted).scalars())

    def newest(self, tenant: str, detectors: Collection[str]) -> dict[tuple[str, str], Job]:
        """The last job of these detectors that is done, by id of the image and series."""
        mine = sa.and_(
            jobs.c.tenant == tenant, jobs.c.state == "done", jobs.c.detector.in_(detectors)
        )
        last = (
            sa.select(sa.func.max(jobs.c.id)).where(mine).group_by(jobs.c.image_id, jobs.c.series)
        )
        with self._database.connect() as connection:
            found = [
                Job.of(row)
                for row in connection.execute(sa.select(jobs).where(jobs.c.id.in_(last)))
            ]
        return {(job.image_id, job.series): job for job in found}


def _put(connection: sa.Connection, table: sa.Table, **values: Any) -> None:
    """Insert a row, or set the one of its key so."""
    keys = [column.name for column in table.primary_key]
    others = {name: value for name, value in values.items() if name not in keys}
    kind = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = kind.insert(table).values(values)
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=others))


def _label(tenant: str, subject: str, tag: str | None) -> sa.ColumnElement[bool]:
    here = sa.and_(_labels.c.tenant == tenant, _labels.c.subject == subject)
    return here if tag is None else sa.and_(here, _labels.c.tag == tag)
