"""Zips that somebody sent: good ones are unpacked, hostile ones refused and nothing left behind."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.errors import InputError, TooLargeError, UploadError
from delineate.formats import inspect, read
from delineate.formats.archive import Limits, extract, original_names
from delineate.formats.dicom import write_series
from delineate.imaging import Grid, Image


def pack(path: Path, files: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def outcome(path: Path, tmp_path: Path, limits: Limits | None = None) -> list[Path]:
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    return extract(path, folder, limits)


def nothing_is_left(tmp_path: Path, archive: Path) -> bool:
    return [one for one in tmp_path.rglob("*") if one.is_file()] == [archive]


def test_files_come_out_under_names_made_up_here(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {"a/CT 1.dcm": b"one", "b/é.dcm": b"two", "b/": b""})

    paths = outcome(archive, tmp_path)

    assert [path.name for path in paths] == ["000000", "000001"]
    assert [path.read_bytes() for path in paths] == [b"one", b"two"]
    assert original_names(archive) == ["a/CT 1.dcm", "b/é.dcm"]


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/etc/evil",
        "\\evil",
        "..\\evil",
        "C:\\evil",
        "c:evil",
        "a\\..\\b",
    ],
)
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path / "a.zip", {"good": b"good", name: b"evil"})

    with pytest.raises(UploadError, match="entry 2"):
        outcome(archive, tmp_path)

    assert nothing_is_left(tmp_path, archive)


def test_a_name_with_nul_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {"evilX.dcm": b"evil"})
    archive.write_bytes(archive.read_bytes().replace(b"evilX.dcm", b"evil\0.dcm"))

    with pytest.raises(UploadError):
        outcome(archive, tmp_path)

    assert nothing_is_left(tmp_path, archive)


def test_a_link_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(info, "/etc/passwd")

    with pytest.raises(UploadError, match="link"):
        outcome(archive, tmp_path)


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {"secret": b"secret"})
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)

    with pytest.raises(UploadError, match="without a password"):
        outcome(archive, tmp_path)


def test_a_zip_within_a_zip_stays_closed(tmp_path: Path) -> None:
    inner = pack(tmp_path / "inner.zip", {"a": b"a"})
    archive = pack(tmp_path / "a.zip", {"inner.zip": inner.read_bytes(), "b.txt": b"text"})

    report = inspect(archive)

    assert report.verdict == "refused"
    assert [one.name for one in report.ignored] == ["b.txt", "inner.zip"]
    assert "zip" in report.ignored[1].reason


def test_a_bomb_is_stopped_where_it_goes_beyond_the_ratio(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {str(n): bytes(1 << 20) for n in range(8)})
    limits = Limits(free_bytes=3 << 20)

    with pytest.raises(TooLargeError, match="more than is allowed"):
        outcome(archive, tmp_path, limits)

    assert nothing_is_left(tmp_path, archive)


def test_air_packs_well_and_is_unpacked_all_the_same(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {str(n): bytes(1 << 20) for n in range(8)})

    assert archive.stat().st_size * 500 < 8 << 20
    assert len(outcome(archive, tmp_path)) == 8


def test_forged_sizes_are_not_believed(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {"a": bytes(4 << 20)})
    content = bytearray(archive.read_bytes())
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = content.index(mark) + at
        content[start : start + 4] = struct.pack("<I", 10)
    archive.write_bytes(content)

    with pytest.raises(UploadError):
        outcome(archive, tmp_path, Limits(free_bytes=1 << 20))

    assert nothing_is_left(tmp_path, archive)


def test_overlapping_entries_are_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {"a": bytes(1 << 20), "b": bytes(1 << 20)})
    content = bytearray(archive.read_bytes())
    second = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4)
    content[second + 42 : second + 46] = struct.pack("<I", 0)  # b begins where a does
    archive.write_bytes(content)

    with pytest.raises(UploadError):
        outcome(archive, tmp_path)


def test_too_many_entries_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for index in range(3000):
            packed.writestr(str(index), b"")

    with pytest.raises(TooLargeError, match="more than 1000 entries"):
        outcome(archive, tmp_path, Limits(entries=1000))


def test_a_forged_count_of_entries_does_not_help(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for index in range(3000):
            packed.writestr(str(index), b"")
    content = bytearray(archive.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    content[end + 8 : end + 12] = struct.pack("<HH", 1, 1)
    archive.write_bytes(content)

    with pytest.raises(TooLargeError, match="entries"):
        outcome(archive, tmp_path, Limits(entries=1000))


def spoil_content(content: bytearray) -> None:
    content[60] ^= 0xFF


def cut(content: bytearray) -> None:
    del content[len(content) // 2 :]


def unknown_method(content: bytearray) -> None:
    content[8] = 99
    content[content.index(b"PK\x01\x02") + 10] = 99


@pytest.mark.parametrize("damage", [spoil_content, cut, unknown_method])
def test_a_damaged_zip_is_refused(tmp_path: Path, damage: Callable[[bytearray], None]) -> None:
    noise = np.random.default_rng(1).bytes(5000)
    archive = pack(tmp_path / "a.zip", {"a": noise})
    content = bytearray(archive.read_bytes())
    damage(content)
    archive.write_bytes(content)

    with pytest.raises(UploadError):
        outcome(archive, tmp_path)

    assert nothing_is_left(tmp_path, archive)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_is_changed_in_a_zip_only_input_errors_come_out(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.dcm", b"a" * 300)
        packed.writestr("b.dcm", np.random.default_rng(1).bytes(50))
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("zip")
    archive = folder / "a.zip"
    archive.write_bytes(content)

    try:
        paths = outcome(archive, folder)
    except InputError:
        assert nothing_is_left(folder, archive)
    else:
        assert all(path.parent == folder / "out" for path in paths)


def test_a_zipped_series_is_the_same_image_as_its_folder(tmp_path: Path) -> None:
    samples = np.random.default_rng(3).integers(-1024, 2000, (4, 9, 8)).astype(np.int16)
    image = Image(samples, Grid.regular((4, 9, 8), (2.5, 0.7, 0.8)), "CT")
    paths = write_series(image, tmp_path / "series")
    files = {f"study/{path.name}": path.read_bytes() for path in paths}
    archive = pack(tmp_path / "upload", {**files, "study/.DS_Store": b"x", "README": b"text"})

    assert read(archive).content_hash == image.content_hash
    (zipped,), (plain,) = inspect(archive).series, inspect(tmp_path / "series").series
    assert zipped.files == tuple(f"study/{name}" for name in plain.files)
    assert replace(zipped, files=plain.files) == plain
    assert {one.name: one.reason for one in inspect(archive).ignored} == {
        "study/.DS_Store": "a file of the operating system",
        "README": "a text file",
    }
