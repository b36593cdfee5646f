"""Fetching, from a real server on this machine: only what was listed is ever opened."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from models import described

from delineate.errors import ModelError, NotFoundError
from delineate.segmentation import store
from delineate.segmentation.fetch import fetch, read_sources
from delineate.segmentation.model_file import write_model
from delineate.segmentation.networks import build_network

ARGUMENTS = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [2, 4]}
ARGUMENTS |= {"strides": [2]}


@dataclass
class Site:
    """A server, and how it misbehaves."""

    address: str = ""
    content: bytes = b""
    ends_after: int | None = None
    knows_ranges: bool = True
    endless: bool = False
    redirect: str = ""
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    state = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.headers.get("Range"))
            if state.redirect and self.path != "/there":
                self.send_response(302)
                self.send_header("Location", state.redirect)
                self.end_headers()
                return
            start = 0
            if state.knows_ranges and (asked := self.headers.get("Range")):
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                self.send_response(206)
                last = len(state.content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
            else:
                self.send_response(200)
            body = state.content[start:]
            if not state.endless:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if state.ends_after is None else body[: state.ends_after])
            if state.endless:
                self.wfile.write(b"x" * 100)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DELINEATE_MODELS", str(tmp_path / "installed"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "installed"


@pytest.fixture
def listed(tmp_path: Path, site: Site) -> Path:
    """A list with one model, which the server has."""
    model = described(folder=tmp_path / "m", arguments=ARGUMENTS)
    write_model(model, [build_network("UNet", ARGUMENTS).state_dict()])
    site.content = Path(
        shutil.make_archive(str(tmp_path / "m"), "zip", tmp_path / "m")
    ).read_bytes()
    return _list(tmp_path, site)


def _list(folder: Path, site: Site, **changes: Any) -> Path:
    entry = {
        "name": "far-away",
        "url": f"{site.address}/model.zip",
        "sha256": hashlib.sha256(site.content).hexdigest(),
        "size": len(site.content),
        "licence": "Apache-2.0",
        "kind": "model",
    }
    path = folder / "sources.json"
    path.write_text(json.dumps({"sources": [entry | changes]}))
    return path


def _left(installed: Path) -> list[str]:
    return sorted(path.name for path in (installed / ".downloads").iterdir())


def test_a_listed_model_is_fetched_and_installed(site: Site, listed: Path, installed: Path) -> None:
    seen: list[tuple[int, int]] = []

    model = fetch("far-away", listed, lambda done, whole: seen.append((done, whole)))

    assert model.folder == installed / "far-away"
    assert store.check("far-away")
    assert seen[-1] == (len(site.content), len(site.content))
    assert _left(installed) == []


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_download_that_was_cut_off_goes_on(
    site: Site, listed: Path, installed: Path, knows_ranges: bool
) -> None:
    site.ends_after, site.knows_ranges = 700, knows_ranges
    with pytest.raises(ModelError, match=r"ended after 700 of \d+ bytes"):
        fetch("far-away", listed)
    (partial,) = (installed / ".downloads").iterdir()
    assert partial.read_bytes() == site.content[:700]
    site.ends_after = None

    fetch("far-away", listed)

    assert site.asked == [None, "bytes=700-"]
    assert store.check("far-away")


def test_a_file_that_is_another_is_deleted_unopened(
    site: Site, tmp_path: Path, listed: Path, installed: Path
) -> None:
    site.content = site.content[:-1] + b"!"

    with pytest.raises(ModelError, match=r"has sha256 .*not opened and is deleted"):
        fetch("far-away", listed)
    assert _left(installed) == []
    assert [each.name for each in store.installed_models()] == ["organs-ct"]


def test_more_than_was_listed_is_not_taken(site: Site, listed: Path, installed: Path) -> None:
    site.endless = True

    with pytest.raises(ModelError, match=r"more than the listed \d+ bytes.*models add FILE"):
        fetch("far-away", listed)
    assert all(path.stat().st_size <= len(site.content) for path in installed.rglob("*.partial"))


@pytest.mark.parametrize(
    "target", ["http://example.org/model.zip", "file:///etc/passwd", "ftp://127.0.0.1/x"]
)
def test_a_redirect_away_from_https_is_not_followed(site: Site, listed: Path, target: str) -> None:
    site.redirect = target

    with pytest.raises(ModelError, match=r"expected an https address|is not allowed"):
        fetch("far-away", listed)
    assert len(site.asked) == 1


def test_a_redirect_on_this_machine_is_followed(site: Site, listed: Path) -> None:
    site.redirect = f"{site.address}/there"

    assert fetch("far-away", listed).name == "far-away"


def test_a_server_that_is_not_there_is_said_with_the_way_by_hand(
    tmp_path: Path, site: Site
) -> None:
    site.content = b"x"
    path = _list(tmp_path, site, url="http://127.0.0.1:9/model.zip")

    with pytest.raises(ModelError, match=r"cannot be fetched: .*delineate models add FILE --name"):
        fetch("far-away", path)


def test_what_is_not_listed_is_not_fetched(site: Site, listed: Path) -> None:
    with pytest.raises(NotFoundError, match=r"in no list of sources; listed are far-away"):
        fetch("elsewhere", listed)
    with pytest.raises(NotFoundError, match=r"listed are none"):
        fetch("far-away")
    assert site.asked == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "http://example.org/x.zip"}, "expected an https address"),
        ({"url": "file:///etc/passwd"}, "expected an https address"),
        ({"url": "https://"}, "expected an https address"),
        ({"sha256": "abc"}, "64 hexadecimal digits"),
        ({"size": 0}, "a size of 1 to"),
        ({"size": 10**15}, "a size of 1 to"),
        ({"kind": "script"}, "expected a kind of"),
        ({"name": "../evil"}, "lower-case letters"),
    ],
)
def test_entries_that_make_no_sense_are_refused(
    tmp_path: Path, site: Site, changes: dict[str, Any], message: str
) -> None:
    site.content = b"x"

    with pytest.raises(ModelError, match=message):
        read_sources(_list(tmp_path, site, **changes))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sources": 3}', '{"sources": [3]}', "[" * 9999])
def test_lists_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.json").write_text(text)

    with pytest.raises(ModelError, match="is no list of sources"):
        read_sources(tmp_path / "list.json")


def test_the_shipped_list_can_be_read_and_holds_only_what_has_a_hash() -> None:
    assert all(len(source.sha256) == 64 for source in read_sources().values())
