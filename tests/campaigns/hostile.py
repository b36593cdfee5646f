"""Archives that somebody made to do harm: each is refused, soon, and leaves nothing anywhere.

Run as ``python -m tests.campaigns.hostile``; the tests do the same.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from service import Service, install_detectors, service

_MIB = 2**20


@dataclass
class Outcome:
    """What came of each archive: status and seconds, and what should not have been."""

    answers: dict[str, tuple[int, float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def campaign(running: Service) -> Outcome:
    """Send every archive in a body, and file by file."""
    outcome = Outcome()
    before = _everything(running)
    for name, body, headers in archives():
        for way in ("body", "upload"):
            where = "/v1/images"
            began = time.monotonic()
            if way == "body":
                answer = running.client.post(where, content=body, headers=headers)
            else:
                begun = running.client.post("/v1/uploads").json()["id"]
                where = f"/v1/uploads/{begun}"
                answer = running.client.put(f"{where}/files/a", content=body, headers=headers)
                if answer.status_code == 201:
                    answer = running.client.post(f"{where}/complete")
            seconds = round(time.monotonic() - began, 2)
            outcome.answers[f"{name}, {way}"] = (answer.status_code, seconds)
            if way == "upload":
                running.client.delete(where)
            if not 400 <= answer.status_code < 500:
                outcome.faults.append(f"{name}, {way}: {answer.status_code} {answer.text[:200]}")
    if new := sorted(_everything(running) - before):
        outcome.faults.append(f"left behind: {new[:5]}")
    if Path("/tmp/delineate-escaped").exists():
        outcome.faults.append("a file outside its folder")
    return outcome


def archives() -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Name, bytes, and headers to send with them."""
    for name, make in _ARCHIVES.items():
        yield name, make(), {}
    yield "gzip body bomb", gzip.compress(bytes(64 * _MIB), 9), {"Content-Encoding": "gzip"}


def _zip(*files: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", kind) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return packed.getvalue()


def _named(name: str) -> Callable[[], bytes]:
    return lambda: _zip((name, b"x"))


def _with_nul() -> bytes:
    return _zip(("aXb", b"x")).replace(b"aXb", b"a\0b")


def _link() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        link = zipfile.ZipInfo("passwd")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return packed.getvalue()


def _encrypted() -> bytes:
    whole = bytearray(_zip(("a", b"secret"), kind=zipfile.ZIP_STORED))
    whole[6] |= 1  # in the file's header
    whole[whole.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    return bytes(whole)


def _nested() -> bytes:
    return _zip(("inner.zip", _zip(("a", b"x"))))


def _bomb() -> bytes:
    # Zeros deflate to a thousandth: beyond the bytes that are free, the ratio counts.
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a", "w") as file,
    ):
        for _ in range(520):
            file.write(bytes(_MIB))
    return packed.getvalue()


def _quine_of_zips() -> bytes:
    inner = _zip(*((f"{n}", bytes(_MIB)) for n in range(16)))
    for _ in range(4):
        inner = _zip(*((f"{n}.zip", inner) for n in range(16)))
    return inner


def _bomb_that_says_it_is_small() -> bytes:
    return _said_small(_bomb())


def _forged_size() -> bytes:
    return _said_small(_zip(("a", bytes(4 * _MIB))))


def _said_small(bomb: bytes) -> bytes:
    whole = bytearray(bomb)
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = whole.index(mark) + place
        whole[at : at + 4] = struct.pack("<I", 10)
    return bytes(whole)


def _overlapping() -> bytes:
    """One piece of data that the directory names a thousand times."""
    data = zlib.compress(bytes(_MIB), 9)[2:-4]
    crc = zlib.crc32(bytes(_MIB))
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(data), _MIB, 1, 0)
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(data), _MIB, 1, 0, 0, 0, 0, 0, 0
    )
    directory = (entry + b"a") * 1000
    body = local + b"a" + data
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1000, 1000, len(directory), len(body), 0)
    return body + directory + end


def _many_entries() -> bytes:
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 6, 0) + b"000000"
    directory = b"".join(entry + b"%06d" % number for number in range(100_000))
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(directory), len(local), 0)
    return local + directory + end


def _bad_crc() -> bytes:
    whole = bytearray(_zip(("a", b"some bytes"), kind=zipfile.ZIP_STORED))
    at = whole.index(b"some bytes")
    whole[at] ^= 1
    return bytes(whole)


_ARCHIVES: dict[str, Callable[[], bytes]] = {
    "traversal": _named("../../../../../../tmp/delineate-escaped"),
    "traversal by backslash": _named("..\\..\\tmp\\delineate-escaped"),
    "absolute": _named("/tmp/delineate-escaped"),
    "drive letter": _named("C:\\delineate-escaped"),
    "NUL": _with_nul,
    "link": _link,
    "encrypted": _encrypted,
    "nested": _nested,
    "bomb": _bomb,
    "bomb that says it is small": _bomb_that_says_it_is_small,
    "zip of zips of zips": _quine_of_zips,
    "forged size": _forged_size,
    "overlapping": _overlapping,
    "100 000 entries": _many_entries,
    "bad CRC": _bad_crc,
    "gzip bomb of a NIfTI": lambda: gzip.compress(bytes(64 * _MIB), 9),
}


def _everything(running: Service) -> set[str]:
    """All files but results: those of earlier jobs are written in other formats meanwhile."""
    home = running.settings.data / "tenants"
    files = (path for path in home.rglob("*") if path.is_file())
    return {str(path) for path in files if path.relative_to(home).parts[1] != "jobs"}


def main() -> None:
    """Run and print what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        os.environ["PYTHONPATH"] = install_detectors(scratch / "site")
        with service(scratch / "data", quiet=True) as running:
            outcome = campaign(running)
    for name, (status, seconds) in outcome.answers.items():
        print(f"{name:40} {status} {seconds:6.2f} s")  # noqa: T201
    print(f"faults: {outcome.faults}")  # noqa: T201


if __name__ == "__main__":
    main()
