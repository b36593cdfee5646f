"""The uploads of a service that come file by file: begun, found again, dropped after a while."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from delineate.errors import ConflictError, UnknownUploadError
from delineate.jobs.intake import Upload, touched, unknown, write_whole
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store, TenantStore, room

__all__ = ["Ingest"]

_WARM = 16
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Ingest:
    """All uploads of one service that come file by file."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._lock = threading.Lock()
        # Those in use, by folder, and the last few of them: a journal is read seldom.
        self._known: WeakValueDictionary[Path, Upload] = WeakValueDictionary()
        self._warm: deque[Upload] = deque(maxlen=_WARM)

    def begin(self, store: TenantStore, reading: dict[str, Any]) -> Upload:
        """Open an upload.

        Parameters
        ----------
        store
            Of the tenant.
        reading
            ``uneven`` and ``spacing_mm``, as for `formats.read`.

        Raises
        ------
        ConflictError
            If too many are open.
        """
        self._store.check_room()
        most = self._settings.max_uploads
        if sum(1 for one in store.uploads.glob("*") if not (one / "done.json").exists()) >= most:
            raise ConflictError(f"{most} uploads are open; complete or delete some of them first")
        identifier = secrets.token_hex(16)
        folder = store.uploads / identifier
        about = {"id": identifier, "created": time.strftime(_TIME, time.gmtime())}
        with room():
            (folder / "parts").mkdir(parents=True)
            write_whole(folder / "upload.json", {**about, "reading": reading})
        return self.get(store, identifier)

    def get(self, store: TenantStore, upload_id: str) -> Upload:
        """The upload of that id.

        Raises
        ------
        UnknownUploadError
            If there is none, or it has expired.
        """
        if not re.fullmatch(r"[0-9a-f]{32}", upload_id):
            raise unknown()
        folder = store.uploads / upload_id
        with self._lock:
            upload = self._known.get(folder)
            if upload is None or not folder.is_dir():
                try:
                    upload = Upload(self._store, self._settings, folder)
                except FileNotFoundError:
                    raise unknown() from None
                self._known[folder] = upload
                self._warm.append(upload)
        return upload

    def all(self, store: TenantStore) -> Iterator[Upload]:
        """Those of a tenant that are there, by id."""
        for folder in sorted(store.uploads.glob("*")):
            with suppress(UnknownUploadError):
                yield self.get(store, folder.name)

    def drop(self, upload: Upload) -> None:
        """Remove an upload and its files; an image made of it stays."""
        with self._lock:
            self._known.pop(upload.folder, None)
        shutil.rmtree(upload.folder, ignore_errors=True)

    def sweep(self, store: TenantStore) -> None:
        """Remove those that nothing came for in a long time, and broken beginnings of one."""
        oldest = time.time() - self._settings.upload_idle_seconds
        for folder in store.uploads.glob("*"):
            with suppress(FileNotFoundError):
                if touched(folder) < oldest and not (folder / "ask.json").exists():
                    shutil.rmtree(folder, ignore_errors=True)
