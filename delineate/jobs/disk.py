"""Room on the disk, and that what was written is on it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from delineate.errors import StorageFullError
from delineate.jobs.settings import Settings

__all__ = ["Disk", "State", "room", "sync", "sync_file"]

_SYNCED_AT_ONCE = 8  # a journal commits them together


class Disk:
    """The disk that the data folder lies on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def check_room(self, coming: int = 0) -> None:
        """Refuse what would fill the disk.

        Raises
        ------
        StorageFullError
            If less than the room to leave were left after ``coming`` more bytes.
        """
        free = shutil.disk_usage(self._settings.data).free
        if free - coming < self._settings.min_free_bytes:
            raise StorageFullError(
                f"{free // 2**20} MiB are free, and {self._settings.min_free_bytes // 2**20} MiB "
                "have to stay so; remove results or images, or ask who runs this service"
            )


@contextmanager
def room() -> Iterator[None]:
    """Say that the disk is full as `StorageFullError`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFullError(
                "the disk is full; remove results or images, or ask who runs this service"
            ) from error
        raise


State = tuple[int, int, int]
"""Inode, moment of the last change of its contents, size: what a rename leaves as it is."""


def sync(folder: Path, but: frozenset[State] = frozenset()) -> None:
    """Have the files of a folder reach the disk before anything refers to them.

    Those of ``but`` have, as `sync_file` said; that they lie here is written all the same.
    """
    with ThreadPoolExecutor(_SYNCED_AT_ONCE) as threads:
        list(threads.map(lambda path: _state(path) in but or _sync(path), folder.rglob("*")))
    _sync(folder)


def sync_file(path: Path) -> State | None:
    """Have a file reach the disk; ``None`` if it is elsewhere by now."""
    with suppress(FileNotFoundError), room():
        return _sync(path)
    return None


def _state(path: Path) -> State:
    return _told(path.stat())


def _told(found: os.stat_result) -> State:
    return found.st_ino, found.st_mtime_ns, found.st_size


def _sync(path: Path) -> State:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        state = _told(os.fstat(descriptor))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return state
