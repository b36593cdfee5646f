"""Mends what a dead process leaves behind: jobs that nobody works on any more."""

from __future__ import annotations

import logging
import threading
import time

from dbos import DBOS

from delineate.jobs.engine import Engine
from delineate.jobs.liveness import Presence
from delineate.jobs.table import JobTable

__all__ = ["Reaper"]

_SWEPT_AT_ONCE = 500
_TIDIED_SECONDS = 3600.0

_log = logging.getLogger(__name__)


class Reaper:
    """Looks after the other workers' jobs; one runs in each worker.

    Open-source DBOS takes up a worker's jobs when a worker of the same name starts again, and
    never notices the death of another.
    """

    def __init__(self, presence: Presence, table: JobTable, engine: Engine, name: str) -> None:
        self._presence, self._table, self._engine = presence, table, engine
        self._name = name
        self._suspects: frozenset[str] = frozenset()

    def start(self, seconds: float = 1.0) -> None:
        """Look around every so many seconds, in a thread, until the process ends."""
        threading.Thread(target=self._run, args=(seconds,), daemon=True, name="reaper").start()

    def bury(self) -> tuple[str, ...]:
        """Give the jobs of dead workers back to the queue.

        Returns
        -------
        tuple of str
            The workers seen without their lock now and the time before: a worker that is just
            starting has none either.
        """
        pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        owners = {one.executor_id for one in pending if one.executor_id}
        silent = frozenset(
            owner for owner in owners - {self._name} if not self._presence.held(owner)
        )
        dead = tuple(sorted(silent & self._suspects))
        self._suspects = silent
        if dead:
            # DBOS has no public call for this; a test holds it to what is expected here.
            DBOS._recover_pending_workflows(list(dead))
        for one in dead:
            self._presence.forget(one)
        return dead

    def sweep(self, older_than: float = 2.0) -> None:
        """Give open jobs, the oldest, another turn if the engine knows none or has ended it."""
        jobs = self._table.open(older_than, limit=_SWEPT_AT_ONCE)
        ended = self._engine.ended([job.turn for job in jobs if job.turn])
        for job in jobs:
            if job.turn is None or ended.get(job.turn, True):
                self._table.hand_over(job, self._engine.enqueue)

    def _run(self, seconds: float) -> None:
        swept = tidied = time.monotonic()
        while True:
            time.sleep(seconds)
            try:
                self.bury()
                if time.monotonic() - swept > 3 * seconds:
                    swept = time.monotonic()
                    self.sweep()
                if time.monotonic() - tidied > _TIDIED_SECONDS:
                    tidied = time.monotonic()
                    self._engine.tidy()
            except Exception as error:  # the database may be away; it is asked again
                _log.warning("reaper: %s", type(error).__name__)
