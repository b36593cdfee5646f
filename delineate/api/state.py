"""What the routes share, for the life of the API process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from anyio import CapacityLimiter
from fastapi import Depends, Request

from delineate.api.desk import Desk
from delineate.api.identity import Identity
from delineate.api.ledger import Ledger
from delineate.jobs.assistant import Assistant
from delineate.jobs.engine import Engine
from delineate.jobs.liveness import Presence
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store
from delineate.jobs.table import JobTable

__all__ = ["Service", "State"]


@dataclass(frozen=True, slots=True)
class State:
    """The service's parts.

    ``reader`` looks into uploads, ``writer`` makes files that somebody asked for, ``librarian``
    knows the plugins, ``judge`` compares results. So many, that none of these waits for another.
    ``disk`` bounds how many threads write uploads, ``desk`` keeps those that come file by file.
    """

    settings: Settings
    database: sa.Engine
    store: Store
    table: JobTable
    engine: Engine
    presence: Presence
    identity: Identity
    ledger: Ledger
    reader: Assistant
    writer: Assistant
    librarian: Assistant
    judge: Assistant
    disk: CapacityLimiter
    desk: Desk


def _state(request: Request) -> State:
    state: State = request.app.state.service
    return state


Service = Annotated[State, Depends(_state)]
