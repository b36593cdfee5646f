"""Uploads that come file by file, and outlive the process that takes them.

::

    UPLOADS/ID/
        upload.json            id, when it began, how its files are to be read
        journal.jsonl          a line for every file that came whole
        parts/000000.dcm ...   the files
        ask.json               what was asked for on completion, until that is done
        done.json              what came of it

A file counts once its line is in the journal. What a killed process leaves half done is either a
part without a line, which nobody sees, or an ``ask.json``, which the next process takes up.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from delineate.errors import ConflictError, TooLargeError, UnknownUploadError, UploadError
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store, room
from delineate.jobs.upload import Part, demand_name, suffix

__all__ = ["Intake", "Received", "Upload", "touched", "unknown", "write_whole"]

_CHECK_EVERY = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Received:
    """A file that came whole: its sender's name, its name in ``parts``, hash and size."""

    name: str
    part: str
    sha256: str
    bytes: int


class Upload:
    """One upload; all methods block, and may be called from several threads at once."""

    def __init__(self, store: Store, settings: Settings, folder: Path) -> None:
        self._store, self._settings, self.folder = store, settings, folder
        self._lock = threading.Lock()
        self._files = {one.name: one for one in received(folder)}
        self._bytes = sum(one.bytes for one in self._files.values())
        self._coming = 0
        about = json.loads((folder / "upload.json").read_text())
        self.id: str = about["id"]
        self.created: str = about["created"]
        self.reading: dict[str, Any] = about["reading"]
        self.geometry: dict[str, Any] | None = None

    @property
    def files(self) -> Sequence[Received]:
        """What came whole, in the order in which it came."""
        with self._lock:
            return list(self._files.values())

    @property
    def bytes(self) -> int:
        """Sum of their sizes."""
        return self._bytes

    @property
    def expires(self) -> float:
        """When it is dropped unless something comes before: seconds since the epoch."""
        return touched(self.folder) + self._settings.upload_idle_seconds

    @property
    def asked(self) -> dict[str, Any] | None:
        """What was asked for on completion, while that is not done."""
        return _json(self.folder / "ask.json")

    @property
    def done(self) -> dict[str, Any] | None:
        """What came of it: ``image_id`` and ``job_id``."""
        return _json(self.folder / "done.json")

    def find(self, name: str) -> Received | None:
        """The file of that name, if it came."""
        return self._files.get(name)

    def start(self, name: str, announced: int = 0) -> Intake:
        """Begin to take a file.

        Raises
        ------
        UploadError
            If it cannot be called so.
        ConflictError
            If the upload is complete.
        TooLargeError, StorageFullError
            If ``announced`` bytes more are too many, or there are too many files.
        """
        demand_name(name)
        self.demand_open()
        if len(self._files) + self._coming >= self._settings.max_files:
            raise TooLargeError(
                f"at most {self._settings.max_files} files are taken at once; send a series a time"
            )
        self._demand_size(announced)
        self._store.check_room(announced)
        with self._lock:
            self._coming += 1
        return Intake(self, name)

    def ask(self, wanted: dict[str, Any]) -> None:
        """Write down what is wanted on completion, before anything is done about it.

        What was asked for before, and is not done yet, stays as it was.
        """
        with self._lock:
            if self.asked is not None:
                return
            self.demand_open()
            if self._coming:
                raise ConflictError(
                    f"{self._coming} files are still coming; complete the upload after them"
                )
            write_whole(self.folder / "ask.json", wanted)

    def withdraw(self) -> None:
        """Open it again: what was asked for cannot be done."""
        (self.folder / "ask.json").unlink(missing_ok=True)

    def finish(self, image_id: str, job_id: str | None) -> None:
        """Write down what came of it, and let go of the files."""
        write_whole(self.folder / "done.json", {"image_id": image_id, "job_id": job_id})
        self.withdraw()
        shutil.rmtree(self.folder / "parts", ignore_errors=True)

    def demand_open(self) -> None:
        """Refuse to go on with one that is complete, or gone.

        Raises
        ------
        ConflictError, UnknownUploadError
            So.
        """
        if self.done is not None or self.asked is not None:
            raise ConflictError(f"upload {self.id} is complete; begin another for more files")
        if not self.folder.is_dir():
            raise unknown()

    def linked(self, folder: Path) -> list[Part]:
        """The files once more in ``folder``, in the order in which they came."""
        parts = []
        with room():
            for number, one in enumerate(self.files):
                path = folder / f"{number:06d}{suffix(one.part)}"
                os.link(self.folder / "parts" / one.part, path)
                parts.append(Part(path, one.name, one.sha256))
        return parts

    def _demand_size(self, more: int) -> None:
        most = self._settings.max_upload_bytes
        if self._bytes + more > most:
            raise TooLargeError(f"at most {most} bytes are taken in one upload")

    def _came(self, file: Received) -> tuple[Received, bool]:
        """Count a file; what is there under its name, and whether it is new."""
        with self._lock:
            self.demand_open()
            there = self._files.get(file.name)
            if there is not None:
                if there.sha256 != file.sha256:
                    raise ConflictError(
                        f"another file of this name has come (sha-256 {there.sha256}, not "
                        f"{file.sha256}); send it by another name, or begin a new upload"
                    )
                return there, False
            self._demand_size(file.bytes)
            with room(), (self.folder / "journal.jsonl").open("a") as journal:
                # The break comes first: half a line of a killed process spoils no other.
                journal.write("\n" + json.dumps(asdict(file)))
            self._files[file.name] = file
            self._bytes += file.bytes
            return file, True


class Intake:
    """A file on its way in; ``close`` it on whatever way out."""

    def __init__(self, upload: Upload, name: str) -> None:
        self._upload, self._name = upload, name
        self._hash, self._bytes, self._unchecked = hashlib.sha256(), 0, 0
        self._path = upload.folder / "parts" / f"{secrets.token_hex(8)}{suffix(name)}"
        with room():
            self._file = self._path.open("wb")

    def write(self, data: bytes) -> None:
        """Append."""
        self._bytes += len(data)
        self._unchecked += len(data)
        self._upload._demand_size(self._bytes)
        if self._unchecked >= _CHECK_EVERY:
            self._unchecked = 0
            self._upload._store.check_room()
        with room():
            self._file.write(data)
        self._hash.update(data)

    def keep(self, sha256: str | None) -> tuple[Received, bool]:
        """Count the file as come.

        Parameters
        ----------
        sha256
            What its sender says that the hash is, if it does.

        Returns
        -------
        Received
            The file.
        bool
            Whether it is new: the same one may have come before.

        Raises
        ------
        UploadError
            If other bytes came than were sent.
        ConflictError
            If there is another file of that name.
        """
        with room():
            self._file.close()
        came = self._hash.hexdigest()
        if sha256 is not None and sha256 != came:
            raise UploadError(
                f"the bytes that came have the sha-256 {came}, announced was {sha256}; send the "
                "file again"
            )
        file, is_new = self._upload._came(Received(self._name, self._path.name, came, self._bytes))
        if is_new:
            self._path = Path()
        return file, is_new

    def close(self) -> None:
        """Let go; a file that was not kept leaves nothing."""
        with suppress(OSError):
            self._file.close()
        if self._path != Path():
            self._path.unlink(missing_ok=True)
        with self._upload._lock:
            self._upload._coming -= 1


def received(folder: Path) -> Iterator[Received]:
    """The files of an upload, as its journal has them.

    A line that a killed process has broken off is passed over: its file was not acknowledged.
    """
    with suppress(FileNotFoundError):
        for line in (folder / "journal.jsonl").read_text().split("\n"):
            with suppress(ValueError, TypeError):
                yield Received(**json.loads(line))


def touched(folder: Path) -> float:
    """When something last came to an upload: seconds since the epoch."""
    return max(path.stat().st_mtime for path in (folder, folder / "journal.jsonl") if path.exists())


def write_whole(path: Path, document: dict[str, Any]) -> None:
    """Write JSON that is there whole, also after a power failure, or not at all."""
    scratch = path.with_suffix(f".{secrets.token_hex(4)}")
    with room(), scratch.open("w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return found


def unknown() -> UnknownUploadError:
    """The error for an id that no upload has."""
    return UnknownUploadError(
        "no upload has this id, or it has expired; POST /v1/uploads begins one"
    )
