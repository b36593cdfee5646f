"""Images on disk: the same contents are the same image; what is not kept leaves nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.errors import (
    SeriesChoiceError,
    StorageFullError,
    TooLargeError,
    UnknownImageError,
    UnsuitableImageError,
)
from delineate.jobs.disk import sync
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store, StoredImage, TenantStore, room
from delineate.jobs.upload import Reception, base_name, image_id, suffix


@pytest.fixture
def store(tmp_path: Path) -> TenantStore:
    return Store(Settings(data=tmp_path, min_free_bytes=0)).of("local")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "tenants" / "local"


def report(*series: tuple[str, str]) -> dict[str, object]:
    return {
        "series": [
            {
                "id": name,
                "verdict": verdict,
                "modality": "CT",
                "slices": 9,
                "description": "",
                "advice": "Send the whole series.",
                "problems": [{"code": "missing_slice", "message": "Slice 3 is missing."}],
            }
            for name, verdict in series
        ]
    }


def keep(store: TenantStore, contents: bytes = b"slice") -> StoredImage:
    with store.incoming() as folder:
        (folder / "files").mkdir()
        (folder / "files" / "0001.dcm").write_bytes(contents)
        (folder / "names.json").write_text('{"0001.dcm": "IM1"}')
        document = {"id": image_id([contents.hex() or "0"]), "files": 1, "report": report()}
        return store.keep(folder, document)


@given(st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), min_size=1), st.randoms())
def test_the_id_depends_on_contents_alone(hashes: list[str], random: object) -> None:
    shuffled = hashes + hashes[:1]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert image_id(shuffled) == image_id(hashes)
    assert image_id([*hashes, "0" * 64 if "0" * 64 not in hashes else "1" * 64]) != image_id(hashes)


def test_the_same_image_is_kept_once(store: TenantStore, home: Path) -> None:
    first, second = keep(store), keep(store)

    assert first.folder == second.folder
    assert [path.read_bytes() for path in second.files] == [b"slice"]
    assert list((home / "incoming").iterdir()) == []


def test_an_upload_that_fails_leaves_nothing(store: TenantStore, home: Path) -> None:
    def broken_upload() -> None:
        with store.incoming() as folder:
            (folder / "parts" / "000000").write_bytes(b"half a slice")
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        broken_upload()

    assert list((home / "incoming").iterdir()) == []
    assert not (home / "images").exists()


def test_opening_drops_what_a_killed_process_left(tmp_path: Path, home: Path) -> None:
    (home / "incoming" / "dead" / "parts").mkdir(parents=True)

    Store(Settings(data=tmp_path)).open()

    assert not (home / "incoming").exists()


@pytest.mark.parametrize("name", ["", "0" * 63, "../" + "0" * 61, "0" * 64, "g" * 64])
def test_an_id_that_is_none_is_unknown(store: TenantStore, name: str) -> None:
    with pytest.raises(UnknownImageError):
        store.image(name)


def test_the_only_usable_series_is_chosen_and_several_are_listed(tmp_path: Path) -> None:
    one = StoredImage(tmp_path, {"report": report(("a", "usable"), ("b", "refused"))})
    two = StoredImage(tmp_path, {"report": report(("a", "usable"), ("c", "corrected"))})

    assert one.series(None)["id"] == "a"
    assert two.series("c")["id"] == "c"
    with pytest.raises(SeriesChoiceError) as caught:
        two.series(None)
    assert [each["id"] for each in caught.value.series] == ["a", "c"]
    with pytest.raises(SeriesChoiceError, match="not among them"):
        two.series("d")
    with pytest.raises(UnsuitableImageError, match=r"Slice 3 is missing. Send the whole"):
        one.series("b")


def test_limits_on_bytes_and_files_hold_while_writing(store: TenantStore, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, max_upload_bytes=10, max_files=2, min_free_bytes=0)
    with store.incoming() as folder:
        reception = Reception(store, settings, folder)
        with pytest.raises(TooLargeError, match="11 were announced"):
            reception.expect(11)
        reception.start("a.dcm")
        reception.write(b"123456")
        with pytest.raises(TooLargeError, match="at most 10 bytes"):
            reception.write(b"789ab")
        reception.start("b.dcm")
        with pytest.raises(TooLargeError, match="at most 2 files"):
            reception.start("c.dcm")
        reception.close()


def test_files_reach_the_disk_as_they_come_and_are_known_after_a_move(
    store: TenantStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr("os.fsync", lambda one: synced.append(os.readlink(f"/proc/self/fd/{one}")))
    with store.incoming() as folder:
        reception = Reception(store, Settings(data=tmp_path, min_free_bytes=0), folder)
        for name in ("a.dcm", "b.dcm"):
            reception.start(name)
            reception.write(name.encode())
        reception.close()  # breaks off in the second
        known = reception.synced()
        assert [Path(one).name for one in synced] == ["000000.dcm"]
        (folder / "files").mkdir()
        for part in reception.parts:
            part.path.rename(folder / "files" / part.path.name)
        (folder / "files" / "another").write_bytes(b"a.dcm")
        synced.clear()

        sync(folder / "files", but=known)

    assert sorted(Path(one).name for one in synced) == ["000001.dcm", "another", "files"]


def test_a_full_disk_has_its_own_error(store: TenantStore, tmp_path: Path) -> None:
    full = Store(Settings(data=tmp_path, min_free_bytes=2**62))
    with pytest.raises(StorageFullError, match="MiB are free"):
        full.check_room()
    with pytest.raises(StorageFullError), room():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(PermissionError), room():
        raise PermissionError(errno.EACCES, "no")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("scan.nii.gz", ".nii.gz"),
        ("IM0001", ""),
        ("A.DCM", ".dcm"),
        ("x.exe", ""),
        ("../../etc/passwd", ""),
        ("C:\\scans\\DOE^JOHN.dcm", ".dcm"),
    ],
)
def test_of_a_name_only_a_known_ending_becomes_part_of_a_path(name: str, kept: str) -> None:
    assert suffix(name) == kept
    assert "/" not in base_name(name)
