"""What is removed by itself: nothing that is needed, nothing that was used lately."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_objects import kept

from delineate.errors import UnknownImageError, UnknownJobError
from delineate.jobs import engine
from delineate.jobs.job import Job
from delineate.jobs.retention import Retention
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store, TenantStore
from delineate.jobs.table import JobTable

OLD, YOUNG, NEEDED = "a" * 64, "b" * 64, "c" * 64
DAY = 24 * 3600.0


class Room:
    """A store and a table without processes."""

    def __init__(self, data: Path, **more: Any) -> None:
        self.settings = Settings(data=data, min_free_bytes=0, retention_days=10, **more)
        self.database = engine.prepare(self.settings)
        self.table = JobTable(self.database)
        self.whole = Store(self.settings)
        self.store: TenantStore = self.whole.of("local")
        self.retention = Retention(self.settings, self.database, self.whole)
        self.data = data

    def job(self, image_id: str, *, end: bool = True, **options: Any) -> Job:
        queued = self.table.submit(
            image_id=image_id,
            series="1",
            detector="test.bright",
            options=options,
            enqueue=lambda connection, turn, queue: None,
        )
        if not end:
            return queued
        running = self.table.begin(queued.id, "default")
        assert running is not None
        folder = self.store.attempt(running)
        folder.mkdir(parents=True)
        (folder / "delineation.json").write_text("{}")
        self.store.publish(running)
        self.table.finish(running, "done", None)
        return self.table.get(running.id, tenant=None)

    def in_days(self, days: float, patch: pytest.MonkeyPatch) -> None:
        later = time.time() + days * DAY
        patch.setattr("delineate.jobs.retention.time.time", lambda: later)


@pytest.fixture(params=["", "file"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    storage = f"file://{tmp_path}/storage" if request.param else ""
    one = Room(tmp_path / "data", storage=storage)
    yield one
    one.database.dispose()


def test_what_was_not_used_for_long_goes_unless_an_open_job_needs_it(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    for image_id in (OLD, NEEDED):
        kept(room.store, image_id)
    done, waiting = room.job(OLD), room.job("d" * 64, end=False, template=NEEDED)
    assert room.retention.purge().jobs == 0

    room.in_days(11, monkeypatch)
    told = room.retention.purge(pretend=True)
    assert (told.jobs, told.images) == (1, 1)
    assert room.store.ids() == [OLD, NEEDED]

    purged = room.retention.purge()

    assert (purged.jobs, purged.images) == (1, 1)
    assert room.store.ids() == [NEEDED]
    with pytest.raises(UnknownImageError):
        room.store.image(OLD)
    with pytest.raises(UnknownJobError):
        room.table.get(done.id, tenant=None)
    assert not room.store.attempt(done).exists()
    assert room.table.get(waiting.id, tenant=None).state == "queued"


def test_an_image_stays_as_long_as_its_last_job(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(room.store, OLD)
    with monkeypatch.context() as later:
        after = time.time() + 9 * DAY
        later.setattr("delineate.jobs.job.time.time", lambda: after)
        room.job(OLD)
    room.in_days(12, monkeypatch)

    assert room.retention.purge().images == 0
    room.in_days(20, monkeypatch)
    assert room.retention.purge().images == 1


def test_a_purge_that_was_killed_between_row_and_files_is_made_good(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = room.job(OLD)
    room.table.forget(done.id, tenant="local")
    assert room.store.attempt(done).exists()

    room.in_days(0.5, monkeypatch)
    assert room.retention.purge().orphans == 1

    assert not room.store.attempt(done).exists()
    assert room.store.results(before=float("inf")) == []


def test_while_the_disk_is_too_full_the_oldest_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(tmp_path, watermark_bytes=2**30)
    for age, image_id in ((2, OLD), (1, YOUNG)):
        kept(room.store, image_id)
        when = time.time() - age * DAY
        path = tmp_path / "tenants" / "local" / "images" / image_id / "image.json"
        os.utime(path, (when, when))
    free = iter([0, 0, 2**31])
    monkeypatch.setattr(Retention, "_is_full", lambda self: next(free, 2**31) < 2**30)

    next(free)
    assert room.retention.purge().images == 1

    assert room.store.ids() == [YOUNG]
    room.database.dispose()


def test_of_copies_those_used_longest_ago_go_and_can_be_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(tmp_path / "data", storage=f"file://{tmp_path}/storage", cache_bytes=6000)
    folders = {
        image_id: tmp_path / "data/tenants/local/images" / image_id for image_id in (OLD, YOUNG)
    }
    for age, image_id in ((5, OLD), (2, YOUNG)):
        kept(room.store, image_id)
        when = time.time() - age * 3600
        os.utime(folders[image_id], (when, when))

    assert room.retention.purge().copies == 1
    assert [one.exists() for one in folders.values()] == [False, True]

    assert room.store.image(OLD).files[0].read_bytes() == b"slice" * 1000
    assert room.retention.purge().copies == 1  # the other: this one was used just now
    assert [one.exists() for one in folders.values()] == [True, False]
    room.database.dispose()
