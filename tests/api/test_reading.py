"""How an upload is read: as Python and the command line read it, and as its sender says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow
from service import Service, ct, series, zipped

from delineate.cli import main
from delineate.formats import inspect
from delineate.imaging import Image


def gapped(folder: Path) -> list[Path]:
    """A CT without one of its slices."""
    files = series(folder, seed="gap")
    files[3].unlink()
    return [path for path in files if path.exists()]


def nifti(path: Path, array: np.ndarray[Any, Any] | None = None) -> Path:
    samples = np.zeros((8, 8, 6), np.int16) if array is None else array
    nibabel.Nifti1Image(samples, np.diag([1.0, 1, 2, 1])).to_filename(path)
    return path


def test_the_report_is_the_same_from_python_the_command_line_and_the_service(
    running: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "study"
    files = gapped(folder)
    (folder / "note.txt").write_text("text")
    asked = {"uneven": "resample"}

    in_python = inspect(folder, uneven="resample").to_json()
    with pytest.raises(SystemExit):
        main(["inspect", str(folder), "--json", "--uneven", "resample"])
    on_the_command_line = json.loads(capsys.readouterr().out)
    parts = [("files", (path.name, path.read_bytes())) for path in [*files, folder / "note.txt"]]
    document = running.client.post("/v1/images", params=asked, files=parts).json()

    assert json.loads(json.dumps(in_python)) == on_the_command_line == document["report"]
    assert document["reading"] == {"uneven": "resample", "spacing_mm": None}
    assert document["report"]["verdict"] == "corrected"


def test_uneven_slices_are_refused_and_interpolated_on_request(
    running: Service, tmp_path: Path
) -> None:
    files = gapped(tmp_path)
    body = zipped(files)

    refused = running.send(body)
    kept = running.client.post("/v1/images", params={"uneven": "resample"}, content=body).json()
    job = running.wait(running.submit(kept["id"])["id"])
    result = running.client.get(f"/v1/jobs/{job['id']}/result").json()
    volume = running.client.get(f"/v1/images/{kept['id']}/volume")
    nifti_file = running.client.get(f"/v1/jobs/{job['id']}/exports/nifti")
    rtstruct = running.client.get(f"/v1/jobs/{job['id']}/exports/rtstruct")

    assert refused.status_code == 422
    assert "uneven=resample" in refused.json()["detail"]
    assert volume.headers["x-shape"] == "6,24,24"
    assert (job["state"], job["error"]) == ("done", None)
    assert result["notes"][0].startswith("Slices are interpolated: ")
    assert result["image"]["source"]["format"] == "dicom-resampled"
    assert nifti_file.status_code == 200
    assert rtstruct.status_code == 422
    assert "GeoJSON" in rtstruct.json()["detail"] or "geojson" in rtstruct.json()["detail"]


def test_the_same_files_read_otherwise_are_another_image(running: Service, tmp_path: Path) -> None:
    body = zipped(series(tmp_path))

    ids = {
        running.client.post("/v1/images", params=asked, content=body).json()["id"]
        for asked in ({}, {"uneven": "refuse"}, {"uneven": "resample"})
    }

    assert len(ids) == 2


def test_the_size_of_a_pixel_is_stated_with_the_upload(running: Service, tmp_path: Path) -> None:
    Pillow.fromarray(np.full((20, 30), 200, np.uint8)).save(tmp_path / "a.png")
    body = (tmp_path / "a.png").read_bytes()

    plain = running.send(body).json()["report"]["series"][0]
    scaled = running.client.post("/v1/images", params={"spacing_mm": "0.2,0.3"}, content=body)
    wrong = running.client.post("/v1/images", params={"spacing_mm": "wide"}, content=body)
    image = scaled.json()
    volume = running.client.get(f"/v1/images/{image['id']}/volume")

    assert (plain["unit"], plain["scale_known"]) == ("px", False)
    (one,) = image["report"]["series"]
    assert (one["unit"], one["spacing_mm"]) == ("mm", [1.0, 0.2, 0.3])
    assert volume.headers["x-unit"] == "mm"
    assert wrong.status_code == 422
    assert "ROW,COLUMN" in wrong.json()["detail"]


def test_a_modality_is_stated_with_a_job_and_recorded(running: Service, tmp_path: Path) -> None:
    image = running.upload([nifti(tmp_path / "scan.nii.gz")]).json()

    job = running.submit(image["id"], modality="CT")
    done = running.wait(job["id"])
    result = running.client.get(f"/v1/jobs/{job['id']}/result").json()
    export = running.client.get(f"/v1/jobs/{job['id']}/exports/nifti")

    assert job["modality"] == "CT"
    assert done["state"] == "done"
    assert result["image"]["modality"] == "CT"
    assert result["notes"] == ["The file names no modality; it was stated to be CT."]
    assert export.status_code == 200, export.text


def test_a_modality_that_the_files_contradict_is_refused(running: Service, ct_id: str) -> None:
    asked = {"image_id": ct_id, "detector": "test.bright", "modality": "MR"}

    answer = running.client.post("/v1/jobs", json=asked)

    assert answer.status_code == 422
    assert "says MR, and the file says CT" in answer.json()["detail"]


def test_a_series_keeps_a_safe_id_and_shows_the_name_its_sender_knows(
    running: Service, tmp_path: Path
) -> None:
    image = running.upload([nifti(tmp_path / "Jane Roe.nii.gz", np.ones((4, 4, 4)))]).json()

    (one,) = image["report"]["series"]
    assert (one["id"], one["files"]) == ("0001.nii.gz", ["Jane Roe.nii.gz"])
    job = running.wait(running.submit(image["id"], modality="CT")["id"])
    for path in running.settings.data.glob("delineate.db*"):
        assert b"Jane Roe" not in path.read_bytes()
    result = running.client.get(f"/v1/jobs/{job['id']}/result")
    assert "Jane Roe" not in result.text
    unknown = running.client.get(f"/v1/images/{image['id']}/volume", params={"series": "9"})
    assert unknown.status_code == 422
    assert "Jane Roe" not in unknown.text
    assert "'9' is not among them; name one as 'series': 0001.nii.gz" in unknown.json()["detail"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_and_its_samples_are_one_image(
    running: Service, tmp_path: Path, packed: bool
) -> None:
    sitk = pytest.importorskip("SimpleITK")
    samples = np.arange(4 * 6 * 7, dtype=np.int16).reshape(4, 6, 7) + (1 if packed else 0)
    sitk.WriteImage(sitk.GetImageFromArray(samples), str(tmp_path / "scan.mhd"))
    files = [tmp_path / "scan.mhd", tmp_path / "scan.raw"]

    answer = running.send(zipped(files)) if packed else running.upload(files)

    document = answer.raise_for_status().json()
    (one,) = document["report"]["series"]
    assert one["files"] == ["scan.mhd", "scan.raw"]
    volume = running.client.get(f"/v1/images/{document['id']}/volume")
    np.testing.assert_array_equal(np.frombuffer(volume.content, "<i2").reshape(4, 6, 7), samples)


def test_a_stray_slice_needs_no_choice(running: Service, tmp_path: Path) -> None:
    image = ct()
    other = Image(image.array[:1] + np.int16(1), image.grid.crop((0, 0, 0), (1, 24, 24)), "CT")
    files = series(tmp_path / "a", seed="main") + series(tmp_path / "b", other, seed="stray")
    names = [f"{path.parent.name}{path.name}" for path in files]

    document = running.send(zipped(files, names)).json()

    assert [bool(one["set_aside"]) for one in document["report"]["series"]] == [False, True]
    job = running.submit(document["id"])
    assert job["series"] == document["report"]["series"][0]["id"]
    other_id = document["report"]["series"][1]["id"]
    volume = running.client.get(f"/v1/images/{document['id']}/volume", params={"series": other_id})
    assert volume.headers["x-shape"] == "1,24,24"


def test_files_sent_twice_are_told(running: Service, ct_files: list[Path]) -> None:
    parts = [("files", (path.name, path.read_bytes())) for path in ct_files[:5]]
    parts.append(("files", ("again.dcm", ct_files[0].read_bytes())))

    report = running.client.post("/v1/images", files=parts).json()["report"]

    assert report["ignored"] == [
        {"name": "again.dcm", "reason": "the same bytes as another file that was sent"}
    ]


@pytest.mark.parametrize("body", ["", "{", "{'image_id': 1}", "[1, 2"])
def test_a_body_that_is_no_json_is_told_what_is_expected(running: Service, body: str) -> None:
    answer = running.client.post(
        "/v1/jobs", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 422
    assert "/docs shows" in answer.json()["detail"]
