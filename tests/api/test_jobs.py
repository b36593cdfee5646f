"""Jobs over REST: started, followed, cancelled, fetched."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from service import Service, children, ct, lives, service, until

from delineate.formats import nifti


@pytest.fixture(scope="module")
def done_id(running: Service, ct_id: str) -> str:
    return str(running.wait(running.submit(ct_id)["id"], "done")["id"])


def events(answer: httpx.Response) -> list[dict[str, object]]:
    lines = answer.text.splitlines()
    assert {line for line in lines if line.startswith("event:")} == {"event: job"}
    return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]


def test_a_job_is_accepted_with_its_place(running: Service, ct_id: str) -> None:
    answer = running.client.post(
        "/v1/jobs", json={"image_id": ct_id, "detector": "test.bright", "options": {"seconds": 0}}
    )

    job = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/jobs/{job['id']}")
    assert job["options"] == {"threshold": 100.0, "seconds": 0.0}
    assert list(job) == [
        *("id", "state", "stage", "progress", "error", "dead", "image_id", "series", "detector"),
        *("options", "modality", "queue", "priority", "attempts", "causes", "retry_of"),
        *("created", "started", "finished"),
    ]
    assert running.wait(job["id"])["state"] == "done"


def test_the_result_is_what_the_detector_found(running: Service, done_id: str) -> None:
    document = running.client.get(f"/v1/jobs/{done_id}/result").json()

    assert document["schema"] == "delineate/delineation/1"
    assert document["detector"]["id"] == "test.bright"
    (finding,) = document["findings"]
    assert finding["category"]["name"] == "bright"
    assert running.bright_samples(done_id) == 60
    assert {contour["slice"] for contour in finding["contours"]} == {2, 3}


def test_the_result_is_packed_where_that_is_accepted(running: Service, done_id: str) -> None:
    path = f"/v1/jobs/{done_id}/result"
    plain = running.client.get(path, headers={"Accept-Encoding": "identity"})
    with running.client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content


def test_events_tell_every_change_and_end(running: Service, ct_id: str) -> None:
    job = running.submit(ct_id, options={"seconds": 1.2})

    answer = running.client.get(f"/v1/jobs/{job['id']}/events")

    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer)
    assert told[-1]["state"] == "done"
    assert "running" in {one["state"] for one in told}
    progress = [float(str(one["progress"])) for one in told]
    assert progress == sorted(progress)
    assert any(0 < value < 1 for value in progress)
    assert len(events(running.client.get(f"/v1/jobs/{job['id']}/events"))) == 1


def test_a_running_job_is_cancelled_and_the_next_is_right(running: Service, ct_id: str) -> None:
    worker = running.pid("worker-1")
    before = set(children(worker))
    job = running.submit(ct_id, "test.stuck")
    until(lambda: running.job(job["id"])["state"] == "running" or None)
    (host,) = until(lambda: set(children(worker)) - before or None)
    time.sleep(0.5)
    next_one = running.submit(ct_id)

    asked = time.monotonic()
    answer = running.client.delete(f"/v1/jobs/{job['id']}")
    until(lambda: not lives(host) or None)
    gone = time.monotonic() - asked

    assert (answer.status_code, answer.json()["state"]) == (202, "running")
    assert gone < 2.5
    assert running.wait(job["id"])["state"] == "cancelled"
    assert running.wait(next_one["id"])["state"] == "done"
    assert running.bright_samples(next_one["id"]) == 60
    assert running.client.get(f"/v1/jobs/{job['id']}/result").status_code == 409


def test_a_waiting_job_is_cancelled_at_once_and_only_once(running: Service, ct_id: str) -> None:
    busy = running.submit(ct_id, options={"seconds": 1.0})
    waiting = running.submit(ct_id)

    first = running.client.delete(f"/v1/jobs/{waiting['id']}")
    second = running.client.delete(f"/v1/jobs/{waiting['id']}")

    assert (first.status_code, first.json()["state"]) == (202, "cancelled")
    assert (second.status_code, second.json()["title"]) == (409, "ConflictError")
    assert running.wait(busy["id"])["state"] == "done"


def test_a_detector_that_breaks_fails_its_job_only(running: Service, ct_id: str) -> None:
    broken = [running.submit(ct_id, f"test.{name}") for name in ("crash", "noisy")]
    good = running.submit(ct_id)
    waits = []
    while not running.job(good["id"])["finished"]:
        began = time.monotonic()
        assert running.client.get("/healthz").json()["workers"] == 1
        waits.append(time.monotonic() - began)
        time.sleep(0.05)

    crashed, noisy = (running.wait(job["id"]) for job in broken)

    assert (crashed["state"], crashed["error"]["code"]) == ("failed", "DetectorCrashError")
    assert "SIGSEGV" in crashed["error"]["message"]
    assert noisy["state"] == "done"
    assert running.bright_samples(good["id"]) == 60
    assert sorted(waits)[int(0.99 * len(waits)) - 1] < 0.5
    answer = running.client.get(f"/v1/jobs/{crashed['id']}/result")
    assert answer.status_code == 409
    assert "SIGSEGV" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "status", "title", "told"),
    [
        ({"image_id": "0" * 64}, 404, "UnknownImageError", "POST /v1/images"),
        ({"image_id": "../../etc/passwd"}, 404, "UnknownImageError", "no image"),
        ({"detector": "test.bight"}, 404, "UnknownDetectorError", "did you mean test.bright"),
        ({"series": "1.2.3"}, 422, "SeriesChoiceError", "not among them"),
        ({"options": {"treshold": 1}}, 422, "OptionError", "did you mean 'threshold'"),
        ({"options": {"threshold": 99999}}, 422, "OptionError", "less than or equal to 4000"),
        ({"options": {"threshold": "much"}}, 422, "OptionError", "valid number"),
        ({"options": 3}, 422, "InvalidRequest", "body.options"),
        ({"colour": "red"}, 422, "InvalidRequest", "body.colour"),
        ({"detector": None}, 422, "InvalidRequest", "body.detector"),
    ],
)
def test_what_cannot_be_done_is_told_before_it_is_queued(
    running: Service, ct_id: str, change: dict[str, object], status: int, title: str, told: str
) -> None:
    asked = {"image_id": ct_id, "detector": "test.bright", **change}

    answer = running.client.post("/v1/jobs", json=asked)

    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["title"]) == (status, status, title)
    assert told in problem["detail"]


def test_a_job_that_names_no_queue_waits_in_that_of_its_detector(
    odd_detectors: Path, ct_files: list[Path], tmp_path: Path
) -> None:
    with service(tmp_path / "data", queue_of=("test.odd=default", "test.b*=gpu")) as one:
        image = one.upload(ct_files).raise_for_status().json()["id"]
        asked = {"image_id": image, "detector": "test.bright"}
        there = one.client.post("/v1/jobs", json=asked).raise_for_status().json()
        here = one.client.post("/v1/jobs", json={**asked, "queue": "default"}).json()

        assert one.wait(here["id"])["state"] == "done"
        assert (there["queue"], one.job(there["id"])["state"]) == ("gpu", "queued")
        one.client.delete(f"/v1/jobs/{there['id']}").raise_for_status()


def test_a_body_that_is_no_json_and_one_too_large_are_refused(running: Service) -> None:
    headers = {"Content-Type": "application/json"}
    broken = running.client.post("/v1/jobs", content=b"{", headers=headers)
    large = running.client.post("/v1/jobs", content=b" " * (2**20 + 1), headers=headers)

    assert (broken.status_code, large.status_code) == (422, 413)
    for answer in (broken, large):
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("tail", ["", "/events", "/result", "/exports/csv"])
def test_an_unknown_job_is_not_found(running: Service, tail: str) -> None:
    answer = running.client.get(f"/v1/jobs/01J{tail}")

    assert (answer.status_code, answer.json()["title"]) == (404, "UnknownJobError")


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("nifti", b"\x1f\x8b"),
        ("rtstruct", b"\0" * 128 + b"DICM"),
        ("geojson", b"{"),
        ("json", b"{"),
        ("csv", b""),
        ("png", b"\x89PNG"),
        ("masks", b"PK"),
        ("nrrd", b"NRRD"),
        ("svg", b"PK"),
        ("coco", b"{"),
        ("stl", b"PK"),
        ("ply", b"ply"),
        ("glb", b"glTF"),
        ("seg", b"\0" * 128 + b"DICM"),
    ],
)
def test_a_result_is_fetched_in_other_formats(
    running: Service, done_id: str, name: str, begins: bytes
) -> None:
    answers = [running.client.get(f"/v1/jobs/{done_id}/exports/{name}") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    assert answers[0].content == answers[1].content
    assert answers[0].content.startswith(begins)
    assert f'filename="{done_id}-' in answers[0].headers["content-disposition"]


def test_the_formats_that_there_are_are_told_and_each_can_be_had(
    running: Service, done_id: str
) -> None:
    offers = running.client.get(f"/v1/jobs/{done_id}/exports").json()

    assert {"json", "nifti", "rtstruct", "seg", "sr", "glb"} <= {one["format"] for one in offers}
    for one in offers:
        answer = running.client.get(f"/v1/jobs/{done_id}/exports/{one['format']}")
        assert answer.status_code == 200, answer.text
        assert one["title"]


def test_a_file_comes_as_it_is_asked_for_and_says_what_it_loses(
    running: Service, done_id: str
) -> None:
    def fetch(tail: str, **how: object) -> Any:
        answer = running.client.get(f"/v1/jobs/{done_id}/exports/{tail}", params=how)
        assert answer.status_code == 200, answer.text
        return answer

    exact, moved = fetch("geojson"), fetch("geojson", contours="midpoint", simplify_mm=0.2)
    said, said_moved = (
        fetch("geojson/round-trip", **how).json()["files"]["contours.geojson"]
        for how in ({}, {"contours": "midpoint", "simplify_mm": 0.2})
    )

    assert exact.content != moved.content
    assert said["sha256"] == hashlib.sha256(exact.content).hexdigest()
    assert said_moved["sha256"] == hashlib.sha256(moved.content).hexdigest()
    assert (said["round_trip"]["dice"], said["round_trip"]["largest_distance_mm"]) == (1.0, 0.0)
    assert said_moved["round_trip"]["dice"] == 1.0
    assert said_moved["round_trip"]["outlines_moved_at_most_mm"] > 0.2


@pytest.mark.parametrize(
    "how", [{"contours": "wavy"}, {"smooth_mm": -1}, {"smooth_mm": "nan"}, {"holes": "x"}, {"a": 1}]
)
def test_a_file_that_cannot_be_drawn_so_is_refused(
    running: Service, done_id: str, how: dict[str, object]
) -> None:
    answer = running.client.get(f"/v1/jobs/{done_id}/exports/geojson", params=how)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["docx", "%2E%2E", "a%2Fb", "exports"])
def test_a_format_that_there_is_not_is_refused(running: Service, done_id: str, name: str) -> None:
    answer = running.client.get(f"/v1/jobs/{done_id}/exports/{name}")

    assert answer.status_code in (404, 422)
    assert answer.json()["status"] == answer.status_code


def test_an_rtstruct_of_a_nifti_is_refused_with_what_to_do(
    running: Service, tmp_path: Path
) -> None:
    nifti.write_image(ct(), tmp_path / "x.nii.gz")
    image_id = running.send((tmp_path / "x.nii.gz").read_bytes(), "x.nii.gz").json()["id"]
    job = running.wait(running.submit(image_id)["id"])

    refused = running.client.get(f"/v1/jobs/{job['id']}/exports/rtstruct")
    labels = running.client.get(f"/v1/jobs/{job['id']}/exports/nifti")

    assert (refused.status_code, refused.json()["title"]) == (422, "ExportError")
    assert "DICOM" in refused.json()["detail"]
    offers = running.client.get(f"/v1/jobs/{job['id']}/exports").json()
    assert not {"rtstruct", "seg", "sr"} & {one["format"] for one in offers}
    (tmp_path / "labels.nii.gz").write_bytes(labels.content)
    back = nifti.read(tmp_path / "labels.nii.gz")
    assert int(np.count_nonzero(back.array)) == 60


def test_the_same_key_is_the_same_job_and_is_not_kept(running: Service, ct_id: str) -> None:
    def send(key: str, **more: object) -> httpx.Response:
        asked = {"image_id": ct_id, "detector": "test.bright", **more}
        return running.client.post("/v1/jobs", json=asked, headers={"Idempotency-Key": key})

    first = send("DOE^JOHN-1")

    assert send("DOE^JOHN-1").json()["id"] == first.json()["id"]
    assert send("DOE^JOHN-2").json()["id"] != first.json()["id"]
    assert send("DOE^JOHN-1", priority=9).status_code == 409
    assert send("DOE JOHN").status_code == send("x" * 201).status_code == 422
    # Nor in what the engine writes down beside the database.
    written = [path.read_bytes() for path in running.settings.data.glob("delineate.db*")]
    assert written
    assert not any(b"DOE^JOHN" in content for content in written)
