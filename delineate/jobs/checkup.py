"""What is there of a service and what is broken: for ``delineate doctor``."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from delineate.jobs.settings import Settings

__all__ = ["Finding", "checkup"]

_PACKAGES = (
    *("delineate", "numpy", "scipy", "pydicom", "highdicom", "SimpleITK", "torch", "monai"),
    *("openvino", "onnxruntime", "fastapi", "uvicorn", "sqlalchemy", "dbos", "alembic", "psycopg"),
    *("obstore", "prometheus-client", "joserfc", "cryptography", "httpx"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part: ``broken`` has to be mended, ``absent`` need not be there."""

    part: str
    state: Literal["ok", "absent", "warning", "broken"]
    told: str


def checkup(settings: Settings) -> Iterator[Finding]:
    """Look at each part of a service; changes nothing."""
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield from _packages()
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "gpu": _gpu,
        "detectors": _detectors,
        "disk": lambda: _disk(settings),
        "database": lambda: _database(settings),
        "storage": lambda: _storage(settings),
    }
    for part, check in checks.items():
        try:
            yield from check()
        except Exception as error:  # whatever it is, it is what was to be found out
            yield Finding(part, "broken", f"{type(error).__name__}: {error}".splitlines()[0][:300])


def _packages() -> Iterator[Finding]:
    for name in _PACKAGES:
        try:
            yield Finding(f"package {name}", "ok", version(name))
        except PackageNotFoundError:
            yield Finding(f"package {name}", "absent", "not installed")


def _gpu() -> Iterator[Finding]:
    if importlib.util.find_spec("torch") is None:
        yield Finding("gpu", "absent", "without torch none is looked for")
        return
    torch: Any = importlib.import_module("torch")
    if not torch.cuda.is_available():
        yield Finding("gpu", "absent", "none that torch can use; detectors run on the processor")
        return
    for number in range(torch.cuda.device_count()):
        free, whole = torch.cuda.mem_get_info(number)
        name = torch.cuda.get_device_name(number)
        told = f"{name}, {free // 2**20} of {whole // 2**20} MiB free"
        yield Finding(f"gpu {number}", "ok", told)


def _detectors() -> Iterator[Finding]:
    """Those that are installed; of files that they declare, whether they are there and whole."""
    from delineate.plugins import registry

    installed = registry.installed()
    for spec in installed.specs:
        described = registry.describe(spec)
        hashes = [f"{one['name']} {one['sha256'][:12]}" for one in described["weights"]]
        yield Finding(f"detector {spec.id}", "ok", "; ".join(hashes) or "no weights")
    for problem in installed.problems:
        yield Finding("detector", "broken", str(problem)[:300])


def _disk(settings: Settings) -> Iterator[Finding]:
    place = settings.data
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    state: Literal["ok", "broken"] = "ok" if free >= settings.min_free_bytes else "broken"
    told = f"{free // 2**20} MiB free, {settings.min_free_bytes // 2**20} have to stay so"
    yield Finding("disk", state, told)


def _database(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, how old its tables are, who is at the door, and whether the audit holds.

    A database that is not there yet is made by the first start of a service, not by this.
    """
    from delineate.jobs.database import connect

    address = sa.make_url(settings.database_url)
    shown = address.render_as_string(hide_password=True)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        yield Finding("database", "absent", f"{shown}: made by the first 'delineate serve'")
        return
    database = connect(settings.database_url)
    try:
        present, newest = _revisions(database)
        yield Finding("database", "ok", shown)
        if present != newest:
            told = (
                f"{', '.join(sorted(present)) or 'none'}; the next start brings {', '.join(newest)}"
            )
            yield Finding("migrations", "warning", told)
            return
        yield Finding("migrations", "ok", ", ".join(sorted(present)))
        from delineate.jobs.audit import AuditTrail
        from delineate.jobs.keys import KeyRing
        from delineate.jobs.liveness import Presence

        live = Presence(settings, database).alive()
        yield Finding("workers", "ok" if live else "warning", ", ".join(live) or "none lives")
        states = [key.state for key in KeyRing(database).all()]
        usable = states.count("usable")
        asked = settings.keys_required or settings.oidc or states
        told = f"{usable} usable keys of {len(states)}; issuer {settings.oidc or 'none'}"
        open_to_all = "nobody is asked for a key: loopback addresses only"
        yield Finding("access", "ok" if asked else "warning", told if asked else open_to_all)
        head = AuditTrail(database).verify()
        yield Finding("audit", "ok", f"{head.number} entries, ends with {head.digest[:16]}")
    finally:
        database.dispose()


def _revisions(database: sa.Engine) -> tuple[set[str], set[str]]:
    """The versions of our tables: those that are there, and the newest."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from delineate.jobs import migrations

    newest = set(ScriptDirectory(str(Path(str(migrations.__file__)).parent)).get_heads())
    with database.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()), newest


def _storage(settings: Settings) -> Iterator[Finding]:
    if not settings.storage:
        yield Finding("storage", "ok", f"{settings.data}, on this machine only")
        return
    from delineate.jobs.objects import Objects

    Objects(settings.storage).has("doctor")
    yield Finding("storage", "ok", settings.storage)
