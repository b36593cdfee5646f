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

__all__ = ["Disk", "room", "sync", "sync_early"]

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


def sync(folder: Path) -> None:
    """Have the files of a folder reach the disk before anything refers to them."""
    with ThreadPoolExecutor(_SYNCED_AT_ONCE) as threads:
        list(threads.map(_sync, folder.rglob("*")))
    _sync(folder)


def sync_early(folder: Path) -> None:
    """Begin what `sync` will complete, while the files may already be moved elsewhere."""
    with ThreadPoolExecutor(_SYNCED_AT_ONCE) as threads:
        list(threads.map(_sync_if_there, folder.iterdir()))


def _sync_if_there(path: Path) -> None:
    with suppress(FileNotFoundError), room():
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
