"""A job: its row in the database and the value that the rest of delineate sees."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from delineate.jobs.database import metadata

__all__ = ["LOCAL_TENANT", "PRIORITIES", "TENANT", "Job", "State", "ended", "jobs", "new_id", "now"]

State = Literal["queued", "running", "done", "failed", "cancelled"]

TENANT = "[a-z0-9-]{1,32}"
LOCAL_TENANT = "local"
PRIORITIES = range(10)

jobs = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("stage", sa.String(100), nullable=False, default=""),
    sa.Column("progress", sa.Float, nullable=False, default=0.0),
    sa.Column("error_code", sa.String(100)),
    sa.Column("error_message", sa.String(2000)),
    sa.Column("image_id", sa.String(64), nullable=False),
    sa.Column("series", sa.String(200), nullable=False),
    sa.Column("detector", sa.String(200), nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("modality", sa.String(16)),
    # The number of the attempt that may write; what an older one still says is refused.
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("crashes", sa.Integer, nullable=False, default=0),
    sa.Column("cancelling", sa.Boolean, nullable=False, default=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("started", sa.String(32)),
    sa.Column("finished", sa.String(32)),
    sa.Column("tenant", sa.String(32), nullable=False, server_default=LOCAL_TENANT),
    sa.Column("queue", sa.String(32), nullable=False, server_default="default"),
    sa.Column("priority", sa.Integer, nullable=False, server_default="5"),
    sa.Column("key", sa.String(200)),
    sa.Column("retry_of", sa.String(26)),
    # Failed through no fault of its input: worth another try once the cause is mended.
    sa.Column("dead", sa.Boolean, nullable=False, server_default=sa.false()),
    # The turn that the engine gave and the job was taken with, and the worker that took it.
    sa.Column("turn", sa.String(64)),
    sa.Column("worker", sa.String(100)),
    # Why earlier attempts ended.
    sa.Column("causes", sa.JSON, nullable=False, server_default="[]"),
    sa.Index("ix_job_tenant_key", "tenant", "key", unique=True),
    sa.Index("ix_job_queue_state", "queue", "state"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of the table."""

    id: str
    state: State
    stage: str
    progress: float
    error_code: str | None
    error_message: str | None
    image_id: str
    series: str
    detector: str
    options: Mapping[str, Any]
    modality: str | None
    attempts: int
    crashes: int
    cancelling: bool
    created: str
    started: str | None
    finished: str | None
    tenant: str
    queue: str
    priority: int
    key: str | None
    retry_of: str | None
    dead: bool
    turn: str | None
    worker: str | None
    causes: Sequence[str]

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Job:
        """The job of a row."""
        return cls(**row._asdict())

    @property
    def ended(self) -> bool:
        """Whether nothing about it changes any more."""
        return self.state not in ("queued", "running")

    def to_json(self) -> dict[str, Any]:
        """As ``docs/rest.md`` shows it."""
        error = {"code": self.error_code, "message": self.error_message}
        return {
            "id": self.id,
            "state": self.state,
            "stage": self.stage,
            "progress": round(self.progress, 3),
            "error": error if self.error_code else None,
            "dead": self.dead,
            "image_id": self.image_id,
            "series": self.series,
            "detector": self.detector,
            "options": dict(self.options),
            "modality": self.modality,
            "queue": self.queue,
            "priority": self.priority,
            "attempts": self.attempts,
            "causes": list(self.causes),
            "retry_of": self.retry_of,
            "created": self.created,
            "started": self.started,
            "finished": self.finished,
        }


def ended(state: State, error: Exception | None = None, *, dead: bool = False) -> dict[str, Any]:
    """What the row says of a job that has come to an end."""
    values: dict[str, Any] = {"state": state, "stage": "", "finished": now(), "dead": dead}
    if state == "done":
        values["progress"] = 1.0
    if error is not None:
        values |= {"error_code": type(error).__name__, "error_message": str(error)[:2000]}
    return values


def now(shift: float = 0.0) -> str:
    """The time in so many seconds, as the table keeps it; sorts as text."""
    moment = datetime.fromtimestamp(time.time() + shift, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id() -> str:
    """A ULID: 48 bits of milliseconds, then 80 random ones; ids sort by age."""
    number = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10))
    return "".join(_DIGITS[(number >> (5 * place)) & 31] for place in reversed(range(26)))
