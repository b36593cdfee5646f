"""How far a job is, told to its row."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from delineate.errors import StorageFullError
from delineate.jobs.job import Job
from delineate.jobs.metrics import Stages
from delineate.jobs.table import JobTable
from delineate.plugins.contract import Monitor

__all__ = ["RowMonitor"]

_TELL_SECONDS = 0.5


class RowMonitor(Monitor):
    """Tells a job's progress to its row and learns from there that it should stop.

    The database is asked in a thread, twice a second: while it is away the detector runs on.
    """

    def __init__(self, table: JobTable, job: Job) -> None:
        self._table, self._job = table, job
        self._latest: tuple[str, float] = ("starting", 0.0)
        self._ended = threading.Event()
        self._stop = threading.Event()
        self._stages = Stages()
        self._thread = threading.Thread(target=self._tell, daemon=True, name="monitor")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._stages.end()

    def progress(self, fraction: float, stage: str = "") -> None:
        """See `Monitor`."""
        self._latest = (stage or self._latest[0], fraction)
        self._stages.enter(self._latest[0])

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked to stop, or a later attempt has begun."""
        return self._stop.is_set()

    def _tell(self) -> None:
        told: tuple[str, float] | None = None
        while not self._ended.wait(_TELL_SECONDS if told else 0.0):
            latest = self._latest
            try:
                if latest == told:
                    wanted = self._table.wanted(self._job)
                else:
                    wanted = self._table.report(self._job, *latest)
            except (SQLAlchemyError, StorageFullError):
                continue
            finally:
                told = latest
            if not wanted:
                self._stop.set()
