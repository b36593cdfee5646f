"""What is costly to make once is kept in a folder of the user's own.

An entry is a folder of files and a seal with their sha256. It is written under another name and
renamed, so that nobody ever sees half of one; one whose seal does not hold counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["MOST_BYTES", "Cache", "key_of", "private_folder"]

MOST_BYTES = 4 << 30
"""Of all entries together; beyond, those go first that were not used for longest."""

_SEAL = "seal.json"


def private_folder() -> Path | None:
    """Find or make the folder to keep things in.

    Returns
    -------
    Path or None
        The environment's ``DELINEATE_CACHE``, else ``delineate`` below ``XDG_CACHE_HOME`` or
        ``~/.cache``. ``None`` if it cannot be written, belongs to somebody else or is open for
        others to write: what lies there would be believed.
    """
    named = os.environ.get("DELINEATE_CACHE")
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(named) if named else Path(home) / "delineate"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder if _own(folder) and os.access(folder, os.W_OK | os.X_OK) else None


def key_of(parts: Mapping[str, object]) -> str:
    """Name for what was made from these parts: hexadecimal, equal for equal parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


class Cache:
    """Entries below one folder.

    Parameters
    ----------
    folder
        Such as `private_folder` finds; ``None``: nothing is ever kept or found.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def find(self, name: str) -> Path | None:
        """Folder of an entry, or ``None`` if there is none, or none whose seal holds."""
        if self.folder is None:
            return None
        entry = self.folder / name
        try:
            seal = json.loads((entry / _SEAL).read_bytes())
            own = _own(entry) and all(_own(entry / file) for file in (_SEAL, *seal))
            whole = own and all(_sha256(entry / file) == seal[file] for file in seal)
            os.utime(entry)
        except (OSError, ValueError, TypeError):
            return None
        return entry if whole else None

    def keep(self, name: str, write: Callable[[Path], None]) -> Path | None:
        """Make an entry anew.

        Parameters
        ----------
        name
            See `key_of`.
        write
            Is given an empty folder and writes files into it.

        Returns
        -------
        Path or None
            The entry; ``None`` if it cannot be written, which is no error. Errors of ``write``
            other than ``OSError`` are the caller's.
        """
        if self.folder is None:
            return None
        try:
            fresh = Path(tempfile.mkdtemp(prefix="writing-", dir=self.folder))
        except OSError:
            return None
        try:
            write(fresh)
            files = sorted(path.name for path in fresh.iterdir())
            seal = {file: _sha256(fresh / file) for file in files}
            (fresh / _SEAL).write_text(json.dumps(seal))
            return self._put(fresh, name)
        except OSError:
            return self.find(name)  # another process may have been first
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _put(self, fresh: Path, name: str) -> Path:
        assert self.folder is not None
        entry = self.folder / name
        if self.find(name) is None and entry.exists():
            broken = Path(tempfile.mkdtemp(prefix="writing-", dir=self.folder))
            entry.rename(broken / "broken")
            shutil.rmtree(broken, ignore_errors=True)
        fresh.rename(entry)  # fails if another process was first
        self._make_room(entry)
        return entry

    def _make_room(self, newest: Path) -> None:
        assert self.folder is not None
        entries = [seal.parent for seal in self.folder.glob(f"*/{_SEAL}")]
        entries.sort(key=lambda entry: (entry != newest, -entry.stat().st_mtime))
        room = MOST_BYTES
        for entry in entries:
            room -= sum(file.stat().st_size for file in entry.iterdir())
            if room < 0 and entry != newest:
                shutil.rmtree(entry, ignore_errors=True)


def _own(path: Path) -> bool:
    """Whether a file or folder belongs to the user and nobody else may write it."""
    if not hasattr(os, "geteuid"):
        return True
    state = path.lstat()
    linked = path.is_symlink()
    return state.st_uid == os.geteuid() and (linked or not state.st_mode & 0o022)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
