"""What cannot be used: each has a code and a sentence that says what to do, and is not kept."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import nibabel
import numpy as np
import pytest
from campaigns.mutate import campaign
from service import Service, ct, series, zipped

from delineate.imaging import Image

Send = Callable[[Service, list[Path], Path], httpx.Response]
PATIENT = "CANARY"


def empty_zip(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    return running.send(zipped([]), f"{PATIENT}.zip")


def no_file_at_all(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    return running.client.post("/v1/images", files=[("files", ("", b""))])


def empty_body(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    return running.send(b"")


def text_named_dcm(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    return running.client.post(
        "/v1/images", files=[("files", (f"{PATIENT}.dcm", b"this is a letter"))]
    )


def truncated_slice(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    broken = scratch / files[2].name
    broken.write_bytes(files[2].read_bytes()[:-300])
    return running.upload([*files[:2], broken, *files[3:]])


def missing_slice(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    return running.upload([*files[:2], *files[3:]])


def nifti_without_geometry(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 8), np.int16), np.eye(4)), scratch / "x.nii")
    raw = bytearray((scratch / "x.nii").read_bytes())
    raw[252:256] = struct.pack("<hh", 0, 1)  # no qform, an sform
    raw[280:328] = bytes(48)  # of zeros
    return running.send(bytes(raw), "x.nii")


def nifti_of_four_dimensions(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    nibabel.save(
        nibabel.Nifti1Image(np.zeros((8, 8, 8, 5), np.int16), np.eye(4)), scratch / "x.nii"
    )
    return running.send((scratch / "x.nii").read_bytes(), "x.nii")


def zip_that_climbs(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    return running.send(zipped(files[:1], ["../../escaped.dcm"]))


def zip_with_absolute_path(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    return running.send(zipped(files[:1], ["/tmp/escaped.dcm"]))


def zip_of_a_link(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        link = zipfile.ZipInfo("passwd")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return running.send(packed.getvalue())


def zip_cut_short(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    return running.send(zipped(files)[:-80])


def zip_of_a_zip(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    (scratch / "inner.zip").write_bytes(zipped(files))
    return running.send(zipped([scratch / "inner.zip"]))


def rows_without_pixels(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    for path in files:
        raw = path.read_bytes()
        rows = raw.index(b"\x28\x00\x10\x00US\x02\x00") + 8
        (scratch / path.name).write_bytes(raw[:rows] + struct.pack("<H", 65535) + raw[rows + 2 :])
    return running.upload(sorted(scratch.iterdir()))


def multipart_without_boundary(
    running: Service, files: list[Path], scratch: Path
) -> httpx.Response:
    headers = {"Content-Type": "multipart/form-data"}
    return running.client.post("/v1/images", content=b"--x\r\n", headers=headers)


def multipart_that_breaks_off(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    begun = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nabc'
    return running.client.post("/v1/images", content=begun, headers=headers)


def multipart_garbage(running: Service, files: list[Path], scratch: Path) -> httpx.Response:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    return running.client.post("/v1/images", content=b"\0\1\2" * 999, headers=headers)


@pytest.mark.parametrize(
    ("send", "told"),
    [
        (empty_zip, "holds no file"),
        (no_file_at_all, "holds no file"),
        (empty_body, "the upload holds no file, or an empty one"),
        (text_named_dcm, "the file is no image"),
        (truncated_slice, "cut short"),
        (missing_slice, "missing"),
        (nifti_without_geometry, "where it lies"),
        (nifti_of_four_dimensions, "one volume at a time"),
        (zip_that_climbs, "points out of its folder"),
        (zip_with_absolute_path, "absolute"),
        (zip_of_a_link, "is a link"),
        (zip_cut_short, "send it again"),
        (zip_of_a_zip, "a zip within the zip"),
        (rows_without_pixels, "cut short"),
        (multipart_without_boundary, "no boundary"),
        (multipart_that_breaks_off, "breaks off"),
        (multipart_garbage, "multipart body is broken"),
    ],
)
def test_what_cannot_be_used_is_refused_with_advice(
    running: Service, ct_files: list[Path], tmp_path: Path, send: Send, told: str
) -> None:
    images = sorted((running.home / "images").glob("*"))

    answer = send(running, ct_files, tmp_path)

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == 422
    assert told in body["detail"] + str(body.get("report", ""))
    assert PATIENT not in answer.text
    assert sorted((running.home / "images").glob("*")) == images
    assert not list((running.settings.data / "tenants" / "local" / "incoming").glob("*"))
    assert not Path("/tmp/escaped.dcm").exists()


def test_an_mr_series_is_no_ct(running: Service, ct_files: list[Path], tmp_path: Path) -> None:
    import pydicom

    for path in ct_files:
        dataset = pydicom.dcmread(path)
        dataset.Modality = "MR"
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.save_as(tmp_path / path.name)
    image_id = running.upload(sorted(tmp_path.iterdir())).raise_for_status().json()["id"]

    asked = {"image_id": image_id, "detector": "test.bright"}
    answer = running.client.post("/v1/jobs", json=asked)

    assert (answer.status_code, answer.json()["title"]) == (422, "UnsuitableImageError")
    assert "CT" in answer.json()["detail"]
    assert "MR" in answer.json()["detail"]


def test_two_series_in_one_zip_are_both_listed_and_one_has_to_be_chosen(
    running: Service, tmp_path: Path
) -> None:
    image = ct()
    second = Image((image.array + 1).astype(np.int16), image.grid, "CT")
    files = series(tmp_path / "a", image, "one") + series(tmp_path / "b", second, "two")
    names = [f"{path.parent.name}/{path.name}" for path in files]
    document = running.send(zipped(files, names)).raise_for_status().json()
    ids = {one["id"] for one in document["report"]["series"]}
    asked = {"image_id": document["id"], "detector": "test.bright"}

    unchosen = running.client.post("/v1/jobs", json=asked)
    chosen = running.client.post("/v1/jobs", json={**asked, "series": min(ids)})

    assert len(ids) == 2
    assert (unchosen.status_code, unchosen.json()["title"]) == (422, "SeriesChoiceError")
    assert {one["id"] for one in unchosen.json()["series"]} == ids
    assert chosen.status_code == 202
    assert running.wait(chosen.json()["id"])["state"] == "done"


def test_no_mutation_of_an_upload_is_a_fault_of_the_service(
    running: Service, tmp_path: Path
) -> None:
    outcome = campaign(running, tmp_path, uploads=150, seed=1)

    assert outcome.faults == []
    assert set(outcome.statuses) <= {201, 413, 422}
    assert outcome.statuses[422] > 50
    assert outcome.left_behind == 0
    assert outcome.descriptors_more <= 4
    assert outcome.slowest_seconds < 20
