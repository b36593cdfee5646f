"""The client: what it gives is what the library gives, through whatever breaks on the way."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from service import Service, ct, series, zipped

import delineate
from delineate import delineation, errors
from delineate.client import Client, RemoteImage
from delineate.formats import nifti, nrrd
from delineate.imaging import LabelMap
from delineate.plugins import Monitor


@pytest.fixture(scope="module")
def there(running: Service) -> Iterator[Client]:
    with Client(running.url) as client:
        yield client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with two folders whose files have the same names."""
    place = tmp_path_factory.mktemp("study")
    series(place / "ct")
    (place / "other").mkdir()
    (place / "other" / "note.txt").write_text("a letter")
    return place


@pytest.fixture(scope="module")
def image(there: Client, folder: Path) -> RemoteImage:
    return there.upload(folder)


def test_a_result_is_the_value_that_the_library_gives(
    there: Client, image: RemoteImage, folder: Path
) -> None:
    job = there.run(image, "test.bright")
    states = list(job.follow())

    found = job.delineation()
    elsewhere = there.job(job.id).delineation()  # which has nothing of what was sent

    read = delineate.read(folder)
    assert states[-1].state == "done"
    assert [one.progress for one in states] == sorted(one.progress for one in states)
    assert isinstance(found, delineate.Delineation)
    for one in (found, elsewhere):
        assert one.image.content_hash == read.content_hash
        assert one.findings[0].measurements["voxels"] == 60
        assert delineation.exportable(one) == delineation.exportable(found)
        np.testing.assert_array_equal(one.output.array, read.array > 100)
    assert delineation.to_json(found) == job.result()


def test_exports_made_here_are_those_that_the_service_makes(
    there: Client, image: RemoteImage, tmp_path: Path
) -> None:
    job = there.run(image, "test.bright")
    here = delineation.export(job.delineation(), ["rtstruct", "geojson", "csv"], tmp_path / "here")

    assert {one["format"] for one in job.exports()} >= set(here)
    for name, path in here.items():
        fetched = job.download(name, tmp_path / "there")
        assert fetched.name == path.name
        assert fetched.read_bytes() == path.read_bytes()


def test_a_result_is_corrected_from_here(there: Client, image: RemoteImage, tmp_path: Path) -> None:
    job = there.run(image, "test.bright")
    found = job.delineation()
    assert isinstance(found.output, LabelMap)
    array = found.output.array.copy()
    array[0, 0, 0] = 1
    labels = LabelMap(array, found.output.grid, found.output.categories)

    new = job.correct(labels, "one more")
    path = new.download("nrrd", tmp_path)
    array[0, 0, 1] = 1
    nrrd.write_labels([LabelMap(array, labels.grid, labels.categories)], path)
    last = new.correct(path)

    got = last.delineation()
    assert got.findings[0].measurements["voxels"] == 62
    assert got.provenance.correction is not None
    assert got.provenance.correction.of == new.id
    assert delineation.to_json(got) == last.result()
    assert [one["job"] for one in job.versions()] == [job.id, new.id, last.id]
    with pytest.raises(errors.InputError, match="differ from those of the result"):
        last.correct(path)


def test_progress_ends_at_the_sum_of_all_bytes(there: Client, folder: Path) -> None:
    told: list[tuple[int, int]] = []

    there.upload(folder, progress=lambda done, total: told.append((done, total)))

    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert told[0] == (0, total)
    assert told[-1] == (total, total)
    assert told == sorted(told)


def test_a_nifti_keeps_its_own_name_and_is_read_alike_from_here_and_from_there(
    there: Client, tmp_path: Path
) -> None:
    nifti.write_image(ct(), tmp_path / "Jane Roe.nii.gz")

    sent = there.upload(tmp_path / "Jane Roe.nii.gz")
    (one,) = sent.report["series"]
    fetched = there.image(sent.id)

    assert one["files"] == ["Jane Roe.nii.gz"]
    assert sent.read(one["id"]).content_hash == fetched.read(one["id"]).content_hash
    (path,) = fetched.download(tmp_path / "back")
    assert path.read_bytes() == (tmp_path / "Jane Roe.nii.gz").read_bytes()


def test_a_zip_and_the_size_of_a_pixel_are_sent_as_they_are_said(
    there: Client, image: RemoteImage, folder: Path, tmp_path: Path
) -> None:
    from PIL import Image as Pillow

    (tmp_path / "ct.zip").write_bytes(zipped(sorted((folder / "ct").iterdir())))
    Pillow.fromarray(np.full((20, 30), 200, np.uint8)).save(tmp_path / "a.png")

    packed = there.upload(tmp_path / "ct.zip")
    picture = there.upload(tmp_path / "a.png", spacing_mm=(0.2, 0.3))

    assert packed.read().content_hash == image.read().content_hash
    assert picture.report["series"][0]["spacing_mm"] == [1.0, 0.2, 0.3]
    assert picture.read().grid.spacing == pytest.approx((1.0, 0.2, 0.3))


@pytest.mark.parametrize(
    ("detector", "options", "kind"),
    [
        ("test.nothing", {}, errors.UnknownDetectorError),
        ("test.bright", {"threshold": "wide"}, errors.OptionError),
        ("test.crash", {}, errors.DetectorCrashError),
    ],
)
def test_errors_are_those_that_the_library_raises(
    there: Client,
    image: RemoteImage,
    detector: str,
    options: dict[str, Any],
    kind: type[errors.DelineateError],
) -> None:
    with pytest.raises(kind):
        there.run(image, detector, options).wait()


def test_refusals_are_the_librarys_too(there: Client, image: RemoteImage, tmp_path: Path) -> None:
    (tmp_path / "letter.dcm").write_text("this is a letter")
    two = delineate.Image((ct().array + 1).astype(np.int16), ct().grid, "CT")
    series(tmp_path / "two" / "a", seed="one")
    series(tmp_path / "two" / "b", two, seed="two")

    with pytest.raises(errors.UploadError, match="no image that can be read"):
        there.upload(tmp_path / "letter.dcm")
    with pytest.raises(errors.UnknownImageError):
        there.image("0" * 64)
    with pytest.raises(errors.UnknownJobError):
        there.job("X")
    with pytest.raises(errors.ExportError):
        there.run(image, "test.bright").download("nonsense", tmp_path)
    with pytest.raises(errors.SeriesChoiceError) as several:
        there.run(there.upload(tmp_path / "two"), "test.bright")
    assert len(several.value.series) == 2
    with pytest.raises(FileNotFoundError):
        there.upload(tmp_path / "nowhere")


def test_a_cancelled_job_says_so_and_can_be_tried_again(there: Client, image: RemoteImage) -> None:
    job = there.run(image, "test.bright", {"seconds": 30})

    job.cancel()

    with pytest.raises(errors.Cancelled):
        job.wait()
    again = job.retry()
    assert again.document["retry_of"] == job.id
    assert again.id == job.retry().id
    again.cancel()
    job.cancel()  # which had ended: nothing to do


def test_a_monitor_stops_what_is_under_way(running: Service, image: RemoteImage) -> None:
    class Stop(Monitor):
        asked = False

        @property
        def cancelled(self) -> bool:
            return self.asked

    stop = Stop()
    with Client(running.url, monitor=stop) as client:
        job = client.run(image.id, "test.bright", {"seconds": 60})
        states = job.follow()
        next(states)
        stop.asked = True
        with pytest.raises(errors.Cancelled):
            list(states)
    running.client.delete(f"/v1/jobs/{job.id}")


def test_pages_are_turned(running: Service, there: Client, image: RemoteImage) -> None:
    listed = [one["id"] for one in there.jobs()]
    first = running.client.get("/v1/jobs", params={"limit": 1}).json()
    second = running.client.get("/v1/jobs", params={"limit": 1, "after": first["next"]}).json()

    assert listed == sorted(listed, reverse=True)
    assert [one["jobs"][0]["id"] for one in (first, second)] == listed[:2]
    assert image.id in [one["id"] for one in there.images()]
    assert {one["state"] for one in there.jobs("done")} == {"done"}


class Breaking(BaseHTTPRequestHandler):
    """Stands before a service and breaks every other connection, after the service was asked."""

    protocol_version = "HTTP/1.1"
    target = ""
    asked = 0

    def handle_any(self) -> None:
        import httpx

        type(self).asked += 1
        breaks = self.asked % 2 == 1
        body = self._body()
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        kept = {k: v for k, v in kept.items() if k.lower() not in ("transfer-encoding",)}
        answer = httpx.request(
            self.command, self.target + self.path, content=body, headers=kept, timeout=60
        )
        if breaks:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name in ("content-type", "content-disposition", "location"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_what_breaks_on_the_way_is_tried_again_and_done_once(
    running: Service, there: Client, tmp_path: Path
) -> None:
    Breaking.target = running.url
    server = ThreadingHTTPServer(("127.0.0.1", 0), Breaking)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    nifti.write_image(ct(), tmp_path / "scan.nii")
    before = {one["id"] for one in there.jobs()}
    try:
        with Client(f"http://127.0.0.1:{server.server_port}") as client:
            job = client.run(client.upload(tmp_path / "scan.nii"), "test.bright", modality="CT")
            found = job.delineation()
    finally:
        server.shutdown()
        server.server_close()

    assert found.findings[0].measurements["voxels"] == 60
    assert {one["id"] for one in there.jobs()} - before == {job.id}
    assert Breaking.asked > 8


def test_an_upload_that_broke_off_is_taken_up_by_its_id(
    running: Service, there: Client, folder: Path
) -> None:
    begun = running.client.post("/v1/uploads").json()["id"]
    first = min((folder / "ct").iterdir())
    running.client.put(f"/v1/uploads/{begun}/files/ct/{first.name}", content=first.read_bytes())
    folder_there = running.settings.data / "tenants" / "local" / "uploads" / begun
    part = next((folder_there / "parts").iterdir())
    before = part.stat().st_mtime_ns

    with pytest.raises(errors.UnknownUploadError) as gone:
        there.upload(folder, resume="0" * 32)
    sent = there.upload(folder, resume=begun)

    assert "resume=" in gone.value.__notes__[0]
    assert sent.report["verdict"] == "usable"
    assert before < folder_there.stat().st_mtime_ns
    assert (folder_there / "journal.jsonl").read_text().count(first.name) == 1


def test_a_service_that_is_not_there_is_told_with_what_to_do() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with (
            Client(address) as client,
            pytest.raises(errors.RemoteError, match="check the address"),
        ):
            client.health()


def test_a_key_does_not_travel_in_the_clear() -> None:
    with pytest.raises(errors.AccessError, match="use https"):
        Client("http://delineate.example", "secret")
    Client("https://delineate.example", "secret")
    Client("http://127.0.0.1:8000", "secret")


def test_the_client_loads_neither_torch_nor_the_service() -> None:
    code = (
        "import sys, delineate.client\n"
        "print([m for m in ('torch','fastapi','sqlalchemy','httpx','monai') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
