"""An image as the one file that a client downloads."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from delineate.api.monailabel.subjects import Subject
from delineate.api.state import State
from delineate.jobs.store import StoredImage

__all__ = ["MADE", "checksum", "file_name", "image_file"]

# What a series is handed out as that did not come as one file.
MADE = ".nrrd"


def file_name(name: str, suffix: str) -> str:
    """What the file of an image that is called so is to be called: clients go by its suffix."""
    plain = re.sub(r"[^\w .()-]", "_", name)
    suffix = suffix or MADE
    return plain if plain.endswith(suffix) else f"{plain}{suffix}"


async def image_file(service: State, stored: StoredImage, subject: Subject) -> Path:
    """The file that was sent, where it was one; else the series as NRRD, made when asked for."""
    if subject.suffix:
        return stored.files[0]
    name = hashlib.sha256(subject.series.encode()).hexdigest()[:32]
    path = stored.folder / "volumes" / f"{name}{MADE}"
    if not path.exists():
        service.store.check_room()
        await service.writer.run(
            "volume_file",
            service.settings.export_seconds,
            paths=[str(one) for one in stored.files],
            series=subject.series,
            reading=stored.reading,
            target=str(path),
        )
    return path


async def checksum(path: Path) -> str:
    """SHA-256 of a file, as clients compare it."""

    def digest() -> str:
        with path.open("rb") as file:
            return f"SHA256:{hashlib.file_digest(file, 'sha256').hexdigest()}"

    return await run_in_threadpool(digest)
