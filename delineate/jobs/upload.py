"""Take in the parts of an upload and make an image of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from delineate.errors import ConflictError, TooLargeError, UploadError
from delineate.jobs.disk import State, room, sync_file
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store

__all__ = [
    "Part",
    "Reception",
    "arranged",
    "base_name",
    "content_hash",
    "demand_name",
    "image_id",
    "suffix",
]

_CHECK_EVERY = 64 * 2**20
_LONGEST_NAME = 1024
_SYNCED_AT_ONCE = 2  # of one upload
_SUFFIXES = (
    *(".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".hdr", ".img", ".raw", ".zip"),
    *(".dcm", ".ima", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".gz"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A file that was sent: where it lies now, its sender's name for it, its hash if known."""

    path: Path
    name: str
    sha256: str = ""


class Reception:
    """Writes an upload to disk as it comes; its methods block and belong in a thread.

    Raises
    ------
    TooLargeError
        Once there are more bytes or files than the settings allow.
    StorageFullError
        Before the disk is full.
    """

    def __init__(self, store: Store, settings: Settings, folder: Path) -> None:
        self._store, self._settings, self._folder = store, settings, folder
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._unchecked = 0
        self._threads = ThreadPoolExecutor(_SYNCED_AT_ONCE)
        self._syncing: list[Future[State | None]] = []
        self.parts: list[Part] = []

    @property
    def is_empty(self) -> bool:
        """Whether not a byte came."""
        return self._bytes == 0

    def expect(self, size: int) -> None:
        """Check what a client announces to send."""
        if size > self._settings.max_upload_bytes:
            raise TooLargeError(
                f"at most {self._settings.max_upload_bytes} bytes are taken, {size} were announced"
            )
        self._store.check_room(size)

    def start(self, name: str) -> None:
        """Begin a file; its name is kept for the report and never becomes a path."""
        self.end()
        if len(self.parts) >= self._settings.max_files:
            raise TooLargeError(
                f"at most {self._settings.max_files} files are taken at once; send a series a time"
            )
        path = self._folder / "parts" / f"{len(self.parts):06d}{suffix(name)}"
        with room():
            self._file = path.open("wb")
        self._hash = hashlib.sha256()
        self.parts.append(Part(path, base_name(name)))

    def write(self, data: bytes) -> None:
        """Append to the file begun."""
        if self._file is None:
            raise UploadError("the multipart body has data outside a part")
        self._bytes += len(data)
        self._unchecked += len(data)
        if self._bytes > self._settings.max_upload_bytes:
            raise TooLargeError(f"at most {self._settings.max_upload_bytes} bytes are taken")
        if self._unchecked >= _CHECK_EVERY:
            self._unchecked = 0
            self._store.check_room()
        with room():
            self._file.write(data)
        self._hash.update(data)

    def end(self) -> None:
        """Complete the file begun, if any; from then on its hash is known."""
        if self._file is not None:
            with room():
                self._file.close()
            self._file = None
            self.parts[-1] = replace(self.parts[-1], sha256=self._hash.hexdigest())
            self._syncing.append(self._threads.submit(sync_file, self.parts[-1].path))

    def synced(self) -> frozenset[State]:
        """Which files have reached the disk, once all have: each goes there while the next comes.

        Files may be moved meanwhile; those that were moved too early are not among them.
        """
        return frozenset(state for one in self._syncing if (state := one.result()) is not None)

    def close(self) -> None:
        """Let go of the file, on whatever way out."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
        self._threads.shutdown(wait=False)


def image_id(hashes: Sequence[str]) -> str:
    """Id of an image: the hash over its files' hashes, whatever their order or number."""
    return hashlib.sha256("\n".join(sorted(set(hashes))).encode()).hexdigest()


def suffix(name: str) -> str:
    """The ending of a file name, if it is one that readers know; else nothing."""
    lower = name.lower()
    return next((known for known in _SUFFIXES if lower.endswith(known)), "")


def base_name(name: str) -> str:
    """The last part of a path, of whatever system; for messages to its sender only."""
    return name.replace("\\", "/").rsplit("/", 1)[-1][:255]


def demand_name(name: str) -> None:
    """Refuse what can be no file of a folder; the name never becomes a path all the same.

    Raises
    ------
    UploadError
        Says what a name is.
    """
    segments = name.replace("\\", "/").split("/")
    if (
        not 0 < len(name) <= _LONGEST_NAME
        or not name.isprintable()
        or not {"", ".", ".."}.isdisjoint(segments)
    ):
        raise UploadError(
            "a file is called by its path below the folder that is sent, such as study/IM1: of at "
            f"most {_LONGEST_NAME} printable characters, without '..' and empty parts"
        )


def content_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def arranged(
    parts: Sequence[Part], folder: Path, *, just_came: bool = False
) -> Iterator[tuple[Part, str]]:
    """Move files into ``folder``, numbered in the order of their hashes, each content once.

    Parameters
    ----------
    parts
        The files.
    folder
        Is made.
    just_came
        Hashes that are known were taken in this very request: the files are not read again.

    Yields
    ------
    tuple
        Each part where it lies now, and its hash.

    Raises
    ------
    ConflictError
        If a file is no longer what came.
    """
    folder.mkdir()
    by_hash = {
        part.sha256 if just_came and part.sha256 else _verified(part): part
        for part in reversed(parts)
    }
    for number, (digest, part) in enumerate(sorted(by_hash.items()), start=1):
        path = folder / f"{number:04d}{suffix(part.path.name)}"
        part.path.rename(path)
        yield Part(path, part.name), digest


def _verified(part: Part) -> str:
    digest = content_hash(part.path)
    if part.sha256 not in ("", digest):
        raise ConflictError("a file on disk is no longer what was sent; begin the upload anew")
    return digest
