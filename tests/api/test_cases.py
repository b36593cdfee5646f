"""References that are sent, what results differ by, and the list of cases."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image as Picture
from service import Service, ct, series

from delineate.formats import nifti, nrrd
from delineate.imaging import Category, Grid, LabelMap

# What the service's detector finds: 60 samples of 1.92 cubic millimetres.
CUBE = np.zeros((6, 24, 24), np.uint8)
CUBE[2:4, 4:14, 4:7] = 1


@pytest.fixture(scope="module")
def result(running: Service, ct_id: str) -> str:
    """Id of a job that found the cube."""
    return str(running.wait(running.submit(ct_id)["id"])["id"])


@pytest.fixture
def send(running: Service, ct_id: str, tmp_path: Path) -> Callable[..., Any]:
    """Send labels on the CT's grid as a reference."""

    def sent(array: np.ndarray[Any, Any], names: dict[int, str], **query: Any) -> Any:
        labels = LabelMap(
            array, ct().grid, {label: Category(name) for label, name in names.items()}
        )
        path = tmp_path / "labels.seg.nrrd"
        nrrd.write_labels([labels], path)
        return running.client.post(
            f"/v1/images/{ct_id}/references",
            params={"name": path.name, **query},
            content=path.read_bytes(),
        )

    return sent


def compared(running: Service, job: str, reference: str) -> Any:
    return running.client.get(f"/v1/jobs/{job}/comparison", params={"reference": reference})


def test_a_reference_is_a_result_that_no_detector_made(
    running: Service, send: Callable[..., Any]
) -> None:
    answer = send(CUBE, {1: "bright"})

    assert answer.status_code == 201, answer.text
    job = answer.json()
    assert (job["state"], job["detector"], job["attempts"]) == ("done", "reference", 1)
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert running.bright_samples(job["id"]) == 60
    document = running.client.get(f"/v1/jobs/{job['id']}/result").json()
    assert document["detector"]["title"] == "Reference (nrrd)"
    back = running.client.get(f"/v1/jobs/{job['id']}/exports/nifti")
    assert back.status_code == 200


def test_a_reference_is_not_exported_as_what_an_algorithm_made(
    running: Service, send: Callable[..., Any]
) -> None:
    unsaid = send(CUBE, {1: "by somebody"}).json()["id"]
    offered = running.client.get(f"/v1/jobs/{unsaid}/exports").json()
    assert "seg" not in {one["format"] for one in offered}
    job = send(CUBE, {1: "by hand"}, made="manual").json()["id"]

    content = running.client.get(f"/v1/jobs/{job}/exports/seg").raise_for_status().content

    (segment,) = pydicom.dcmread(io.BytesIO(content)).SegmentSequence
    assert segment.SegmentAlgorithmType == "MANUAL"
    assert segment.SegmentLabel == "by hand"


def test_the_same_file_is_one_reference(send: Callable[..., Any]) -> None:
    one = send(CUBE, {1: "twice"}).json()

    assert send(CUBE, {1: "twice"}).json()["id"] == one["id"]


def test_a_result_is_compared_with_a_reference_by_hand(
    running: Service, result: str, send: Callable[..., Any]
) -> None:
    # One slice farther up: half of the cube is common, 30 samples are on either side alone.
    moved = np.roll(CUBE, 1, axis=0)
    moved[0, 0, :5] = 2
    reference = send(moved, {1: "bright", 2: "elsewhere"}).json()["id"]

    told = compared(running, result, reference).raise_for_status().json()

    (cube, missed) = told["structures"]
    ml = 3.0 * 0.8 * 0.8 / 1000
    assert (cube["reference"], cube["prediction"], cube["note"]) == ("bright", "bright", "")
    assert (cube["unit"], cube["unit_of_length"]) == ("ml", "mm")
    assert cube["dice"] == 0.5
    assert cube["hd"] == pytest.approx(3.0)
    assert [cube[name] for name in ("added", "removed")] == pytest.approx([30 * ml, 30 * ml])
    assert cube["volume_prediction"] == pytest.approx(60 * ml)
    assert (missed["prediction"], missed["note"], missed["dice"]) == (None, "missed", 0.0)
    assert (missed["hd"], missed["removed"]) == (None, pytest.approx(5 * ml))
    assert told["dice"] == 0.25
    assert compared(running, result, reference).json() == told


def test_the_other_way_round_added_is_what_was_removed(
    running: Service, result: str, send: Callable[..., Any]
) -> None:
    half = CUBE.copy()
    half[3] = 0
    reference = send(half, {1: "bright"}).json()["id"]

    (one,) = compared(running, result, reference).json()["structures"]
    (other,) = compared(running, reference, result).json()["structures"]

    assert one["added"] == other["removed"] > 0
    assert one["removed"] == other["added"] == 0
    assert one["dice"] == other["dice"]


def test_structures_belong_together_by_code(running: Service, send: Callable[..., Any]) -> None:
    german = send(CUBE, {1: "Liver"}).json()["id"]
    other = send(CUBE, {1: "liver"}).json()["id"]

    (one,) = compared(running, german, other).json()["structures"]

    assert (one["reference"], one["prediction"], one["dice"]) == ("liver", "Liver", 1.0)


def test_only_results_on_one_series_are_compared(
    running: Service, result: str, tmp_path: Path
) -> None:
    files = series(tmp_path / "other", seed="other")
    other = running.upload(files).raise_for_status().json()["id"]
    job = running.wait(running.submit(other)["id"])

    refused = compared(running, result, job["id"])

    assert refused.status_code == 422
    assert "on one series" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("body", "name", "told"),
    [
        (b"", "labels.nii.gz", "holds no file"),
        (b"not labels at all", "labels.nii.gz", "expected labels or outlines"),
        (b"\x1f\x8b broken", "labels.nii.gz", ""),
    ],
)
def test_what_is_no_reference_is_refused(
    running: Service, ct_id: str, body: bytes, name: str, told: str
) -> None:
    answer = running.client.post(
        f"/v1/images/{ct_id}/references", params={"name": name}, content=body
    )

    assert answer.status_code == 422
    assert told in answer.json()["detail"]


def test_labels_of_another_grid_are_refused(running: Service, ct_id: str, tmp_path: Path) -> None:
    far = Grid(ct().grid.shape, ct().grid.affine + np.array([[0, 0, 0, 400.0]] + [[0] * 4] * 3))
    path = tmp_path / "far.nii.gz"
    nifti.write_labels(LabelMap(CUBE, far, {1: Category("bright")}), path)

    answer = running.client.post(
        f"/v1/images/{ct_id}/references", params={"name": path.name}, content=path.read_bytes()
    )

    assert (answer.status_code, answer.json()["title"]) == (422, "GeometryError")


def test_cases_tell_what_was_found_and_how_well(
    running: Service, ct_id: str, send: Callable[..., Any]
) -> None:
    job = running.wait(running.submit(ct_id)["id"])
    reference = send(CUBE, {1: "bright", 2: "nowhere"}).json()["id"]

    def listed() -> dict[str, Any]:
        page = running.client.get("/v1/cases", params={"image": ct_id, "limit": 1000}).json()
        return {one["id"]: one for one in page["cases"]}

    case = listed()[job["id"]]
    assert case["summary"]["found"] == ["bright"]
    assert (case["series"]["modality"], case["series"]["slices"]) == ("CT", 6)
    assert (case["reference"], case["dice"]) == (reference, None)
    compared(running, job["id"], reference).raise_for_status()
    assert listed()[job["id"]]["dice"] == 1.0
    assert listed()[reference]["reference"] is None
    assert listed()[reference]["summary"]["missing"] == ["nowhere"]


def test_cases_come_in_pages(running: Service, result: str) -> None:
    first = running.client.get("/v1/cases", params={"limit": 1}).json()
    rest = running.client.get("/v1/cases", params={"after": first["next"], "limit": 1000}).json()

    ids = [one["id"] for one in (*first["cases"], *rest["cases"])]
    assert ids == sorted(set(ids), reverse=True)
    assert result in ids


def test_a_case_has_a_picture(running: Service, result: str) -> None:
    answer = running.client.get(f"/v1/jobs/{result}/thumbnail")

    assert answer.headers["content-type"] == "image/jpeg"
    with Picture.open(io.BytesIO(answer.content)) as picture:
        assert max(picture.size) == 192
