"""Folders in object storage: whole or not there, and what was put is what is got."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from s3 import s3_server

from delineate.errors import CorruptStorageError, UnavailableError, UnknownImageError
from delineate.jobs.objects import Objects
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store, TenantStore

NAMES = st.from_regex(r"[a-zA-Z0-9_]{1,8}(/[a-z]{1,4})?(\.dcm|\.json)", fullmatch=True)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield "s3://images/service"


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"file://{tmp_path}/storage"
    return f"{request.getfixturevalue('s3')}/{tmp_path.name}"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=100), max_size=4))
def test_what_is_fetched_is_what_was_published(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    here = tmp_path_factory.mktemp("law")
    for name, data in files.items():
        path = here / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_dir():
            path.write_bytes(data)
    (here / "source").mkdir(exist_ok=True)
    objects = Objects(f"file://{here}/storage")

    objects.publish(here / "source", "a/b")

    assert objects.fetch("a/b", here / "copy", here / "scratch")
    assert contents(here / "copy") == contents(here / "source")
    assert list((here / "scratch").iterdir()) == []


def stored(url: str, data: Path, **more: object) -> TenantStore:
    return Store(Settings(data=data, storage=url, min_free_bytes=0, **more)).of("local")  # type: ignore[arg-type]


def kept(store: TenantStore, image_id: str = "a" * 64) -> str:
    with store.incoming() as folder:
        (folder / "files").mkdir()
        (folder / "files" / "0001.dcm").write_bytes(b"slice" * 1000)
        (folder / "names.json").write_text('{"0001.dcm": "IM1"}')
        document = {"id": image_id, "files": 1, "bytes": 5000, "report": {"series": []}}
        return str(store.keep(folder, document).document["id"])


def test_an_image_kept_on_one_machine_is_found_on_another(url: str, tmp_path: Path) -> None:
    image_id = kept(stored(url, tmp_path / "one"))
    other = stored(url, tmp_path / "two")

    assert other.ids() == [image_id]
    assert other.document(image_id)["files"] == 1
    assert not (tmp_path / "two" / "tenants" / "local" / "images").exists()
    assert [path.read_bytes() for path in other.image(image_id).files] == [b"slice" * 1000]
    assert other.image(image_id).reading["names"] == {"0001.dcm": "IM1"}

    other.remove_image(image_id)
    assert stored(url, tmp_path / "three").ids() == []
    with pytest.raises(UnknownImageError):
        stored(url, tmp_path / "three").image(image_id)


def test_what_has_changed_in_the_storage_is_refused(url: str, tmp_path: Path) -> None:
    import obstore
    from obstore.store import from_url

    image_id = kept(stored(url, tmp_path / "one"))
    name = f"tenants/local/images/{image_id}/files/0001.dcm"
    obstore.put(from_url(url), name, b"slicE" * 1000)
    other = stored(url, tmp_path / "two")

    with pytest.raises(CorruptStorageError, match=r"0001\.dcm in the storage has the SHA-256"):
        other.image(image_id)
    assert list((tmp_path / "two" / "tenants" / "local" / "fetching").iterdir()) == []
    assert not (tmp_path / "two" / "tenants" / "local" / "images" / image_id).exists()


def test_without_its_manifest_there_is_nothing(url: str, tmp_path: Path) -> None:
    import obstore
    from obstore.store import from_url

    image_id = kept(stored(url, tmp_path / "one"))
    obstore.delete(from_url(url), f"tenants/local/images/{image_id}/manifest.json")

    with pytest.raises(UnknownImageError):
        stored(url, tmp_path / "two").image(image_id)


def test_an_upload_that_cannot_be_published_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "1"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "no")
    store = stored("s3://nowhere/at/all", tmp_path)

    with pytest.raises(UnavailableError, match="does not answer as expected"):
        kept(store)

    home = tmp_path / "tenants" / "local"
    assert list((home / "incoming").iterdir()) == []
    assert not (home / "images").exists()


def test_the_manifest_tells_size_and_hash_of_every_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "empty").touch()
    Objects(f"file://{tmp_path}/storage").publish(tmp_path / "folder", "it")

    manifest = json.loads((tmp_path / "storage" / "it" / "manifest.json").read_text())
    assert manifest == {
        "empty": {
            "bytes": 0,
            "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        }
    }
