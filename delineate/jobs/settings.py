"""What a service is told when it starts."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from delineate.errors import InputError

__all__ = ["Settings"]

_VARIABLE = "DELINEATE_SERVICE"
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where a service keeps things and how much it takes.

    Parameters
    ----------
    data
        Folder of images, results and, by default, the database.
    database
        SQLAlchemy URL; SQLite in ``data`` if empty.
    storage
        Where images and results are published for workers on other machines, ``s3://bucket/prefix``
        or ``file:///folder``; ``data`` keeps copies then. Nowhere if empty.
    queues
        Those that a job may be sent to.
    queue_of
        ``DETECTOR=QUEUE``: the queue of jobs that name none, ``default`` where nothing fits. The
        detector may be a pattern such as ``models.*``; the first that fits counts.
    shared_folders
        Folders that all machines mount alike. Whoever has the scope ``admin`` may have label maps
        in them scored.
    retention_days
        Images and results are removed after so many days without use; never if 0.
    watermark_bytes
        While less of the disk is free than this, what was used longest ago is removed; never if 0.
    cache_bytes
        With ``storage``: how much of it ``data`` may keep copies of.
    max_upload_bytes
        Largest request, and largest sum of the files in it once unpacked.
    max_files
        Most files in one upload.
    min_free_bytes
        Room to leave on the disk; an upload that would go below it is refused.
    stall_seconds
        Longest silence of a client in the middle of an upload.
    upload_idle_seconds
        How long an upload that comes file by file is kept after the last of them.
    max_uploads
        Most of these that a tenant may have open.
    inspect_seconds, export_seconds, detect_seconds
        Longest time to look into an upload, to write a file asked for, and to run a detector.
    detect_memory_mb
        Most that a detector's process may allocate; no limit if ``None``.
    max_attempts
        How often a job may lose its worker before it counts as failed.
    max_crashes
        How often a detector may crash on a job before that counts as failed.
    keys_required
        Answer nobody without an API key or a token. Without it that begins with the first key that
        was ever made for this database, or with an issuer in ``oidc``.
    hosts
        Names, besides loopback ones, that the service is called by; any if empty and keys are
        asked for.
    origins
        Pages elsewhere (``https://viewer.example``) that may call the service with a key.
    oidc, oidc_audience
        Issuer of tokens that are taken beside keys (``https://...``), and what ``aud`` has to be.
    oidc_tenant, oidc_scopes
        Claims that say for which tenant a token is, and what it may do.
    deidentify
        What becomes of patients' names in uploads: ``ps3.15`` removes them by that profile.
    identity
        Folder of what pseudonyms stand for, and of their keys; in ``data`` if empty.
    public_url
        Address by which clients know the service (``https://images.example``), for addresses in
        answers of DICOMweb; that which a request was sent to if empty.
    rules
        File of rules by which series start jobs, and of other DICOMweb servers; see `jobs.rules`.
    series_quiet_seconds
        A series that comes in by DICOMweb is complete once nothing has come for so long.
    offered
        Formats in which results are found by DICOMweb beside their series.
    dicom_delete
        Take deletions by DICOMweb.
    quiet
        Log warnings and errors only.
    """

    data: Path
    database: str = ""
    storage: str = ""
    queues: tuple[str, ...] = ("default", "gpu")
    queue_of: tuple[str, ...] = ()
    shared_folders: tuple[str, ...] = ()
    retention_days: float = 0.0
    watermark_bytes: int = 0
    cache_bytes: int = 64 * 1024 * _MIB
    max_upload_bytes: int = 8192 * _MIB
    max_files: int = 20_000
    min_free_bytes: int = 512 * _MIB
    stall_seconds: float = 60.0
    upload_idle_seconds: float = 24 * 3600.0
    max_uploads: int = 100
    inspect_seconds: float = 300.0
    export_seconds: float = 300.0
    detect_seconds: float = 3600.0
    detect_memory_mb: int | None = None
    max_attempts: int = 20
    max_crashes: int = 2
    keys_required: bool = False
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    oidc: str = ""
    oidc_audience: str = "delineate"
    oidc_tenant: str = "tenant"
    oidc_scopes: str = "scope"
    deidentify: Literal["off", "ps3.15"] = "off"
    identity: str = ""
    public_url: str = ""
    rules: str = ""
    series_quiet_seconds: float = 15.0
    offered: tuple[str, ...] = ("seg", "rtstruct", "sr")
    dicom_delete: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        for told in self.queue_of:
            pattern, _, queue = told.rpartition("=")
            if not pattern or queue not in self.queues:
                raise InputError(
                    f"the setting queue_of: expected DETECTOR=QUEUE with a queue of "
                    f"{', '.join(self.queues)}, got {told[:100]!r}"
                )

    def queue_for(self, detector: str) -> str:
        """The queue of a job that names none."""
        pairs = (told.rpartition("=") for told in self.queue_of)
        return next((name for one, _, name in pairs if fnmatchcase(detector, one)), "default")

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL in effect."""
        return self.database or f"sqlite:///{self.data.resolve() / 'delineate.db'}"

    @property
    def identities(self) -> Path:
        """Folder of the pseudonyms of all tenants."""
        return Path(self.identity) if self.identity else self.data / "identity"

    @property
    def workers(self) -> Path:
        """Folder of the locks that live workers hold."""
        return self.data / "workers"

    @property
    def metrics(self) -> Path:
        """Folder into which the processes of this machine write their numbers."""
        return self.data / "metrics"

    def to_environment(self) -> dict[str, str]:
        """The variables through which child processes learn these settings."""
        return {
            _VARIABLE: json.dumps({**asdict(self), "data": str(self.data.resolve())}),
            "PROMETHEUS_MULTIPROC_DIR": str(self.metrics.resolve()),
        }

    @classmethod
    def from_environment(cls) -> Settings:
        """Settings of the parent process; of `load` where it told none."""
        told = os.environ.get(_VARIABLE)
        return cls.load() if told is None else _checked(json.loads(told), "the parent process")

    @classmethod
    def load(cls, file: Path | None = None, **told: Any) -> Settings:
        """Settings from several places; the first that says something counts.

        Parameters
        ----------
        told
            Those that are not ``None``.
        file
            TOML with the names of these settings; less than variables of the environment such as
            ``DELINEATE_DATABASE``, in which lists are separated by commas.

        Raises
        ------
        InputError
            If there is no such setting, or it cannot have this value.
        """
        found: dict[str, Any] = {"data": Path("delineate-data")}
        if file is not None:
            try:
                found |= tomllib.loads(file.read_text())
            except (OSError, ValueError) as error:
                raise InputError(f"the settings in {file} cannot be read: {error}") from error
        lists = {one.name for one in fields(cls) if isinstance(one.default, tuple)}
        for name in (one.name for one in fields(cls)):
            if (value := os.environ.get(f"DELINEATE_{name.upper()}")) is not None:
                found[name] = value.split(",") if name in lists else value
        found |= {name: value for name, value in told.items() if value is not None}
        return _checked(found, str(file) if file else "the environment or the command")


def _checked(found: dict[str, Any], where: str) -> Settings:
    from pydantic import TypeAdapter, ValidationError

    known = {one.name for one in fields(Settings)}
    if unknown := sorted(found.keys() - known):
        raise InputError(
            f"there is no setting {unknown[0]!r}, which {where} has; there are "
            f"{', '.join(sorted(known))}"
        )
    try:
        return TypeAdapter(Settings).validate_python(found)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InputError(f"the setting {name} of {where}: {first['msg']}") from None
