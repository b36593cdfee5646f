"""Evaluations on a real service: results against references, and files in a shared folder."""

from __future__ import annotations

import csv
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaigns.evaluate_kill import digests
from folders import pairs, write
from service import Service, ct, odd_detectors, series, service, until

from delineate.cli import main
from delineate.client import Client
from delineate.errors import NotFoundError, UnknownJobError
from delineate.evaluation import Rules, Scoring, evaluate, write_report
from delineate.evaluation.elsewhere import Elsewhere
from delineate.formats import nifti
from delineate.imaging import Category, LabelMap
from delineate.jobs.database import connect
from delineate.jobs.table import Job, JobTable

__all__ = ["odd_detectors"]

DICE = Rules(scoring=Scoring(metrics=("dice", "hd95")))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def running(
    odd_detectors: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("service") / "data"
    with service(data, workers=2, shared_folders=(str(shared),)) as one:
        yield one


@pytest.fixture
def client(running: Service) -> Iterator[Client]:
    with Client(running.url) as one:
        yield one


@pytest.fixture(scope="module")
def image_id(running: Service, tmp_path_factory: pytest.TempPathFactory) -> str:
    files = series(tmp_path_factory.mktemp("ct"))
    return str(running.upload(files).raise_for_status().json()["id"])


@pytest.fixture(scope="module")
def found(running: Service, image_id: str) -> dict[str, str]:
    """Jobs: one that found the cube, one that found nothing, and a reference of half the cube."""
    jobs = {
        name: running.submit(image_id, options={"threshold": threshold})["id"]
        for name, threshold in (("all", 100), ("none", 4000))
    }
    image = ct()
    half = image.array > 100
    half[3] = False
    drawn = LabelMap(half.astype(np.uint8), image.grid, {1: Category("bright")})
    path = running.settings.data / "half.nii.gz"
    nifti.write_labels(drawn, path)
    answer = running.client.post(
        f"/v1/images/{image_id}/references", params={"name": path.name}, content=path.read_bytes()
    )
    for job in jobs.values():
        assert running.wait(job)["state"] == "done"
    return {**jobs, "half": answer.raise_for_status().json()["id"]}


def test_results_are_scored_against_the_newest_reference_or_any_job(
    client: Client, running: Service, found: dict[str, str], tmp_path: Path
) -> None:
    asked = [
        {"case": "a", "prediction": found["all"], "groups": {"site": "one"}},
        {"case": "b", "prediction": found["none"]},
        {"case": "c", "prediction": found["all"], "reference": found["all"]},
    ]
    evaluation = client.evaluate(
        asked, metrics=["dice"], require=["bright.dice>=0.9"], title="bright"
    )

    summary = evaluation.summary()

    # Twice 30 of 90 samples; nothing of 30; the same.
    cases = {one["case"]: one["scores"] for one in evaluation.cases()}
    assert cases == {
        "a": {"bright": {"dice": pytest.approx(2 / 3)}},
        "b": {"bright": {"dice": 0.0}},
        "c": {"bright": {"dice": 1.0}},
    }
    (row,) = summary["scores"]
    assert (row["structure"], row["n"], row["missed"]) == ("bright", 3, 1)
    assert {one["case"] for one in summary["failing"]} == {"a", "b"}
    assert summary["title"] == "bright"
    assert list(summary["groups"]) == ["site"]
    lines = evaluation.download("scores.csv", tmp_path).read_text().splitlines()
    assert len(list(csv.DictReader(lines))) == 3
    page = running.client.get(f"/v1/evaluations/{evaluation.id}/report.html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<svg" in page.text
    told = running.client.get(f"/v1/evaluations/{evaluation.id}").json()
    assert (told["state"], told["cases"], told["summary"]) == ("done", 3, summary)


def test_an_evaluation_is_a_job_but_no_result_on_an_image(
    client: Client, running: Service, found: dict[str, str]
) -> None:
    evaluation = client.evaluate([{"case": "a", "prediction": found["all"]}], report=False)
    assert evaluation.wait().state == "done"

    assert evaluation.id in [one["id"] for one in client.evaluations()]
    assert evaluation.id not in [one["id"] for one in client.jobs()]
    for path in ("result", "exports", "thumbnail"):
        answer = running.client.get(f"/v1/jobs/{evaluation.id}/{path}")
        assert answer.status_code == 404
        assert "/v1/evaluations/" in answer.json()["detail"]
    with pytest.raises(NotFoundError, match="asked for no report"):
        evaluation.summary()
    with pytest.raises(NotFoundError, match="no evaluation"):
        client.evaluation(found["all"])
    assert running.client.delete(f"/v1/jobs/{evaluation.id}/result").status_code == 204
    assert running.client.get(f"/v1/evaluations/{evaluation.id}").status_code == 404


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"prediction": "0" * 26}, 404, "no job has the id"),
        ({"prediction": None}, 422, "nothing to score against"),
        ({"prediction_file": "/x/a.nii.gz"}, 422, "got both"),
        ({"reference_file": "/etc/passwd"}, 422, "expected a path below"),
        ({"reference_file": "{shared}/../etc/passwd"}, 422, "expected a path below"),
    ],
)
def test_what_cannot_be_scored_is_refused_at_once(
    running: Service, found: dict[str, str], shared: Path, changed: Any, status: int, said: str
) -> None:
    pair = {"case": "a", "prediction": found["all"], **changed}
    pair = {n: v and v.replace("{shared}", str(shared)) for n, v in pair.items()}

    answer = running.client.post("/v1/evaluations", json={"pairs": [pair]})

    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text


@pytest.mark.parametrize("more", [{"metrics": ["dise"]}, {"require": ["x"]}, {"queue": "other"}])
def test_rules_that_make_no_sense_are_refused_at_once(
    running: Service, found: dict[str, str], more: dict[str, Any]
) -> None:
    asked = {"pairs": [{"case": "a", "prediction": found["all"]}], **more}

    assert running.client.post("/v1/evaluations", json=asked).status_code == 422
    asked = {"pairs": [asked["pairs"][0]] * 2}
    answer = running.client.post("/v1/evaluations", json=asked)
    assert "a name of its own" in answer.json()["detail"]


def test_results_on_different_images_are_not_compared(
    running: Service, found: dict[str, str], tmp_path: Path
) -> None:
    other = running.upload(series(tmp_path, seed="other")).json()["id"]
    job = running.submit(other)["id"]
    running.wait(job)
    pair = {"case": "a", "prediction": job, "reference": found["all"]}

    answer = running.client.post("/v1/evaluations", json={"pairs": [pair]})

    assert "on different ones" in answer.json()["detail"]


def _whole(root: Path, out: Path, **more: Any) -> dict[str, str]:
    found = evaluate(root / "prediction", root / "reference", out=out, rules=DICE, **more)
    write_report(found, out)
    return digests(out)


def test_the_workers_of_a_service_leave_the_same_bytes_as_this_machine(
    client: Client, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shared / "files"
    pairs(root, 9)
    (root / "prediction" / "c1.nii.gz").write_bytes(b"nothing")  # fails there and here
    (root / "prediction" / "c2.nii.gz").unlink()
    out = tmp_path / "there"

    there = _whole(root, out, scorer=Elsewhere(client))
    asked: list[str] = []
    ask = client.evaluate

    def noted(pairs: Any, **how: Any) -> Any:
        told = list(pairs)
        asked.extend(one["case"] for one in told)
        return ask(told, **how)

    monkeypatch.setattr(client, "evaluate", noted)
    again = _whole(root, out, scorer=Elsewhere(client))

    assert there == again == _whole(root, tmp_path / "here", workers=1)
    assert asked == ["c1"]  # the one that failed
    assert not [one for one in client.evaluations() if not one["title"]]  # fetched and removed


def test_a_chunk_whose_worker_is_killed_is_taken_up_and_nothing_is_counted_twice(
    client: Client, running: Service, shared: Path, tmp_path: Path
) -> None:
    root = shared / "many"
    pairs(root, 12)
    database = connect(running.settings.database_url)
    table = JobTable(database)
    taken_up: list[str] = []

    def scoring() -> list[Job]:
        found = [one for one in table.open() if one.state == "running" and one.worker]
        return [one for one in found if one.detector == "evaluation"]

    def begun_again(job: Job) -> bool | None:
        try:
            return table.get(job.id, tenant=None).attempts == 2 or None
        except UnknownJobError:  # gathered already
            return True

    def kill() -> None:
        while not taken_up:
            job = until(lambda: scoring() or None)[0]
            worker = running.pid(str(job.worker))
            os.kill(worker, signal.SIGSTOP)  # so that it does not end in the meantime
            if job.id in [one.id for one in scoring()]:
                os.kill(worker, signal.SIGKILL)
                until(lambda job=job: begun_again(job))  # type: ignore[misc]
                taken_up.append(job.id)
            else:
                os.kill(worker, signal.SIGCONT)

    killer = threading.Thread(target=kill)
    killer.start()
    there = _whole(root, tmp_path / "there", scorer=Elsewhere(client))
    killer.join()

    database.dispose()
    assert taken_up
    assert there == _whole(root, tmp_path / "here", workers=1)


def test_files_that_the_workers_cannot_reach_are_told_and_nothing_is_scored(
    running: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs(tmp_path, 2)
    order = ["evaluate", str(tmp_path / "prediction"), str(tmp_path / "reference")]

    with pytest.raises(SystemExit) as stop:
        main([*order, "--out", str(tmp_path / "out"), "--workers", running.url])

    assert stop.value.code == 3
    assert "put the files there, or score them here" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(SystemExit) as stop:
        main([*order, "--out", str(tmp_path / "out"), "--workers", "postgresql://db/delineate"])
    assert stop.value.code == 2


def test_a_batch_is_found_by_the_workers_of_a_service(
    client: Client, running: Service, tmp_path: Path
) -> None:
    image = ct()
    bright = LabelMap((image.array > 100).astype(np.uint8), image.grid, {1: Category("bright")})
    for name in ("c0", "c1"):
        series(tmp_path / "images" / name, seed=name)
        write(tmp_path / "reference", name, bright)
    (tmp_path / "images" / "c2").mkdir()
    (tmp_path / "images" / "c2" / "slice.dcm").write_bytes(b"nothing")
    order = ["batch", str(tmp_path / "images"), "--detector", "test.bright"]
    order += ["--workers", running.url, "--out", str(tmp_path / "out")]
    scored = ["--reference", str(tmp_path / "reference"), "--metrics", "dice"]

    jobs: list[int] = []
    for more in ([], scored):
        with pytest.raises(SystemExit) as stop:
            main([*order, *more])
        assert stop.value.code == 3  # c2
        jobs.append(len(list(client.jobs())))

    assert (tmp_path / "out" / "results" / "c1" / "delineation.json").is_file()
    assert not (tmp_path / "out" / "results" / "c2").exists()
    assert jobs[0] == jobs[1]  # what was found is not found again
    with (tmp_path / "out" / "scores.csv").open(newline="") as file:
        assert [row["value"] for row in csv.DictReader(file)] == ["1.0", "1.0"]
