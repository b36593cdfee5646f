"""A corrected result is another version, made by the road of all; the first one stays."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from service import Service, ct, until

from delineate.delineation import CORRECTION, layers_of, load_output
from delineate.formats import nifti, nrrd, rtstruct, seg
from delineate.imaging import Category, Grid, LabelMap, place
from delineate.jobs import corrections

GRID = ct().grid
ML = 3.0 * 0.8 * 0.8 / 1000
BRIGHT, KIDNEY = Category("bright"), Category("kidney_left", (1, 2, 3))


@pytest.fixture(scope="module")
def base(running: Service, ct_id: str) -> dict[str, Any]:
    """A job that is done: the cube of 60 samples under label 1."""
    return running.wait(running.submit(ct_id)["id"])


def cube() -> NDArray[np.uint8]:
    return (ct().array == 300).astype(np.uint8)


def trimmed(kidney: bool = False) -> LabelMap:
    """The cube without its first row, and maybe a second structure of 8 samples."""
    array = cube()
    array[:, 4] = 0
    array[1:3, 18:20, 18:20] = 2 if kidney else 0
    return LabelMap(array, GRID, {1: BRIGHT} | ({2: KIDNEY} if kidney else {}))


def post(
    service: Service, job_id: str, labels: LabelMap | bytes, folder: Path, **more: Any
) -> httpx.Response:
    if isinstance(labels, LabelMap):
        nrrd.write_labels([labels], folder / "labels.seg.nrrd")
        labels = (folder / "labels.seg.nrrd").read_bytes()
    data = {"comment": more.pop("comment", "the edge was too wide")}
    name = more.pop("name", "labels.seg.nrrd")
    return service.client.post(
        f"/v1/jobs/{job_id}/corrections", files={"labels": (name, labels)}, data=data, **more
    )


def corrected(service: Service, job_id: str, labels: LabelMap, folder: Path, **more: Any) -> Any:
    answer = post(service, job_id, labels, folder, **more)
    assert answer.status_code == 202, answer.text
    job = service.wait(answer.json()["id"])
    assert job["state"] == "done", job
    return job


def result(service: Service, job_id: str) -> dict[str, Any]:
    document: dict[str, Any] = service.client.get(f"/v1/jobs/{job_id}/result").json()
    return document


def versions(service: Service, job_id: str) -> list[dict[str, Any]]:
    answer = service.client.get(f"/v1/jobs/{job_id}/corrections").raise_for_status()
    told: list[dict[str, Any]] = answer.json()["versions"]
    return told


def exported(service: Service, job_id: str, name: str, folder: Path) -> Path:
    answer = service.client.get(f"/v1/jobs/{job_id}/exports/{name}").raise_for_status()
    path = folder / f"{name}.dcm"
    path.write_bytes(answer.content)
    return path


def test_a_correction_is_a_result_of_its_own_that_says_what_it_was_made_from(
    running: Service, base: dict[str, Any], tmp_path: Path
) -> None:
    before = running.client.get(f"/v1/jobs/{base['id']}/result").content
    job = corrected(running, base["id"], trimmed(kidney=True), tmp_path)
    document = result(running, job["id"])
    told = document["provenance"]["correction"]
    assert (told["of"], told["who"], told["comment"]) == (
        base["id"],
        "local",
        "the edge was too wide",
    )
    assert told["sha256"] == hashlib.sha256(before).hexdigest()
    assert told["detector"]["id"] == "test.bright"
    assert told["made"] == {"1": "semiautomatic", "2": "manual"}
    assert [
        (one["name"], one["what"], one["added"], one["removed"]) for one in told["changes"]
    ] == [("bright", "changed", 0, 6), ("kidney_left", "drawn", 8, 0)]
    assert told["changes"][0]["removed_ml"] == pytest.approx(6 * ML)
    assert document["detector"]["id"] == CORRECTION == corrections.CORRECTION
    assert document["provenance"]["versions"]["delineate"]
    bright, kidney = document["findings"]
    assert bright["measurements"]["voxels"] == 54
    assert bright["notes"] == ["corrected by hand"]
    assert kidney["category"]["laterality"] == "left"
    assert kidney["category"]["code"]["scheme"] == "SCT"
    assert document["image"]["hash"] == result(running, base["id"])["image"]["hash"]
    # The first one stays as it is.
    assert running.client.get(f"/v1/jobs/{base['id']}/result").content == before


def test_every_export_of_a_correction_holds_the_edit_and_says_how_it_was_made(
    running: Service, base: dict[str, Any], tmp_path: Path
) -> None:
    edited = trimmed(kidney=True)
    job = corrected(running, base["id"], edited, tmp_path)
    path = exported(running, job["id"], "seg", tmp_path)
    assert pydicom.dcmread(path).SeriesDescription.startswith("Segmentation: Correction of ")
    kinds = [one.SegmentAlgorithmType for one in pydicom.dcmread(path).SegmentSequence]
    assert kinds == ["SEMIAUTOMATIC", "MANUAL"]
    assert pydicom.dcmread(path).SegmentSequence[0].SegmentAlgorithmName == "test.bright 1"
    np.testing.assert_array_equal(place(seg.read_labels(path), GRID).array, edited.array)
    path = exported(running, job["id"], "rtstruct", tmp_path)
    rois = pydicom.dcmread(path).StructureSetROISequence
    assert [one.ROIGenerationAlgorithm for one in rois] == ["SEMIAUTOMATIC", "MANUAL"]
    (filled,) = rtstruct.to_layers(rtstruct.read(path), GRID)
    np.testing.assert_array_equal(filled.array, edited.array)
    trip = running.client.get(f"/v1/jobs/{job['id']}/exports/seg/round-trip").json()
    assert trip["files"]["seg.dcm"]["round_trip"]["dice"] == 1.0


def test_a_correction_is_found_by_dicomweb_beside_its_series(
    running: Service, base: dict[str, Any], tmp_path: Path
) -> None:
    job = corrected(running, base["id"], trimmed(kidney=True), tmp_path)
    for name in ("seg", "rtstruct"):
        uid = pydicom.dcmread(exported(running, job["id"], name, tmp_path)).SeriesInstanceUID
        asked = {"SeriesInstanceUID": uid, "includefield": "Modality"}
        found = until(lambda asked=asked: _listed(running, asked), 60)  # type: ignore[misc]
        assert found["00080060"]["Value"] == [name.upper()]


def _listed(service: Service, asked: dict[str, str]) -> dict[str, Any] | None:
    answer = service.client.get("/dicomweb/series", params=asked)
    listed: list[dict[str, Any]] = answer.json() if answer.status_code == 200 else []
    return listed[0] if listed else None


def test_what_was_left_alone_stays_as_the_detector_made_it(
    running: Service, base: dict[str, Any], tmp_path: Path
) -> None:
    array = cube()
    array[0, 0, 0] = 2
    added = LabelMap(array, GRID, {1: BRIGHT, 2: KIDNEY})
    job = corrected(running, base["id"], added, tmp_path)
    was, now = (result(running, one["id"])["findings"][0] for one in (base, job))
    assert now == was
    path = exported(running, job["id"], "seg", tmp_path)
    kinds = [one.SegmentAlgorithmType for one in pydicom.dcmread(path).SegmentSequence]
    assert kinds == ["AUTOMATIC", "MANUAL"]
    uids = {
        pydicom.dcmread(exported(running, one["id"], "seg", tmp_path)).SOPInstanceUID
        for one in (base, job)
    }
    assert len(uids) == 2


def test_a_correction_can_be_corrected_and_siblings_are_both_kept(
    running: Service, ct_id: str, tmp_path: Path
) -> None:
    first = running.wait(running.submit(ct_id)["id"])
    one = corrected(running, first["id"], trimmed(), tmp_path, comment="one")
    other = corrected(running, first["id"], trimmed(kidney=True), tmp_path, comment="other")
    array = trimmed().array.copy()
    array[0, 0, 0] = 2
    last = corrected(running, one["id"], LabelMap(array, GRID, {1: BRIGHT, 2: KIDNEY}), tmp_path)
    expected = [
        (first["id"], None),
        (one["id"], first["id"]),
        (other["id"], first["id"]),
        (last["id"], one["id"]),
    ]
    for job in (first, one, other, last):
        told = versions(running, job["id"])
        assert [(each["job"], each["of"]) for each in told] == expected
    assert [each["comment"] for each in told[1:3]] == ["one", "other"]
    assert [each["who"] for each in told] == ["", "local", "local", "local"]
    # Changed by hand once, it is never again called the detector's alone.
    correction = result(running, last["id"])["provenance"]["correction"]
    assert correction["made"] == {"1": "semiautomatic", "2": "manual"}
    assert correction["detector"]["id"] == "test.bright"
    assert [each["name"] for each in correction["changes"]] == ["kidney_left"]


def test_the_first_version_may_go_and_the_others_stay_together(
    running: Service, ct_id: str, tmp_path: Path
) -> None:
    first = running.wait(running.submit(ct_id)["id"])
    one = corrected(running, first["id"], trimmed(), tmp_path)
    other = corrected(running, first["id"], trimmed(kidney=True), tmp_path)
    running.client.delete(f"/v1/jobs/{first['id']}/result").raise_for_status()
    assert [each["job"] for each in versions(running, other["id"])] == [one["id"], other["id"]]
    assert result(running, other["id"])["findings"]


def test_renamed_and_deleted_structures_are_told_as_such(
    running: Service, base: dict[str, Any], tmp_path: Path
) -> None:
    renamed = LabelMap(cube(), GRID, {1: Category("liver", BRIGHT.colour)})
    job = corrected(running, base["id"], renamed, tmp_path)
    document = result(running, job["id"])
    (change,) = document["provenance"]["correction"]["changes"]
    assert (change["what"], change["name"], change["added"]) == ("renamed", "liver", 0)
    assert document["findings"][0]["category"]["code"]["value"] == "10200004"
    array = (cube() > 0) * np.uint8(2)
    deleted = LabelMap(array, GRID, {2: KIDNEY})
    job = corrected(running, base["id"], deleted, tmp_path)
    changes = result(running, job["id"])["provenance"]["correction"]["changes"]
    assert [(each["what"], each["removed"]) for each in changes] == [("deleted", 60), ("drawn", 0)]


def test_a_nifti_without_names_keeps_those_of_the_result(
    running: Service, base: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "labels.nii.gz"
    nifti.write_labels(LabelMap(trimmed().array, GRID, {}), path)
    answer = post(running, base["id"], path.read_bytes(), tmp_path, name="labels.nii.gz")
    job = running.wait(answer.json()["id"])
    assert [one["category"]["name"] for one in result(running, job["id"])["findings"]] == ["bright"]


def test_the_same_request_with_the_same_key_is_the_same_version(
    running: Service, base: dict[str, Any], tmp_path: Path
) -> None:
    headers = {"Idempotency-Key": "correction-1"}
    jobs = [
        corrected(running, base["id"], trimmed(), tmp_path, headers=headers)["id"] for _ in range(2)
    ]
    assert jobs[0] == jobs[1]
    other = post(running, base["id"], trimmed(kidney=True), tmp_path, headers=headers)
    assert other.status_code == 409, other.text


def test_the_labels_are_kept_as_an_image_no_longer_than_they_are_needed(
    running: Service, base: dict[str, Any], tmp_path: Path
) -> None:
    job = corrected(running, base["id"], trimmed(), tmp_path)
    folder = running.home / "images" / job["options"]["labels"]
    until(lambda: not folder.exists() or None, 20)
    _, output = load_output(running.home / "jobs" / job["id"] / "1")
    np.testing.assert_array_equal(layers_of(output)[0].array, trimmed().array)


def shifted() -> LabelMap:
    affine = GRID.affine.copy()
    affine[0, 3] += 0.4
    return LabelMap(trimmed().array, Grid(GRID.shape, affine), {1: BRIGHT})


def larger() -> LabelMap:
    grid = Grid((6, 24, 25), GRID.affine)
    array = np.zeros(grid.shape, np.uint8)
    array[0, 0, 24] = 1
    return LabelMap(array, grid, {1: BRIGHT})


def bomb() -> bytes:
    """A header that promises more than the file holds, and packs it well."""
    header = (
        b"NRRD0004\ntype: uchar\ndimension: 3\nspace: left-posterior-superior\n"
        b"sizes: 4096 4096 4096\nspace directions: (0.8,0,0) (0,0.8,0) (0,0,3)\n"
        b"encoding: gzip\nspace origin: (-10,-20,5)\n\n"
    )
    return header + gzip.compress(bytes(2**24))[:2000]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (lambda: LabelMap(cube(), GRID, {1: BRIGHT}), "differ from those of the result"),
        (shifted, "0.50 apart"),
        (larger, "outside the image"),
        (lambda: LabelMap((cube() > 0) * np.uint8(7), GRID, {}), "label 7 is new and has no name"),
        (
            lambda: LabelMap(trimmed(kidney=True).array, GRID, {1: BRIGHT, 2: BRIGHT}),
            "'bright' twice",
        ),
        (
            lambda: LabelMap(trimmed().array, GRID, {1: Category("x" * 65)}),
            "at most 64 letters",
        ),
        (bomb, "cut short"),
        (lambda: b"no labels at all", "expected labels or outlines"),
        (lambda: b'{"type": "FeatureCollection", "features": []}', ""),
    ],
)
def test_labels_that_cannot_take_the_place_of_the_results_are_refused(
    running: Service,
    base: dict[str, Any],
    tmp_path: Path,
    labels: Callable[[], LabelMap | bytes],
    said: str,
) -> None:
    count = len(versions(running, base["id"]))
    answer = post(running, base["id"], labels(), tmp_path)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"]
    assert len(versions(running, base["id"])) == count


def test_results_that_no_label_map_holds_are_refused(
    running: Service, base: dict[str, Any], tmp_path: Path
) -> None:
    waiting = running.submit(base["image_id"], options={"seconds": 60.0})["id"]
    assert post(running, waiting, trimmed(), tmp_path).status_code == 409
    running.client.delete(f"/v1/jobs/{waiting}")
    assert post(running, "01J00000000000000000000000", trimmed(), tmp_path).status_code == 404
    long = post(running, base["id"], trimmed(), tmp_path, comment="x" * 2001)
    assert long.status_code == 413
    by_hand = running.client.post(
        "/v1/jobs", json={"image_id": base["image_id"], "detector": CORRECTION}
    )
    assert by_hand.status_code == 404
    running.wait(waiting)


def test_a_correction_whose_result_is_gone_fails_and_can_be_tried_again(
    running: Service, ct_id: str, tmp_path: Path
) -> None:
    first = running.wait(running.submit(ct_id)["id"])
    busy = running.submit(ct_id, priority=9, options={"seconds": 3.0})["id"]
    until(lambda: running.job(busy)["state"] == "running" or None)
    answer = post(running, first["id"], trimmed(), tmp_path)
    running.client.delete(f"/v1/jobs/{first['id']}/result").raise_for_status()
    failed = running.wait(answer.json()["id"])
    assert (failed["state"], failed["error"]["code"]) == ("failed", "UnknownJobError")
    again = running.client.post(f"/v1/jobs/{failed['id']}/retry")
    assert again.status_code == 202
    assert running.wait(again.json()["id"])["state"] == "failed"
    assert (running.home / "images" / failed["options"]["labels"]).is_dir()
