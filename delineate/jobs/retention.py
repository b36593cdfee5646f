"""What is removed by itself: what nobody has used for long, and copies that can be fetched again.

Nothing is removed that an open job needs. A row goes before its files, so that a purge that is
killed leaves files without a row, which the next one finds, and never a row without files.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from delineate.errors import ConflictError, NotFoundError
from delineate.jobs import dicom_index
from delineate.jobs.job import Job
from delineate.jobs.log import log
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store, TenantStore
from delineate.jobs.table import JobTable

__all__ = ["Purged", "Retention"]

_DAY = 24 * 3600.0
_HOUR = 3600.0


@dataclass(slots=True)
class Purged:
    """What a purge has removed, in numbers."""

    images: int = 0
    jobs: int = 0
    orphans: int = 0
    copies: int = 0


@dataclass(frozen=True, slots=True, order=True)
class _Candidate:
    """Something that may go; the one used longest ago first, a job before its image."""

    used: float
    rank: int
    tenant: str
    name: str


class Retention:
    """Removes images and results of one service."""

    def __init__(self, settings: Settings, database: sa.Engine, store: Store) -> None:
        self._settings, self._database, self._store = settings, database, store
        self._table = JobTable(database)

    @property
    def wanted(self) -> bool:
        """Whether the settings have anything removed by itself."""
        some = self._settings
        return bool(some.retention_days or some.watermark_bytes or some.storage)

    def purge(self, days: float | None = None, *, pretend: bool = False) -> Purged:
        """Remove what was not used for so many days, or while too little of the disk is free.

        Parameters
        ----------
        days
            Those of the settings if ``None``; 0: none is too old.
        pretend
            Count only.
        """
        days = self._settings.retention_days if days is None else days
        purged = Purged()
        oldest = time.time() - days * _DAY if days else 0.0
        for candidate in sorted(self._candidates()):
            if candidate.used >= oldest and (pretend or not self._is_full()):
                break
            self._remove(candidate, purged, pretend)
        if not pretend:
            for store in self._store.tenants(published=True):
                purged.orphans += self._drop_orphans(store)
            purged.copies = self._evict()
        return purged

    def start(self, seconds: float = 600.0) -> None:
        """Purge every so many seconds, in a thread, if the settings want it."""
        if self.wanted:
            threading.Thread(
                target=self._run, args=(seconds,), daemon=True, name="retention"
            ).start()

    def _run(self, seconds: float) -> None:
        while True:
            time.sleep(seconds)
            try:
                log.info("purged", **asdict(self.purge()))
            except Exception as error:  # the database or the storage may be away
                log.warning("not purged", error=type(error).__name__)

    def _is_full(self) -> bool:
        free = shutil.disk_usage(self._settings.data).free
        return free < self._settings.watermark_bytes

    def _candidates(self) -> Iterator[_Candidate]:
        """Jobs that have ended, and images; an image was used when its last job was."""
        used: dict[tuple[str, str], float] = {}
        for job in self._table.all():
            for image_id in (job.image_id, *_named(job)):
                key = (job.tenant, image_id)
                last = float("inf") if not job.ended else _seconds(job.finished or job.created)
                used[key] = max(used.get(key, 0.0), last)
            if job.ended:
                ended = _seconds(job.finished or job.created)
                yield _Candidate(ended, 0, job.tenant, job.id)
        for store in self._store.tenants(published=True):
            for image_id in store.ids():
                last = used.get((store.tenant, image_id), 0.0)
                if last != float("inf"):
                    since = store.kept_since(image_id)
                    yield _Candidate(max(since, last), 1, store.tenant, image_id)

    def _remove(self, one: _Candidate, purged: Purged, pretend: bool) -> None:
        store = self._store.of(one.tenant)
        try:
            if one.rank == 0:
                purged.jobs += 1
                if not pretend:
                    self._table.forget(one.name, tenant=one.tenant)
                    store.remove_results(one.name)
                    dicom_index.forget(self._database, one.tenant, "job", one.name)
            elif self._table.needing(one.tenant, one.name) is None:
                purged.images += 1
                if not pretend:
                    dicom_index.forget(self._database, one.tenant, "image", one.name)
                    store.remove_image(one.name)
        except (ConflictError, NotFoundError):  # somebody else was quicker
            return

    def _drop_orphans(self, store: TenantStore) -> int:
        """Remove results without a job, and what a killed process left half fetched."""
        known = {job.id for job in self._table.all() if job.tenant == store.tenant}
        orphans = [name for name in store.results(before=time.time() - _HOUR) if name not in known]
        for name in orphans:
            store.remove_results(name)
        return len(orphans) + store.drop_stale(time.time() - _DAY)

    def _evict(self) -> int:
        """Remove copies of what the storage has, the one used longest ago first."""
        if not self._settings.storage:
            return 0
        stores = self._store.tenants()
        copies = sorted(
            (copy.used, copy.bytes, number, copy.folder)
            for number, store in enumerate(stores)
            for copy in store.copies()
        )
        kept, removed = sum(size for _, size, _, _ in copies), 0
        for used, size, number, folder in copies:
            recent = used > time.time() - _HOUR  # somebody may be reading it
            if recent or (kept <= self._settings.cache_bytes and not self._is_full()):
                break
            if stores[number].drop_copy(folder):
                kept -= size
                removed += 1
        return removed


def _named(job: Job) -> list[str]:
    """The images that a job's options name."""
    return [one for one in job.options.values() if isinstance(one, str)]


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
