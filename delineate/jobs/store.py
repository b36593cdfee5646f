"""Images and results on disk, those of each tenant in a folder of their own.

::

    DATA/
        delineate.db                    the job table and the engine's
        workers/NAME.lock               held by a live worker, where the database is SQLite
        tenants/TENANT/
            uploads/ID/                 uploads that come file by file; see `jobs.intake`
            incoming/RANDOM/            uploads in one request; emptied at every start
            uploads/ID/                 uploads file by file, until they are complete
            images/ID/                  ID is a hash over the hashes of its files
                image.json              what GET /v1/images/ID answers
                names.json              what their sender calls the files
                files/0001.dcm ...      in the order of their hashes
                volumes/HASH.gz, .json  samples of a series, as the page asks for them
            dicom/AB/AB12...            instances that have come by DICOMweb and are in no image yet
            jobs/ID/N/                  result of attempt N; the job table says which one counts
                delineation.json, delineation.json.gz, ...
                formats.json            what exports there may be
                samples/output.gz, .json  of a field or a restored image, made when asked for
                exports/FORMAT-HASH/    made when first asked for; HASH is of how it is drawn
"""

from __future__ import annotations

import errno
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

from delineate.errors import (
    SeriesChoiceError,
    StorageFullError,
    UnknownImageError,
    UnsuitableImageError,
)
from delineate.jobs.job import LOCAL_TENANT, TENANT, Job
from delineate.jobs.settings import Settings

__all__ = ["Store", "StoredImage", "TenantStore", "adopt", "room", "sync"]

# What is told of a series that may be chosen: nothing that its sender named.
_CHOICE = ("id", "modality", "slices", "description")


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An upload that was kept: its folder and what ``image.json`` says of it."""

    folder: Path
    document: dict[str, Any]

    @property
    def files(self) -> list[Path]:
        """The files, in the order of their contents' hashes."""
        return sorted((self.folder / "files").iterdir())

    @property
    def reading(self) -> dict[str, Any]:
        """How the files are to be read; see `jobs.reading`."""
        try:
            names = json.loads((self.folder / "names.json").read_text())
        except FileNotFoundError:  # kept before there were names
            names = {}
        asked = self.document.get("reading", {"uneven": "refuse", "spacing_mm": None})
        return {**asked, "names": names}

    def series(self, chosen: str | None) -> dict[str, Any]:
        """Report of the series of that id, or of the only usable one.

        Raises
        ------
        SeriesChoiceError
            If there are several and none was chosen, or none has that id.
        UnsuitableImageError
            If the series was refused.
        """
        reports = self.document["report"]["series"]
        usable = [one for one in reports if one["verdict"] != "refused"]
        offered = [one for one in usable if not one.get("set_aside")]
        if chosen is None and len(offered) == 1:
            return dict(offered[0])
        found = [one for one in reports if one["id"] == chosen]
        if not found:
            among = offered if chosen is None else usable
            asked = "" if chosen is None else f", {chosen[:100]!r} is not among them"
            ids = ", ".join(one["id"] for one in among[:20])
            raise SeriesChoiceError(
                f"this image has {len(among)} series to choose from{asked}; name one as 'series': "
                f"{ids}",
                [{key: one[key] for key in _CHOICE} for one in among],
            )
        if found[0]["verdict"] == "refused":
            problems = " ".join(problem["message"] for problem in found[0]["problems"][:3])
            raise UnsuitableImageError(
                f"series {chosen} was refused: {problems} {found[0]['advice']}".strip()
            )
        return dict(found[0])


class _Disk:
    """What all of a service's files share."""

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


class TenantStore(_Disk):
    """The images and results of one tenant; made by `Store.of`."""

    def __init__(self, settings: Settings, tenant: str) -> None:
        super().__init__(settings)
        self.tenant = tenant
        home = settings.data / "tenants" / tenant
        self.uploads = home / "uploads"
        self.dicom = home / "dicom"
        self._images = home / "images"
        self._incoming = home / "incoming"
        self._jobs = home / "jobs"

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

    def keep(self, folder: Path, document: dict[str, Any]) -> StoredImage:
        """Move an upload that was looked into to its place.

        Parameters
        ----------
        folder
            Made by :meth:`incoming`; its ``files`` hold the image, its ``names.json`` what their
            sender calls them.
        document
            With ``id``, ``files``, ``bytes``, ``reading`` and ``report``. If the same image is
            there already, that one stays as it is.
        """
        ready = folder / "image"
        with room():
            ready.mkdir()
            for part in ("files", "names.json"):
                (folder / part).rename(ready / part)
            (ready / "image.json").write_text(json.dumps(document))
            self._images.mkdir(exist_ok=True)
            with suppress(OSError):  # not empty: the same files were sent before
                ready.rename(self._images / document["id"])
        return self.image(document["id"])

    def image(self, image_id: str) -> StoredImage:
        """The image of that id."""
        if is_id(image_id):
            folder = self._images / image_id
            with suppress(FileNotFoundError):
                return StoredImage(folder, json.loads((folder / "image.json").read_text()))
        raise UnknownImageError("no image has this id; POST /v1/images answers the id of yours")

    def ids(self) -> list[str]:
        """Ids of the images, in order."""
        with suppress(FileNotFoundError):
            return sorted(one.name for one in self._images.iterdir() if is_id(one.name))
        return []

    def remove_image(self, image_id: str) -> None:
        """Remove an image with all that was made of it; whether a job needs it is not asked."""
        self.image(image_id)
        gone = self._incoming / secrets.token_hex(12)
        gone.parent.mkdir(parents=True, exist_ok=True)
        (self._images / image_id).rename(gone)  # at once, for those who look
        shutil.rmtree(gone)

    def remove_results(self, job_id: str) -> None:
        """Remove what the attempts at a job left."""
        shutil.rmtree(self._jobs / job_id, ignore_errors=True)

    def attempt(self, job: Job) -> Path:
        """Folder for the result of one attempt; it counts once the job table says so."""
        return self._jobs / job.id / str(job.attempts)

    def drop_others(self, job: Job) -> None:
        """Remove what other attempts at a finished job left."""
        for folder in (self._jobs / job.id).iterdir():
            if folder.name != str(job.attempts):
                shutil.rmtree(folder, ignore_errors=True)


class Store(_Disk):
    """The folder of one service."""

    def open(self) -> None:
        """Drop what a killed process left of uploads that were coming in."""
        for folder in (self._settings.data / "tenants").glob("*/incoming"):
            shutil.rmtree(folder, ignore_errors=True)

    def tenants(self) -> list[TenantStore]:
        """Those who have something here, in order."""
        with suppress(FileNotFoundError):
            names = sorted(one.name for one in (self._settings.data / "tenants").iterdir())
            return [self.of(name) for name in names]
        return []

    def of(self, tenant: str) -> TenantStore:
        """The images and results of a tenant, who need not have any yet.

        Raises
        ------
        ValueError
            If this is no name of a tenant.
        """
        if not re.fullmatch(TENANT, tenant):
            raise ValueError(f"expected a tenant's name like {TENANT}, got {tenant[:40]!r}")
        return TenantStore(self._settings, tenant)


def adopt(settings: Settings) -> None:
    """Make what an older delineate left in the data folder the tenant's ``local``."""
    home = settings.data / "tenants" / LOCAL_TENANT
    for name in ("images", "jobs"):
        if (settings.data / name).is_dir() and not (home / name).exists():
            home.mkdir(parents=True, exist_ok=True)
            (settings.data / name).rename(home / name)


def is_id(name: str) -> bool:
    """Whether an image may have this id."""
    return re.fullmatch(r"[0-9a-f]{64}", name) is not None


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
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
