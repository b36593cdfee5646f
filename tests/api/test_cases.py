"""References that are sent, what results differ by, and the list of cases."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image as Picture
from service import Service, ct, series, until

from delineate.formats import geojson, nifti, nrrd
from delineate.formats.marks import Mark
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


MOTH, FLY = Category("moth"), Category("fly")


@pytest.fixture(scope="module")
def photograph(running: Service) -> str:
    """Id of a grey picture of 60 rows and 80 columns."""
    file = io.BytesIO()
    Picture.fromarray(np.full((60, 80), 120, np.uint8)).save(file, "png")
    answer = running.client.post("/v1/images", files=[("files", ("trap.png", file.getvalue()))])
    return str(answer.raise_for_status().json()["id"])


@pytest.fixture
def things(running: Service, photograph: str, tmp_path: Path) -> Callable[..., Any]:
    """Send things on the photograph as a reference."""

    def sent(*marks: Mark) -> str:
        path = tmp_path / "things.geojson"
        geojson.write((), Grid.regular((1, 60, 80), unit="px"), path, marks)
        address = f"/v1/images/{photograph}/references"
        answer = running.client.post(address, params={"name": path.name}, content=path.read_bytes())
        return str(answer.raise_for_status().json()["id"])

    return sent


def test_things_are_compared_one_by_one_by_hand(
    running: Service, photograph: str, things: Callable[..., str]
) -> None:
    # Of three, one lies 6 pixels beside its partner, one is called otherwise, one has none.
    theirs = things(
        Mark(1, MOTH, point=(10.0, 10.0, 0.0)),
        Mark(2, MOTH, point=(40.0, 50.0, 0.0)),
        Mark(3, FLY, point=(70.0, 10.0, 0.0)),
        Mark(4, FLY, point=(70.0, 50.0, 0.0)),
    )
    ours = things(
        Mark(1, FLY, point=(70.0, 50.0, 0.0)),
        Mark(2, MOTH, point=(16.0, 10.0, 0.0)),
        Mark(3, FLY, point=(40.0, 50.0, 0.0)),
    )

    document = running.client.get(f"/v1/jobs/{ours}/result").json()
    assert (document["detector"]["gives"], len(document["findings"])) == ("instances", 3)
    told = compared(running, ours, theirs).raise_for_status().json()

    assert (told["structures"], told["dice"]) == ([], None)
    found = told["things"]
    assert (found["by"], found["least"], found["unit"]) == ("distance", 20.0, "px")
    assert sorted(map(tuple, found["pairs"])) == [(1, 4), (2, 1), (3, 2)]
    assert found["all"]["hits"] == 3
    assert found["all"]["f1"] == pytest.approx(6 / 7)
    by_name = {one["name"]: one for one in found["categories"]}
    assert [by_name["moth"][key] for key in ("prediction", "reference", "hits")] == [1, 2, 1]
    assert [by_name["fly"][key] for key in ("prediction", "reference", "hits")] == [2, 2, 1]
    assert by_name["moth"]["precision"] == 1.0
    assert by_name["moth"]["recall"] == 0.5

    nearer = running.client.get(
        f"/v1/jobs/{ours}/comparison", params={"reference": theirs, "distance": 5}
    ).json()["things"]
    assert (nearer["least"], nearer["all"]["hits"]) == (5.0, 2)
    assert compared(running, ours, theirs).json() == told
    page = running.client.get("/v1/cases", params={"image": photograph}).json()["cases"]
    newest = next(one for one in page if one["id"] == theirs)
    assert (newest["reference"], newest["f1"]) == (ours, None)  # the newest reference is the other
    compared(running, theirs, ours).raise_for_status()
    page = running.client.get("/v1/cases", params={"image": photograph}).json()["cases"]
    newest = next(one for one in page if one["id"] == theirs)
    assert (newest["f1"], newest["dice"]) == (pytest.approx(6 / 7, abs=1e-6), None)


def test_things_are_corrected_and_the_export_is_what_is_sent(
    running: Service, things: Callable[..., str]
) -> None:
    first = things(
        Mark(1, MOTH, 0.5, point=(10.0, 10.0, 0.0)), Mark(2, FLY, 0.25, point=(40.0, 50.0, 0.0))
    )
    exported = running.client.get(f"/v1/jobs/{first}/exports/geojson").raise_for_status().json()

    def correct(document: Any, name: str = "things.geojson") -> Any:
        files = {"labels": (name, json.dumps(document))}
        data = {"comment": "dirt"}
        return running.client.post(f"/v1/jobs/{first}/corrections", files=files, data=data)

    same = correct(exported)
    assert (same.status_code, same.json()["title"]) == (422, "InputError")
    assert "got the same" in same.json()["detail"]

    moth, _ = exported["features"]
    new = {**moth, "properties": {**moth["properties"], "number": 9, "world": [70.0, 5.0, 0.0]}}
    job = running.wait(correct({**exported, "features": [moth, new]}).json()["id"])
    assert job["state"] == "done", job
    document = running.client.get(f"/v1/jobs/{job['id']}/result").json()

    assert (document["detector"]["id"], document["detector"]["gives"]) == (
        "correction",
        "instances",
    )
    one, two = document["findings"]
    assert (one["score"], one["notes"]) == (0.5, [])
    assert (two["score"], two["notes"], two["point"]) == (None, ["drawn by hand"], [70.0, 5.0, 0.0])
    assert document["overall"] == {"count": 2, "count_moth": 2, "count_fly": 0}
    told = document["provenance"]["correction"]
    assert [(c["id"], c["what"], c["name"]) for c in told["changes"]] == [
        (2, "drawn", "moth"),
        (2, "deleted", "fly"),
    ]
    kept = f"/v1/images/{job['options']['labels']}"
    assert until(lambda: running.client.get(kept).status_code == 404)
    listed = running.client.get(f"/v1/jobs/{job['id']}/corrections").json()["versions"]
    assert [one["of"] for one in listed] == [None, first]
    compared(running, job["id"], first).raise_for_status()

    outside = {**new, "properties": {**new["properties"], "world": [90.0, 5.0, 0.0]}}
    refused = correct({**exported, "features": [outside]})
    assert (refused.status_code, refused.json()["title"]) == (422, "GeometryError")
    ring = {"slice": 0, "number": 1, "name": "moth", "colour": "#e69f00", "laterality": None}
    entry = {**ring, "code": None}
    area = correct({**exported, "structures": [entry], "features": []})
    assert "expected things alone" in area.json()["detail"]
    coco = {"images": [], "annotations": [], "categories": []}
    assert "expected things as GeoJSON" in correct(coco, "things.json").json()["detail"]


def test_boxes_are_compared_by_their_overlap(running: Service, things: Callable[..., str]) -> None:
    one = things(Mark(1, MOTH, box=((9.5, 9.5, -0.5), (19.5, 19.5, 0.5))))
    # Three quarters of each are common, three fifths of both together.
    two = things(Mark(1, MOTH, box=((12.0, 9.5, -0.5), (22.0, 19.5, 0.5))))

    def hits(**asked: float) -> int:
        address, query = f"/v1/jobs/{one}/comparison", {"reference": two, **asked}
        told = running.client.get(address, params=query).raise_for_status().json()["things"]
        assert told["by"] == "iou"
        return int(told["all"]["hits"])

    assert [hits(), hits(iou=0.59), hits(iou=0.61)] == [1, 1, 0]


@pytest.mark.parametrize("query", [{"distance": -1}, {"distance": "inf"}, {"iou": 0}, {"iou": 2}])
def test_a_rule_that_makes_no_sense_is_refused(
    running: Service, things: Callable[..., str], query: dict[str, Any]
) -> None:
    one = things(Mark(1, MOTH, point=(10.0, 10.0, 0.0)))
    two = things(Mark(1, MOTH, point=(11.0, 10.0, 0.0)))

    answer = running.client.get(f"/v1/jobs/{one}/comparison", params={"reference": two, **query})

    assert answer.status_code == 422


def test_outlines_of_coco_are_an_area_or_things(
    running: Service, photograph: str, things: Callable[..., str]
) -> None:
    rings = [[2, 4, 8, 4, 8, 9, 2, 9], [6, 4, 12, 4, 12, 9, 6, 9]]  # which overlap
    document = {
        "images": [{"id": 1, "width": 80, "height": 60, "file_name": "trap.png"}],
        "categories": [{"id": 1, "name": "moth"}],
        "annotations": [{"image_id": 1, "category_id": 1, "segmentation": [r]} for r in rings],
    }

    def kept(**query: Any) -> Any:
        answer = running.client.post(
            f"/v1/images/{photograph}/references",
            params={"name": "instances.json", **query},
            content=json.dumps(document),
        )
        job = answer.raise_for_status().json()["id"]
        return running.client.get(f"/v1/jobs/{job}/result").json()

    area, each = kept(), kept(things=True)
    document["annotations"].append({"image_id": 1, "category_id": 1, "bbox": [40, 40, 5, 5]})
    mixed, all_ = kept(), kept(things=True)
    assert any("1 points and boxes of the file were left out" in one for one in mixed["notes"])
    assert (len(all_["findings"]), all_["findings"][2]["box"]) == (
        3,
        [[39.5, 39.5, -0.5], [44.5, 44.5, 0.5]],
    )

    assert (area["detector"]["gives"], len(area["findings"])) == ("labelmap", 1)
    assert (each["detector"]["gives"], len(each["findings"])) == ("instances", 2)
    assert [one["measurements"]["area_px"] for one in each["findings"]] == [30.0, 30.0]


def test_areas_are_not_compared_with_things(
    running: Service, photograph: str, things: Callable[..., str], tmp_path: Path
) -> None:
    grid = Grid.regular((1, 60, 80), unit="px")
    labels = LabelMap(np.ones(grid.shape, np.uint8), grid, {1: MOTH})
    nrrd.write_labels([labels], tmp_path / "area.seg.nrrd")
    area = running.client.post(
        f"/v1/images/{photograph}/references",
        params={"name": "area.seg.nrrd"},
        content=(tmp_path / "area.seg.nrrd").read_bytes(),
    ).raise_for_status()

    refused = compared(running, things(Mark(1, MOTH, point=(9.0, 9.0, 0.0))), area.json()["id"])

    assert refused.status_code == 422
    assert "two with things" in refused.json()["detail"]


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
