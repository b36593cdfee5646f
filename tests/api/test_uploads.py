"""Uploads that come file by file: resumed, checked, surveyed, completed once, dropped."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service import Service, service, until, zipped

from delineate.errors import ConflictError, UploadError
from delineate.jobs import Settings
from delineate.jobs.ingest import Ingest
from delineate.jobs.intake import received
from delineate.jobs.store import Store


def digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def begin(running: Service, **asked: str) -> str:
    answer = running.client.post("/v1/uploads", params=asked)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


def put(running: Service, where: str, name: str, data: bytes, **headers: str) -> httpx.Response:
    return running.client.put(f"{where}/files/{name}", content=data, headers=headers)


def put_all(running: Service, where: str, files: list[Path]) -> None:
    for path in files:
        assert put(running, where, f"a/{path.name}", path.read_bytes()).status_code == 201


def folder_of(running: Service, where: str) -> Path:
    return running.settings.data / "tenants" / "local" / "uploads" / where.rsplit("/", 1)[1]


def test_files_put_one_by_one_make_the_image_that_a_zip_of_them_makes(
    running: Service, ct_files: list[Path], ct_id: str
) -> None:
    where = begin(running)
    put_all(running, where, ct_files)

    listed = running.client.get(f"{where}/files").json()
    answer = running.client.post(f"{where}/complete")

    assert answer.status_code == 201, answer.text
    assert [one["name"] for one in listed["files"]] == [f"a/{path.name}" for path in ct_files]
    assert listed["files"][0]["sha256"] == hashlib.sha256(ct_files[0].read_bytes()).hexdigest()
    assert answer.json()["image"]["id"] == ct_id
    assert answer.json()["job"] is None
    assert running.client.get(where).json()["state"] == "complete"
    assert not (folder_of(running, where) / "parts").exists()


def test_completion_starts_a_job_and_gives_the_same_answer_again(
    running: Service, ct_files: list[Path]
) -> None:
    where = begin(running)
    put_all(running, where, ct_files)
    asked = {"detector": "test.bright", "priority": 7}

    answers = [running.client.post(f"{where}/complete", json=asked) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    jobs = [answer.json()["job"]["id"] for answer in answers]
    assert jobs[0] == jobs[1]
    assert answers[0].json()["job"]["priority"] == 7
    assert running.wait(jobs[0])["state"] == "done"
    assert put(running, where, "more", b"x").status_code == 409


def test_the_same_file_again_changes_nothing_and_another_of_its_name_is_refused(
    running: Service,
) -> None:
    where = begin(running)

    answers = [
        put(running, where, "IM1", b"one"),
        put(running, where, "IM1", b"one"),
        put(running, where, "IM1", b"", **{"Repr-Digest": digest(b"one")}),
        put(running, where, "IM1", b"two"),
        put(running, where, "IM1", b"two", **{"Repr-Digest": digest(b"two")}),
    ]

    assert [answer.status_code for answer in answers] == [201, 200, 200, 409, 409]
    assert answers[0].headers["Repr-Digest"] == digest(b"one")
    assert running.client.get(where).json()["files"] == 1
    assert len(list((folder_of(running, where) / "parts").iterdir())) == 1
    running.client.delete(where)


@pytest.mark.parametrize("header", ["Content-Digest", "Repr-Digest"])
def test_bytes_that_are_not_those_announced_are_refused_and_not_kept(
    running: Service, header: str
) -> None:
    where = begin(running)

    wrong = put(running, where, "IM1", b"damaged", **{header: digest(b"whole")})
    nonsense = put(running, where, "IM1", b"whole", **{header: "sha-256=:AAAA:"})
    other = put(running, where, "IM1", b"whole", **{header: "md5=:AAAA:"})

    assert (wrong.status_code, nonsense.status_code, other.status_code) == (422, 422, 201)
    assert "send the file again" in wrong.json()["detail"]
    assert running.client.get(f"{where}/files").json()["files"][0]["bytes"] == 5
    assert len(list((folder_of(running, where) / "parts").iterdir())) == 1
    running.client.delete(where)


@pytest.mark.parametrize(
    "name", ["..", "a/../b", "a//b", "./a", "a%00b", "%0A", "x" * 1100, "a%5C..%5Cb"]
)
def test_names_that_are_no_file_of_a_folder_are_refused(running: Service, name: str) -> None:
    where = begin(running)
    host, port = running.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port))  # httpx would tidy the path
    connection.request("PUT", f"{where}/files/{name}", b"x")
    status = connection.getresponse().status
    connection.close()

    assert status in (404, 422)
    assert running.client.get(where).json()["files"] == 0
    running.client.delete(where)


def test_the_geometry_verdict_grows_while_slices_arrive(
    running: Service, ct_files: list[Path]
) -> None:
    where = begin(running)

    def seen(files: int) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            geometry = running.client.get(where).json()["geometry"]
            return geometry if geometry and geometry["files"] == files else None

        return until(look, 30)

    put_all(running, where, [*ct_files[:2], *ct_files[3:]])
    gap = seen(5)["report"]
    put_all(running, where, [ct_files[2]])
    whole = seen(6)["report"]

    assert gap["verdict"] == "refused"
    assert gap["series"][0]["gaps"][0]["missing"] == 1
    assert whole["verdict"] == "usable"
    assert whole["series"][0]["slices"] == 6
    assert whole["series"][0]["files"] == []
    running.client.delete(where)


def test_what_is_refused_leaves_the_upload_open_for_what_is_missing(
    running: Service, ct_files: list[Path], ct_id: str
) -> None:
    where = begin(running)
    put_all(running, where, [*ct_files[:2], *ct_files[3:]])

    refused = running.client.post(f"{where}/complete", json={"detector": "test.bright"})
    unknown = running.client.post(f"{where}/complete", json={"detector": "test.nothing"})
    state = running.client.get(where).json()
    put_all(running, where, [ct_files[2]])
    wrong = running.client.post(f"{where}/complete", json={"detector": "test.nothing"})
    done = running.client.post(f"{where}/complete")

    assert (refused.status_code, refused.json()["title"]) == (422, "UploadError")
    assert "missing" in refused.json()["detail"]
    assert unknown.status_code == 422  # the image comes first
    assert (state["state"], state["image_id"]) == ("open", None)
    assert wrong.status_code == 404
    assert done.json()["image"]["id"] == ct_id


def test_an_upload_reads_as_it_was_begun(running: Service, ct_files: list[Path]) -> None:
    where = begin(running, uneven="resample")
    put_all(running, where, [*ct_files[:2], *ct_files[3:]])

    image = running.client.post(f"{where}/complete").json()["image"]

    assert image["reading"]["uneven"] == "resample"
    assert image["report"]["verdict"] == "corrected"


def test_a_zip_may_be_put_and_an_empty_upload_may_not(
    running: Service, ct_files: list[Path], ct_id: str
) -> None:
    where, nothing = begin(running), begin(running)
    put(running, where, "ct.zip", zipped(ct_files))

    assert running.client.post(f"{where}/complete").json()["image"]["id"] == ct_id
    empty = running.client.post(f"{nothing}/complete")
    assert (empty.status_code, empty.json()["title"]) == (422, "UploadError")
    running.client.delete(nothing)


def test_a_dropped_upload_is_gone_and_so_are_its_files(running: Service) -> None:
    where = begin(running)
    put(running, where, "IM1", b"x")
    folder = folder_of(running, where)
    assert folder.is_dir()

    assert running.client.delete(where).status_code == 204

    assert not folder.exists()
    for method, path in (
        ("GET", where),
        ("PUT", f"{where}/files/a"),
        ("POST", f"{where}/complete"),
    ):
        assert running.client.request(method, path).status_code == 404
    assert running.client.get("/v1/uploads/nonsense").status_code == 404


def test_a_document_is_small_also_beside_uploads(running: Service) -> None:
    where = begin(running)
    large = b'{"detector": "' + b"x" * 3 * 2**20 + b'"}'
    headers = {"Content-Type": "application/json"}

    answers = [
        running.client.post(path, content=large, headers=headers)
        for path in (f"{where}/complete", "/v1/images/pull", "/v1/jobs")
    ]

    assert [answer.status_code for answer in answers] == [413, 413, 413]
    assert put(running, where, "complete", large).status_code == 201
    running.client.delete(where)


def test_a_body_packed_for_the_way_is_refused(running: Service) -> None:
    where = begin(running)

    answers = [
        put(running, where, "IM1", b"x", **{"Content-Encoding": "gzip"}),
        running.client.post("/v1/images", content=b"x", headers={"Content-Encoding": "gzip"}),
    ]

    assert [answer.status_code for answer in answers] == [415, 415]
    assert "Content-Encoding" in answers[0].json()["detail"]
    running.client.delete(where)


def test_a_put_that_breaks_off_leaves_nothing_and_can_be_sent_again(running: Service) -> None:
    where = begin(running)
    host, port = running.url.removeprefix("http://").split(":")
    parts = folder_of(running, where) / "parts"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"PUT {where}/files/IM1 HTTP/1.1\r\nHost: {host}:{port}\r\n"
            "Content-Length: 200000\r\n\r\n".encode()
            + b"x" * 150_000
        )
        until(lambda: list(parts.iterdir()) or None)

    until(lambda: not list(parts.iterdir()) or None)
    assert running.client.get(where).json()["files"] == 0
    assert put(running, where, "IM1", b"x" * 200_000).status_code == 201
    running.client.delete(where)


@pytest.mark.slow
def test_an_upload_outlives_a_killed_api_and_is_completed_all_the_same(
    odd_detectors: Path, tmp_path: Path, ct_files: list[Path]
) -> None:
    with service(tmp_path / "data") as one:
        where = begin(one)
        put_all(one, where, ct_files)
        asked = {"detector": "test.bright"}

        def complete() -> None:
            try:
                httpx.post(f"{one.url}{where}/complete", json=asked, timeout=60)
            except httpx.TransportError:
                return

        caller = threading.Thread(target=complete)
        caller.start()
        until(lambda: (folder_of(one, where) / "ask.json").exists() or None, 30)
        os.kill(one.pid("api"), signal.SIGKILL)
        caller.join()

        # Nobody asks again: what was asked for is done by the next process.
        done = until(lambda: _done(one, where), 60)
        assert one.wait(done["job_id"])["state"] == "done"
        again = httpx.post(f"{one.url}{where}/complete", json=asked, timeout=60).json()
        assert (again["image"]["id"], again["job"]["id"]) == (done["image_id"], done["job_id"])


def _done(one: Service, where: str) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = httpx.get(f"{one.url}{where}", timeout=60).json()
    except httpx.TransportError:
        return None
    return state if state["state"] == "complete" else None


# The state behind the calls, without a service.


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    configured = Settings(data=tmp_path, min_free_bytes=0, max_files=9, max_uploads=3)
    return Ingest(configured, Store(configured))


def take(upload: Any, name: str, data: bytes, announced: str | None = None) -> bool:
    intake = upload.start(name)
    try:
        intake.write(data)
        return bool(intake.keep(announced)[1])
    finally:
        intake.close()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=3)), max_size=9))
def test_the_journal_holds_the_first_content_of_every_name_whatever_is_sent(
    tmp_path_factory: pytest.TempPathFactory, sent: list[tuple[str, bytes]]
) -> None:
    configured = Settings(data=tmp_path_factory.mktemp("i"), min_free_bytes=0)
    store = Store(configured)
    upload = Ingest(configured, store).begin(store.of("local"), {})
    first: dict[str, bytes] = {}
    for name, data in sent:
        if first.setdefault(name, data) == data:
            take(upload, name, data)
        else:
            with pytest.raises(ConflictError):
                take(upload, name, data)

    again = Ingest(configured, store).get(store.of("local"), upload.id)

    assert {one.name: one.sha256 for one in again.files} == {
        name: hashlib.sha256(data).hexdigest() for name, data in first.items()
    }
    assert again.bytes == sum(map(len, first.values()))
    assert len(list((upload.folder / "parts").iterdir())) == len(first)


def test_half_a_line_of_a_killed_process_spoils_no_other(ingest: Ingest, tmp_path: Path) -> None:
    store = Store(Settings(data=tmp_path)).of("local")
    upload = ingest.begin(store, {})
    take(upload, "a", b"1")
    with (upload.folder / "journal.jsonl").open("a") as journal:
        journal.write('\n{"name": "b", "par')
    take(upload, "c", b"3")

    assert [one.name for one in received(upload.folder)] == ["a", "c"]


def test_an_upload_is_bounded_in_files_and_bytes_and_tenants_in_uploads(
    tmp_path: Path,
) -> None:
    small = Settings(
        data=tmp_path, min_free_bytes=0, max_files=2, max_upload_bytes=10, max_uploads=1
    )
    store = Store(small)
    ingest = Ingest(small, store)
    upload = ingest.begin(store.of("local"), {})
    take(upload, "a", b"12345678")

    with pytest.raises(UploadError, match="at most 10 bytes"):
        take(upload, "b", b"123")
    with pytest.raises(UploadError, match="at most 10 bytes"):
        upload.start("b", announced=3)
    take(upload, "b", b"1")
    with pytest.raises(UploadError, match="at most 2 files"):
        take(upload, "c", b"")
    with pytest.raises(ConflictError, match="1 uploads are open"):
        ingest.begin(store.of("local"), {})
    ingest.begin(store.of("other"), {})
    assert len(list((upload.folder / "parts").iterdir())) == 2


def test_what_nothing_comes_for_is_swept_and_what_is_half_complete_is_not(
    tmp_path: Path,
) -> None:
    configured = Settings(data=tmp_path, min_free_bytes=0, upload_idle_seconds=100)
    store = Store(configured)
    ingest, home = Ingest(configured, store), store.of("local")
    old, fresh, asked = (ingest.begin(home, {}) for _ in range(3))
    asked.ask({"job": None, "by": "local"})
    long_ago = time.time() - 200
    for upload in (old, asked):
        for path in (upload.folder, *upload.folder.iterdir()):
            os.utime(path, (long_ago, long_ago))

    ingest.sweep(home)

    assert [upload.folder.exists() for upload in (old, fresh, asked)] == [False, True, True]


def test_completion_that_a_killed_process_left_is_joined_not_refused(
    running: Service, ct_files: list[Path], ct_id: str
) -> None:
    where = begin(running)
    put_all(running, where, ct_files)
    (folder_of(running, where) / "ask.json").write_text('{"job": null, "by": "local"}')

    answer = running.client.post(f"{where}/complete")

    assert (answer.status_code, answer.json()["image"]["id"]) == (201, ct_id)


def test_a_file_that_changed_on_disk_is_not_made_an_image(
    running: Service, ct_files: list[Path]
) -> None:
    where = begin(running)
    put_all(running, where, ct_files)
    part = next((folder_of(running, where) / "parts").iterdir())
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    part.write_bytes(bytes(data))

    answer = running.client.post(f"{where}/complete")

    assert answer.status_code == 409
    assert "no longer what was sent" in answer.json()["detail"]
    running.client.delete(where)
