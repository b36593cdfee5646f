"""Images and results on disk, those of each tenant in a folder of their own.

::

    DATA/
        delineate.db                    the job table and the engine's
        workers/NAME.lock               held by a live worker, where the database is SQLite
        tenants/TENANT/
            uploads/ID/                 uploads that come file by file; see `jobs.intake`
            fetching/RANDOM/            what is being fetched from the storage, or removed
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

import re
import shutil

from delineate.jobs.disk import Disk, room, sync
from delineate.jobs.job import LOCAL_TENANT, TENANT
from delineate.jobs.objects import Objects
from delineate.jobs.settings import Settings
from delineate.jobs.stored_image import StoredImage
from delineate.jobs.tenant_store import TenantStore, names_in

__all__ = ["Store", "StoredImage", "TenantStore", "adopt", "room", "sync"]


class Store(Disk):
    """The folder of one service."""

    def open(self) -> None:
        """Drop what a killed process left of uploads that were coming in."""
        for folder in (self._settings.data / "tenants").glob("*/incoming"):
            shutil.rmtree(folder, ignore_errors=True)

    def tenants(self, *, published: bool = False) -> list[TenantStore]:
        """Those who have something here, or also in the storage, in order."""
        names = set(names_in(self._settings.data / "tenants"))
        if published and self._settings.storage:
            names |= set(Objects(self._settings.storage).names("tenants"))
        return [self.of(name) for name in sorted(names)]

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
