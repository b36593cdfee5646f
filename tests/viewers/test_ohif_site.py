"""``delineate ohif``: one origin for the page, a key that stays here, files as published."""

from __future__ import annotations

import io
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from service import Service, series, service, until

from delineate.cli import main, ohif_files
from delineate.cli.ohif import serving
from delineate.errors import AccessError, NotFoundError, RemoteError, UnreadableFileError
from delineate.jobs import Settings, engine
from delineate.jobs.keys import RIGHTS, KeyRing

STUDIES = "/dicomweb/studies"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A service with one study, and a key that it asks for."""
    folder = tmp_path_factory.mktemp("node")
    database = engine.prepare(Settings(data=folder / "data"))
    _, key = KeyRing(database).add("viewer", "ward", RIGHTS)
    database.dispose()
    with service(folder / "data", workers=0) as running:
        running.client.headers["Authorization"] = f"Bearer {key}"
        running.upload(series(folder / "ct")).raise_for_status()
        until(lambda: running.client.get(STUDIES).json() or None)
        yield running, key


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands for OHIF's files."""
    folder = tmp_path_factory.mktemp("ohif") / "files"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html>the viewer")
    (folder / "app.js").write_text("run()")
    (folder.parent / "private.txt").write_text("not the viewer's")
    return folder


@pytest.fixture(scope="module")
def address(node: tuple[Service, str], files: Path) -> Iterator[str]:
    """What ``delineate ohif`` prints."""
    running, key = node
    with serving(files, running.url, key=key, study="1.2.3") as printed:
        yield printed


@pytest.fixture
def browser(address: str) -> Iterator[httpx.Client]:
    """Somebody who has opened that address."""
    with httpx.Client(base_url=httpx.URL(address).join("/"), timeout=60) as opened:
        answer = opened.get(address)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/viewer?StudyInstanceUIDs=1.2.3"
        assert {"HttpOnly", "SameSite=strict"} <= set(answer.headers["set-cookie"].split("; "))
        yield opened


def test_the_node_is_asked_with_the_key_and_the_browser_never_sees_it(
    browser: httpx.Client, node: tuple[Service, str]
) -> None:
    _, key = node

    answer = browser.get(STUDIES)

    assert answer.status_code == 200
    assert len(answer.json()) == 1
    pages = [browser.get(path) for path in ("/", "/app-config.js", STUDIES)]
    assert not any(key in page.text or key in str(page.headers) for page in pages)


def test_addresses_in_what_the_node_tells_are_those_of_the_site(
    browser: httpx.Client, node: tuple[Service, str]
) -> None:
    (found,) = browser.get(STUDIES).json()

    (told,) = found["00081190"]["Value"]

    assert told.startswith(f"{browser.base_url}dicomweb/studies/")
    assert node[0].url not in browser.get(f"{told}/metadata").text
    assert browser.get(f"{told}/series").json()[0]["00080060"]["Value"] == ["CT"]


def test_instances_pass_as_they_are(browser: httpx.Client, node: tuple[Service, str]) -> None:
    running, _ = node
    (found,) = browser.get(STUDIES).json()
    path = httpx.URL(found["00081190"]["Value"][0]).path
    accept = {"Accept": 'multipart/related; type="application/dicom"'}

    through = browser.get(path, headers=accept)

    direct = running.client.get(path, headers=accept)
    assert (through.status_code, direct.status_code) == (200, 200)
    boundary = through.headers["content-type"].partition("boundary=")[2].strip('"')
    other = direct.headers["content-type"].partition("boundary=")[2].strip('"')
    same = direct.content.replace(other.encode(), boundary.encode())
    assert through.content == same


def test_what_the_viewer_stores_reaches_the_node(browser: httpx.Client, tmp_path: Path) -> None:
    (file, *_) = series(tmp_path, seed="another study")
    kind = {"Content-Type": "application/dicom", "Accept": "application/dicom+json"}

    answer = browser.post(STUDIES, content=file.read_bytes(), headers=kind)

    assert answer.status_code == 200, answer.text
    assert len(browser.get(STUDIES).json()) == 2


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({}, STUDIES),  # another user of this machine, without the cookie
        ({}, "/"),
        ({}, "/enter/guessed"),
        ({"Host": "evil.example"}, STUDIES),  # a name that was rebound to this machine
        ({"Origin": "https://evil.example"}, STUDIES),
    ],
)
def test_who_was_not_given_the_address_gets_nothing(
    address: str, browser: httpx.Client, headers: dict[str, str], path: str
) -> None:
    cookies = dict(browser.cookies) if headers else {}
    with httpx.Client(base_url=httpx.URL(address).join("/"), cookies=cookies) as stranger:
        answer = stranger.get(path, headers=headers)

    assert answer.status_code == 403
    assert "00081190" not in answer.text


def test_addresses_inside_the_page_are_the_page_and_no_other_file_is_served(
    browser: httpx.Client,
) -> None:
    assert browser.get("/app.js").text == "run()"
    for path in ("/", "/viewer", "/viewer/deep?x=1", "/..%2Fprivate.txt", "/%2e%2e/private.txt"):
        assert browser.get(path).text == "<!doctype html>the viewer", path


def test_nothing_is_loaded_from_elsewhere(browser: httpx.Client) -> None:
    headers = browser.get("/").headers

    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    config = browser.get("/app-config.js").text
    assert "http" not in config
    assert '"qidoRoot": "/dicomweb"' in config


def test_without_a_key_the_address_has_no_secret(files: Path) -> None:
    with serving(files, "http://127.0.0.1:9") as address:
        assert httpx.get(address).text == "<!doctype html>the viewer"
        answer = httpx.get(f"{address}dicomweb/studies")

    assert answer.status_code == 502
    assert "127.0.0.1:9" in answer.text


def test_a_key_does_not_travel_for_all_to_read(files: Path) -> None:
    with (
        pytest.raises(AccessError, match="use https"),
        serving(files, "http://far.example", 0, "k"),
    ):
        pass


def test_a_viewer_that_is_not_here_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DELINEATE_CACHE", str(tmp_path))

    with pytest.raises(SystemExit) as ended:
        main(["ohif", "--no-browser"])

    assert ended.value.code == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "'delineate ohif --fetch' downloads @ohif/app@3.13.2 (MIT licence, 48 MB" in told
    assert "'delineate ohif --from FILE.tgz'" in told
    with pytest.raises(NotFoundError):
        ohif_files.viewer()


def test_another_file_than_the_published_one_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELINEATE_CACHE", str(tmp_path / "cache"))
    package = tmp_path / "ohif-app-3.13.2.tgz"
    with tarfile.open(package, "w:gz") as archive:
        page = tarfile.TarInfo("package/dist/index.html")
        page.size = 4
        archive.addfile(page, io.BytesIO(b"evil"))

    with pytest.raises(UnreadableFileError, match=r"expected @ohif/app@3\.13\.2 with sha512 WZdx"):
        ohif_files.install(package)

    assert not ohif_files.home().exists()


def test_what_is_published_is_unpacked_without_what_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import base64
    import hashlib

    package = tmp_path / "ohif.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for name in ("package/dist/index.html", "package/dist/a/b.js", "package/LICENSE", "../x"):
            entry = tarfile.TarInfo(name)
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    digest = hashlib.sha512(package.read_bytes()).digest()
    monkeypatch.setattr(ohif_files, "_SHA512", base64.b64encode(digest).decode())
    monkeypatch.setenv("DELINEATE_CACHE", str(tmp_path / "cache"))

    folder = ohif_files.install(package)
    ohif_files.install(package)  # once more does no harm

    assert folder == ohif_files.viewer()
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"index.html", "a/b.js", "LICENSE"}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_without_a_network_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{port}/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("DELINEATE_CACHE", str(tmp_path / "cache"))

    with pytest.raises(RemoteError, match=r"npm could not fetch .*--from FILE\.tgz"):
        ohif_files.fetch()
