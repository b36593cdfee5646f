"""Several files in one zip, the same bytes for the same files."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["file_names", "write_zip"]

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def write_zip(path: Path | str, files: Iterable[tuple[str, bytes]], packed: bool = True) -> None:
    """Write files under their names, without a clock; ``packed=False`` for compressed ones."""
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = method
            info.create_system = 3  # Unix, wherever it is written
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)


def file_names(names: Iterable[str], ending: str) -> list[str]:
    """Names that every system takes for a file, each once whatever the case."""
    found, taken = [], set[str]()
    for name in names:
        plain = re.sub(r"[^\w.-]+", "_", name).strip("._-")[:80] or "structure"
        if _RESERVED.match(plain):
            plain = f"_{plain}"
        unique, number = plain, 1
        while unique.casefold() in taken:
            number += 1
            unique = f"{plain}_{number}"
        taken.add(unique.casefold())
        found.append(unique + ending)
    return found
