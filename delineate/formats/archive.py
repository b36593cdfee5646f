"""Unpack a zip that somebody sent, whatever is in it.

Entry names never become paths, declared sizes are not believed, and nothing is unpacked beyond
the limits.
"""

from __future__ import annotations

import errno
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from delineate.errors import StorageFullError, TooLargeError, UploadError

__all__ = ["Limits", "extract", "original_names"]

_CHUNK = 1 << 20
# What zipfile raises on archives that contradict themselves.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may come out of one archive.

    ``ratio`` bounds unpacked by packed bytes, but only where more than ``free_bytes`` come out:
    CT of air or a phantom packs better than most bombs, and does no harm while it is small.
    """

    entries: int = 20_000
    total_bytes: int = 16 << 30
    ratio: float = 50.0
    free_bytes: int = 512 << 20


def extract(path: Path, folder: Path, limits: Limits | None = None) -> list[Path]:
    """Unpack every file of a zip into ``folder``, under names made up here.

    Parameters
    ----------
    path
        The archive.
    folder
        Exists; what was written to it is removed if anything goes wrong.
    limits
        By default `Limits()`.

    Returns
    -------
    list of Path
        In the archive's order: ``folder/000000`` and so on. `original_names` says what their
        sender calls them. Archives within the archive are unpacked as files and left closed.

    Raises
    ------
    UploadError
        For names that leave the folder, links, encrypted or damaged entries.
    TooLargeError
        For more entries or bytes than the limits allow.
    StorageFullError
        If there is no room for what comes out.
    """
    limits = limits or Limits()
    written: list[Path] = []
    try:
        allowed = _allowed(path, limits)
        with zipfile.ZipFile(path) as archive:
            files = _files(archive, limits)
            _demand_honest(files, path.stat().st_size, allowed)
            for index, info in enumerate(files):
                written.append(folder / f"{index:06d}")
                allowed -= _unpack(archive, info, written[-1], allowed, index + 1)
    except BaseException as error:
        for one in written:
            one.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFullError("no room is left to unpack the archive") from error
        broken_seek = isinstance(error, OSError) and error.errno == errno.EINVAL
        if broken_seek or (isinstance(error, _DAMAGED) and not isinstance(error, UploadError)):
            raise UploadError(
                f"the zip archive is damaged or packed in an unusual way "
                f"({type(error).__name__}); pack it again"
            ) from None
        raise
    return written


def original_names(path: Path, limits: Limits | None = None) -> list[str]:
    """Names, for messages only, of the files that `extract` writes, in the same order."""
    with zipfile.ZipFile(path) as archive:
        return [info.filename for info in _files(archive, limits or Limits())]


def _allowed(path: Path, limits: Limits) -> int:
    """Bytes that may come out; refuses a directory of too many entries before it is parsed."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 66_000))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 20:
        raise UploadError("the zip archive has no directory at its end; send it again")
    count, directory = struct.unpack("<HI", tail[at + 10 : at + 16])
    at64 = tail.rfind(b"PK\x06\x06", 0, at)
    if at64 >= 0 and at64 + 48 <= at and (count == 0xFFFF or directory == 0xFFFFFFFF):
        count, directory = struct.unpack("<QQ", tail[at64 + 32 : at64 + 48])
    if max(count, directory // 512) > limits.entries:
        raise TooLargeError(
            f"the zip archive holds more than {limits.entries} entries; send one study at a time"
        )
    return min(limits.total_bytes, max(limits.free_bytes, int(limits.ratio * size)))


def _files(archive: zipfile.ZipFile, limits: Limits) -> list[zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > limits.entries:
        raise TooLargeError(
            f"the zip archive holds {len(infos)} entries, {limits.entries} are allowed; send one "
            "study at a time"
        )
    files = []
    for number, info in enumerate(infos, 1):
        name = info.orig_filename.replace("\\", "/")
        if "\0" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name):
            raise UploadError(f"entry {number} of the zip archive has an absolute or broken name")
        if ".." in name.split("/"):
            raise UploadError(
                f"entry {number} of the zip archive points out of its folder; pack the files anew, "
                "with names that hold no '..'"
            )
        if stat.S_ISLNK(info.external_attr >> 16):
            raise UploadError(f"entry {number} of the zip archive is a link")
        if info.flag_bits & 0x1:
            raise UploadError(
                f"entry {number} of the zip archive is encrypted; pack it without a password"
            )
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UploadError(
                f"entry {number} of the zip archive is packed in an unusual way; pack it again "
                "as an ordinary zip"
            )
        if not info.is_dir():
            files.append(info)
    return files


def _demand_honest(files: list[zipfile.ZipInfo], size: int, allowed: int) -> None:
    """Refuse at once what says itself that it is too large, or packs the same bytes twice."""
    if sum(info.compress_size for info in files) > size:
        raise UploadError("entries of the zip archive overlap; pack it again")
    if sum(info.file_size for info in files) > allowed:
        raise TooLargeError(
            "the zip archive unpacks to more than is allowed; send one study at a time, or the "
            "files themselves"
        )


def _unpack(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, to: Path, allowed: int, number: int
) -> int:
    total = 0
    with archive.open(info) as packed, to.open("xb") as out:
        while chunk := packed.read(_CHUNK):
            total += len(chunk)
            if total > allowed:
                raise TooLargeError(
                    f"the zip archive unpacks to more than is allowed (at entry {number}); send "
                    "one study at a time, or the files themselves"
                )
            out.write(chunk)
    return total
