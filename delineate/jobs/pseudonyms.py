"""Pseudonyms of one tenant's patients: made with a key, and undone only with it.

A folder that is no part of the images: ``key``, 32 random bytes that only its owner may read, and
``STUDY.sealed`` for each study, in which each line is encrypted (AES-SIV, RFC 5297, which needs no
nonce and makes the same of the same, so that a file that comes again adds nothing). Without the
key, pseudonyms cannot be told from random numbers; with it they come out the same each time, so
that studies of one patient stay together, whenever they come.
"""

from __future__ import annotations

import base64
import fcntl
import hmac
import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delineate.errors import UnavailableError

__all__ = ["Pseudonyms", "Taken"]

_KEY_BYTES = 32
_MOST_DAYS = 3650
_UID = re.compile(r"2\.25\.\d{1,39}")


@dataclass(slots=True)
class Taken:
    """What was taken from a file: the old UID of each new one, and attributes as DICOM JSON."""

    uids: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


class Pseudonyms:
    """Makes pseudonyms, and keeps what they stand for.

    Parameters
    ----------
    folder
        Of the tenant; it and its key are made where they are missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._key = _key(folder / "key")

    def uid(self, old: str) -> str:
        """The UID in place of another: ``2.25.`` and a number of 128 bits (PS3.5 B.2)."""
        return f"2.25.{int.from_bytes(self._mac('uid', old)[:16])}"

    def patient(self, old: str) -> str:
        """The id in place of a patient's."""
        return f"P{self._mac('patient', old)[:8].hex().upper()}"

    def days(self, patient: str) -> int:
        """By how many days all dates of a patient are earlier than they were, 1 to ten years."""
        return 1 + int.from_bytes(self._mac("days", patient)[:8]) % _MOST_DAYS

    def mark(self, uid: str) -> str:
        """What shows that an instance of that new UID was made with this key."""
        return self._mac("mark", uid)[:16].hex()

    def keep(self, study: str, taken: Taken) -> None:
        """Keep what was taken from a file of a study, by its new UID."""
        plain = json.dumps([taken.uids, taken.attributes], sort_keys=True).encode()
        line = base64.b64encode(self._seal().encrypt(plain, [study.encode()])) + b"\n"
        with self._file(study).open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.fchmod(file.fileno(), 0o600)
            file.seek(0)
            if line not in file.readlines():
                file.write(line)
                file.flush()
                os.fsync(file.fileno())

    def taken(self, study: str) -> Taken | None:
        """All that was taken from a study, by its new UID; ``None`` if nothing is kept of it.

        Raises
        ------
        UnavailableError
            If it was sealed with another key.
        """
        from cryptography.exceptions import InvalidTag

        found = Taken()
        try:
            lines = self._file(study).read_bytes().splitlines()
        except FileNotFoundError:
            return None
        for line in lines:
            try:
                plain = self._seal().decrypt(base64.b64decode(line), [study.encode()])
            except (InvalidTag, ValueError):
                raise UnavailableError(
                    "what this study's pseudonyms stand for was sealed with another key; "
                    "put the tenant's old key back"
                ) from None
            uids, attributes = json.loads(plain)
            found.uids |= uids
            found.attributes |= attributes
        return found

    def _file(self, study: str) -> Path:
        if not _UID.fullmatch(study):
            raise ValueError("expected a UID that was made here")
        return self._folder / f"{study}.sealed"

    def _seal(self) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        return AESSIV(self._mac("seal", "1") + self._mac("seal", "2"))

    def _mac(self, purpose: str, told: str) -> bytes:
        return hmac.digest(self._key, f"{purpose}\0{told}".encode(), "sha256")


def _key(path: Path) -> bytes:
    """The key in a file; a new one, whole or not at all, where there is none."""
    if not path.exists():
        draft = path.with_name(f"key-{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was faster
            os.link(draft, path)
        draft.unlink()
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise UnavailableError(f"the key of the pseudonyms has {len(key)} bytes, expected 32")
    return key
