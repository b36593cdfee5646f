"""All the files that were given: folders searched, a zip unpacked, gzipped files unpacked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from delineate.errors import TooLargeError, UnreadableFileError
from delineate.formats.archive import Limits, extract, original_names
from delineate.formats.dicom import Entry
from delineate.formats.samples import decompressed
from delineate.formats.sniff import kind_of

__all__ = ["Paths", "beside", "gathered", "unzipped"]

Paths = str | os.PathLike[str] | Entry | Iterable[str | os.PathLike[str] | Entry]
_CHUNK = 1 << 20


@contextmanager
def gathered(paths: Paths) -> Iterator[tuple[list[Entry], Path]]:
    """The files of ``paths``, a zip that stands alone unpacked, and a folder for more.

    Both are gone when the block ends.

    Raises
    ------
    UploadError
        If a zip is hostile, damaged or too large.
    FileNotFoundError
        If a path does not exist.
    """
    given = [paths] if isinstance(paths, str | os.PathLike | Entry) else list(paths)
    entries = [entry for one in given for entry in _walk(one)]
    with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
        folder = Path(scratch)
        if len(entries) == 1 and kind_of(entries[0].path) == "zip":
            path = entries[0].path
            unpacked = extract(path, folder)
            names = original_names(path)
            entries = [Entry(one, name) for one, name in zip(unpacked, names, strict=True)]
        yield entries, folder


def beside(entry: Entry, name: str, entries: Sequence[Entry]) -> Entry | None:
    """The one file that the sender of ``entry`` keeps under ``name`` in the same folder."""
    wanted = PurePosixPath(entry.name.replace("\\", "/")).with_name(name)
    found = [one for one in entries if PurePosixPath(one.name.replace("\\", "/")) == wanted]
    return found[0] if len(found) == 1 else None


def _walk(given: str | os.PathLike[str] | Entry) -> Iterator[Entry]:
    if isinstance(given, Entry):
        yield given
        return
    path = Path(given)
    if path.is_dir():
        for one in sorted(path.rglob("*")):
            if one.is_file():
                yield Entry(one, one.relative_to(path).as_posix())
    elif path.is_file():
        yield Entry(path, path.name)
    else:
        raise FileNotFoundError(f"there is no file or folder {path}")


def unzipped(entries: Sequence[Entry], folder: Path) -> tuple[list[Entry], list[Entry]]:
    """Gzipped files, unpacked into ``folder``, and those of them that are broken.

    Raises
    ------
    TooLargeError
        If more comes out than out of a zip may come.
    """
    limits, packed = Limits(), sum(entry.path.stat().st_size for entry in entries)
    allowed = min(limits.total_bytes, max(limits.free_bytes, int(limits.ratio * packed)))
    plain, broken = [], []
    for number, entry in enumerate(entries):
        target = folder / f"plain{number:06d}"
        try:
            allowed -= _unpack(entry.path, target, allowed)
        except UnreadableFileError:
            broken.append(entry)
        else:
            plain.append(replace(entry, path=target))
    return plain, broken


def _unpack(path: Path, target: Path, allowed: int) -> int:
    total = 0
    with (
        path.open("rb") as file,
        decompressed(file, "gzip", "the file") as plain,
        target.open("xb") as out,
    ):
        while chunk := plain.read(_CHUNK):
            total += len(chunk)
            if total > allowed:
                raise TooLargeError(
                    "gzipped files unpack to more than is allowed; send one study at a time, or "
                    "the files themselves"
                )
            out.write(chunk)
    return total
