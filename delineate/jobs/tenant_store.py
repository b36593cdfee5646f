"""The images and results of one tenant: here, and in the storage where there is one."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delineate.errors import UnknownImageError
from delineate.jobs.disk import Disk, State, room, sync
from delineate.jobs.job import Job
from delineate.jobs.objects import Objects
from delineate.jobs.settings import Settings
from delineate.jobs.stored_image import StoredImage

__all__ = ["Copy", "TenantStore", "is_id", "names_in"]

_UNKNOWN = "no image has this id; POST /v1/images answers the id of yours"


@dataclass(frozen=True, slots=True)
class Copy:
    """A folder that can be fetched again; ``used`` in seconds since 1970."""

    used: float
    bytes: int
    folder: Path


class TenantStore(Disk):
    """The images and results of one tenant; made by `Store.of`."""

    def __init__(self, settings: Settings, tenant: str) -> None:
        super().__init__(settings)
        self._objects = Objects(settings.storage) if settings.storage else None
        self.tenant = tenant
        home = settings.data / "tenants" / tenant
        self.uploads = home / "uploads"
        self.dicom = home / "dicom"
        self._images = home / "images"
        self._incoming = home / "incoming"
        self._jobs = home / "jobs"
        self._fetching = home / "fetching"
        self._prefix = f"tenants/{tenant}"

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A new folder for an upload; gone after the block, whatever happened."""
        folder = self._incoming / secrets.token_hex(12)
        with room():
            (folder / "parts").mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(
        self, folder: Path, document: dict[str, Any], synced: frozenset[State] = frozenset()
    ) -> StoredImage:
        """Move an upload that was looked into to its place.

        Parameters
        ----------
        folder
            Made by :meth:`incoming`; its ``files`` hold the image, its ``names.json`` what their
            sender calls them.
        document
            With ``id``, ``files``, ``bytes``, ``reading`` and ``report``. If the same image is
            there already, that one stays as it is.
        synced
            Which files have reached the disk already.

        Raises
        ------
        UnavailableError
            If it cannot be published; then it is not kept.
        """
        ready = folder / "image"
        with room():
            ready.mkdir()
            for part in ("files", "names.json"):
                (folder / part).rename(ready / part)
            (ready / "image.json").write_text(json.dumps(document))
            sync(ready, but=synced)
            if self._objects is not None:
                self._objects.publish(ready, self._published_image(document["id"]))
            self._images.mkdir(exist_ok=True)
            with suppress(OSError):  # not empty: the same files were sent before
                ready.rename(self._images / document["id"])
        return self.image(document["id"])

    def image(self, image_id: str) -> StoredImage:
        """The image of that id, fetched if it is elsewhere only."""
        if is_id(image_id):
            folder = self._images / image_id
            if not folder.exists():
                self._fetch(self._published_image(image_id), folder)
            with suppress(FileNotFoundError):
                if self._objects is not None:
                    os.utime(folder)  # so that copies used lately stay
                return StoredImage(folder, json.loads((folder / "image.json").read_text()))
        raise UnknownImageError(_UNKNOWN)

    def document(self, image_id: str) -> dict[str, Any]:
        """What ``image.json`` says; its files are not fetched."""
        if is_id(image_id):
            with suppress(FileNotFoundError):
                path = self._images / image_id / "image.json"
                here: dict[str, Any] = json.loads(path.read_text())
                return here
            if self._objects is not None:
                contents = self._objects.read(self._published_image(image_id), "image.json")
                if contents is not None:
                    there: dict[str, Any] = json.loads(contents)
                    return there
        raise UnknownImageError(_UNKNOWN)

    def ids(self) -> list[str]:
        """Ids of the images, in order."""
        if self._objects is not None:
            names = self._objects.names(f"{self._prefix}/images")
        else:
            names = names_in(self._images)
        return [name for name in names if is_id(name)]

    def kept_since(self, image_id: str) -> float:
        """When an image was kept, in seconds since 1970; 0 if there is none."""
        if self._objects is not None:
            published = self._objects.published(self._published_image(image_id))
            return 0.0 if published is None else published.timestamp()
        with suppress(FileNotFoundError):
            return (self._images / image_id / "image.json").stat().st_mtime
        return 0.0

    def remove_image(self, image_id: str) -> None:
        """Remove an image with all that was made of it; whether a job needs it is not asked."""
        self.document(image_id)
        if self._objects is not None:
            self._objects.remove(self._published_image(image_id))
        self._drop(self._images / image_id)

    def remove_results(self, job_id: str) -> None:
        """Remove what the attempts at a job left."""
        if self._objects is not None:
            self._objects.remove(f"{self._prefix}/jobs/{job_id}")
        self._drop(self._jobs / job_id)

    def attempt(self, job: Job) -> Path:
        """Folder for the result of one attempt; it counts once the job table says so.

        That of a job that is done is fetched if it is elsewhere only.
        """
        folder = self._jobs / job.id / str(job.attempts)
        if job.state == "done" and not folder.exists():
            self._fetch(self._published_result(job), folder)
        return folder

    def kept(self, job: Job, name: str) -> bytes | None:
        """One file of the result of a job that is done; the others are not fetched."""
        path = self._jobs / job.id / str(job.attempts) / name
        with suppress(FileNotFoundError):
            return path.read_bytes()
        if self._objects is None or path.parent.exists():
            return None
        return self._objects.read(self._published_result(job), name)

    def publish(self, job: Job) -> None:
        """Have the result of an attempt where workers and APIs elsewhere find it."""
        if self._objects is not None:
            self._objects.publish(self.attempt(job), self._published_result(job))

    def drop(self, job: Job) -> None:
        """Remove what one attempt left."""
        self._drop(self._jobs / job.id / str(job.attempts))
        if self._objects is not None:
            self._objects.remove(self._published_result(job))

    def drop_others(self, job: Job) -> None:
        """Remove what other attempts at a finished job left."""
        for name in names_in(self._jobs / job.id):
            if name != str(job.attempts):
                self._drop(self._jobs / job.id / name)
        if self._objects is not None and job.attempts > 1:
            prefix = f"{self._prefix}/jobs/{job.id}"
            for name in self._objects.names(prefix):
                if name != str(job.attempts):
                    self._objects.remove(f"{prefix}/{name}")

    def results(self, before: float) -> list[str]:
        """Ids of the jobs whose results here or in the storage are older than a time."""
        names = set(names_in(self._jobs))
        if self._objects is not None:
            names |= set(self._objects.names(f"{self._prefix}/jobs"))
        return sorted(name for name in names if _touched(self._jobs / name) < before)

    def drop_stale(self, before: float) -> int:
        """Remove what was left half fetched or half removed before a time; how much it was."""
        stale = [self._fetching / one for one in names_in(self._fetching)]
        stale = [folder for folder in stale if _touched(folder) < before]
        for folder in stale:
            shutil.rmtree(folder, ignore_errors=True)
        return len(stale)

    def copies(self) -> Iterator[Copy]:
        """What is here and, as it seems, in the storage as well."""
        folders = [self._images / one for one in names_in(self._images)]
        for job in names_in(self._jobs):
            folders += [self._jobs / job / one for one in names_in(self._jobs / job)]
        for folder in folders:
            size = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
            yield Copy(_touched(folder), size, folder)

    def drop_copy(self, folder: Path) -> bool:
        """Remove one of :meth:`copies` if the storage has it indeed."""
        prefix = f"{self._prefix}/{folder.relative_to(self._images.parent).as_posix()}"
        if self._objects is None or not self._objects.has(prefix):
            return False
        self._drop(folder)
        return True

    def _published_image(self, image_id: str) -> str:
        return f"{self._prefix}/images/{image_id}"

    def _published_result(self, job: Job) -> str:
        return f"{self._prefix}/jobs/{job.id}/{job.attempts}"

    def _fetch(self, prefix: str, folder: Path) -> None:
        if self._objects is not None:
            with room():
                self._objects.fetch(prefix, folder, self._fetching)

    def _drop(self, folder: Path) -> None:
        """Remove a folder: at once for those who look, then what is in it."""
        gone = self._fetching / secrets.token_hex(12)
        gone.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            folder.rename(gone)
            shutil.rmtree(gone)


def _touched(path: Path) -> float:
    """When a folder was last used, in seconds since 1970; 0 if it is not here."""
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def is_id(name: str) -> bool:
    """Whether an image may have this id."""
    return re.fullmatch(r"[0-9a-f]{64}", name) is not None


def names_in(folder: Path) -> list[str]:
    """What lies in a folder, in order; nothing if it is not there."""
    with suppress(FileNotFoundError):
        return sorted(one.name for one in folder.iterdir())
    return []
