"""What identifies the content of files, wherever they lie and whenever they were made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from delineate.evaluation.results import FIELD, document, is_result

__all__ = ["fingerprint"]


def fingerprint(path: Path) -> str:
    """``"sha256:..."`` of a file, or of all files of a folder with their names.

    Of a result of delineate only what was found counts, not when and how fast.
    """
    if is_result(path):
        held = document(path)
        made = held.get("provenance", {})
        for clock in ("created", "seconds"):
            made.pop(clock, None)
        digest = hashlib.sha256(json.dumps(held, sort_keys=True).encode())
        if (path / FIELD).is_file():
            digest.update(bytes.fromhex(fingerprint(path / FIELD).partition(":")[2]))
        return f"sha256:{digest.hexdigest()}"
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(one for one in path.rglob("*") if one.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()}\0{fingerprint(file)}\n".encode())
        return f"sha256:{digest.hexdigest()}"
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
