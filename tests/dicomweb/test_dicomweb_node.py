"""The node as its clients see it: dicomweb-client and plain HTTP against a running service."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
import requests
from dicom_records import uids
from dicomweb_client.api import DICOMwebClient
from PIL import Image as Picture
from pydicom.encaps import generate_frames
from service import Service, ct, series, until

STOW = 'multipart/related; type="application/dicom"; boundary=line'
RULE_SERIES = "by the rule"


@pytest.fixture(scope="module")
def client(node: Service) -> Iterator[DICOMwebClient]:
    with requests.Session() as session:
        yield DICOMwebClient(f"{node.url}/dicomweb", session=session)


def stow(node: Service, contents: list[bytes], study: str = "", kind: str = STOW) -> httpx.Response:
    parts = [b"--line\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % one for one in contents]
    body = b"".join([*parts, b"--line--\r\n"])
    path = f"/dicomweb/studies/{study}" if study else "/dicomweb/studies"
    return node.client.post(path, content=body, headers={"Content-Type": kind})


def refused(answer: httpx.Response) -> list[tuple[str, int]]:
    """Instance and reason of each that was not stored."""
    failed = answer.json().get("00081198", {}).get("Value", [])
    return [(one["00081155"]["Value"][0], one["00081197"]["Value"][0]) for one in failed]


def uids_of(path: Path) -> tuple[str, str, str]:
    one = pydicom.dcmread(path)
    return str(one.StudyInstanceUID), str(one.SeriesInstanceUID), str(one.SOPInstanceUID)


@pytest.fixture(scope="module")
def stored(node: Service, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A CT that was stored, and does not fall under the rule."""
    files = series(tmp_path_factory.mktemp("stored"), seed="stored")
    assert stow(node, [path.read_bytes() for path in files]).status_code == 200
    return files


def test_what_is_stored_comes_back_byte_for_byte(
    node: Service, client: DICOMwebClient, stored: list[Path]
) -> None:
    study, series_uid, instance = uids_of(stored[0])
    path = f"/dicomweb/studies/{study}/series/{series_uid}/instances/{instance}"
    accept = "application/dicom; transfer-syntax=*"
    answer = node.client.get(path, headers={"Accept": accept})

    assert answer.content == stored[0].read_bytes()
    assert answer.headers["content-type"].startswith("application/dicom")
    back = {str(one.SOPInstanceUID): one for one in client.retrieve_study(study)}
    assert len(back) == len(stored)
    for file in stored:
        original = pydicom.dcmread(file)
        same = back[str(original.SOPInstanceUID)]
        np.testing.assert_array_equal(same.pixel_array, original.pixel_array)


def test_metadata_say_what_the_files_say(client: DICOMwebClient, stored: list[Path]) -> None:
    study, series_uid, _ = uids_of(stored[0])
    told = client.retrieve_series_metadata(study, series_uid)
    by_uid = {one["00080018"]["Value"][0]: one for one in told}

    assert len(told) == len(stored)
    for file in stored:
        dataset = pydicom.dcmread(file)
        mine = by_uid[str(dataset.SOPInstanceUID)]
        pixels = mine.pop("7FE00010")
        expected = dataset.to_json_dict()
        del expected["7FE00010"]
        expected.setdefault("00080005", {})
        assert {**mine, "00080005": {}} == {**expected, "00080005": {}}
        (data,) = client.retrieve_bulkdata(pixels["BulkDataURI"])
        assert data == dataset.PixelData


def test_frames_come_as_viewers_ask_for_them(node: Service, stored: list[Path]) -> None:
    study, series_uid, instance = uids_of(stored[0])
    path = f"/dicomweb/studies/{study}/series/{series_uid}/instances/{instance}/frames/1"
    # As OHIF asks, and as dicomweb-client does by default.
    for accept in (
        'multipart/related; type="application/octet-stream"; transfer-syntax=*',
        "multipart/related; type=application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1",
        'multipart/related; type="*/*"',
    ):
        answer = node.client.get(path, headers={"Accept": accept})
        kind = answer.headers["content-type"]
        boundary = kind.partition("boundary=")[2].encode()
        _, head, _ = answer.content.split(b"--" + boundary)
        headers, _, frame = head.partition(b"\r\n\r\n")

        assert kind.startswith('multipart/related; type="application/octet-stream"')
        assert b"application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1" in headers
        assert frame == pydicom.dcmread(stored[0]).PixelData + b"\r\n"
        assert int(answer.headers["content-length"]) == len(answer.content)
    single = node.client.get(path, headers={"Accept": "application/octet-stream"})
    assert single.content == pydicom.dcmread(stored[0]).PixelData


@pytest.mark.parametrize("name", ["emri_small_RLE.dcm", "emri_small_jpeg_2k_lossless.dcm"])
def test_compressed_frames_go_out_as_stored_or_decoded(
    node: Service, client: DICOMwebClient, shared_data: Path, name: str
) -> None:
    (file,) = (shared_data / "odd_files").rglob(name)
    original = pydicom.dcmread(file)
    original.SOPInstanceUID = f"1.2.3.4.{len(name)}"
    original.SeriesInstanceUID = f"1.2.3.{len(name)}"
    content = BytesIO()
    original.save_as(content)
    assert stow(node, [content.getvalue()]).status_code == 200
    where = (
        str(original.StudyInstanceUID),
        str(original.SeriesInstanceUID),
        str(original.SOPInstanceUID),
    )
    as_stored = client.retrieve_instance(*where)
    (plain,) = client.retrieve_series(*where[:2])
    decoded = client.retrieve_instance_frames(
        *where, [2, 10], media_types=("application/octet-stream",)
    )
    stored = client.retrieve_instance_frames(*where, [2])

    assert as_stored.PixelData == original.PixelData
    assert plain.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    np.testing.assert_array_equal(plain.pixel_array, original.pixel_array)
    assert decoded == [original.pixel_array[number].tobytes() for number in (1, 9)]
    frames = list(generate_frames(original.PixelData, number_of_frames=10))
    assert stored == [frames[1]]


def test_pictures_show_the_window_asked_for(node: Service, stored: list[Path]) -> None:
    study, series_uid, instance = uids_of(stored[2])
    path = f"/dicomweb/studies/{study}/series/{series_uid}/instances/{instance}"
    query = {"window": "300,100,linear-exact", "accept": "image/png"}
    answer = node.client.get(f"{path}/rendered", params=query)
    grey = np.asarray(Picture.open(BytesIO(answer.content)))
    small = node.client.get(f"/dicomweb/studies/{study}/thumbnail", params={"viewport": "12,12"})

    assert answer.headers["content-type"] == "image/png"
    assert grey.shape == (24, 24)
    assert set(np.unique(grey)) == {0, 128}  # 300 HU lie in the middle of the window
    assert (grey == 128).sum() == 30
    assert Picture.open(BytesIO(small.content)).size == (12, 12)


def test_a_series_becomes_an_image_that_jobs_take(node: Service, stored: list[Path]) -> None:
    _, series_uid, _ = uids_of(stored[0])
    image = node.client.post(f"/v1/images/series/{series_uid}").raise_for_status().json()
    again = node.upload(stored).json()

    assert image["id"] == again["id"]
    assert image["report"]["series"][0]["id"] == series_uid
    folder = node.settings.data / "tenants" / "local"
    kept = list((folder / "images" / image["id"] / "files").iterdir())
    assert sorted(path.read_bytes() for path in kept) == sorted(p.read_bytes() for p in stored)
    own = {path.stat().st_ino for path in (folder / "dicom").glob("*/*")}
    assert {path.stat().st_ino for path in kept} <= own  # once on the disk


def test_an_uploaded_series_is_found_too(
    node: Service, client: DICOMwebClient, ct_files: list[Path]
) -> None:
    study, series_uid, _ = uids_of(ct_files[0])
    assert node.upload(ct_files).status_code == 201

    def look() -> list[dict[str, Any]] | None:
        found = client.search_for_series(study)
        return found or None

    (found,) = until(look)
    assert found["0020000E"]["Value"] == [series_uid]
    assert found["00201209"]["Value"] == [len(ct_files)]
    image_id = node.upload(ct_files).json()["id"]
    assert node.client.delete(f"/v1/images/{image_id}").status_code == 204
    assert client.search_for_series(study) == []


def test_a_stored_series_starts_the_job_of_its_rule_and_has_the_result_beside_it(
    node: Service, client: DICOMwebClient, tmp_path: Path
) -> None:
    files = series(tmp_path / "ct", seed="rule")
    for path in files:
        dataset = pydicom.dcmread(path)
        dataset.SeriesDescription = RULE_SERIES
        dataset.save_as(path)
    study, series_uid, _ = uids_of(files[0])
    for path in files:  # one at a time, as some modalities send
        assert stow(node, [path.read_bytes()], study).status_code == 200

    def look() -> list[dict[str, Any]] | None:
        found = client.search_for_series(study)
        return found if len(found) >= 3 else None

    beside = until(look)
    jobs = node.client.get("/v1/jobs").json()["jobs"]
    (job,) = [one for one in jobs if one["series"] == series_uid]
    assert (job["state"], job["detector"], job["priority"]) == ("done", "test.bright", 7)
    kinds = {one["00080060"]["Value"][0]: one["0020000E"]["Value"][0] for one in beside}
    assert set(kinds) >= {"CT", "SEG", "RTSTRUCT"}
    (seg,) = client.retrieve_series(study, kinds["SEG"])
    assert seg.pixel_array.sum() == 60
    assert str(seg.ReferencedSeriesSequence[0].SeriesInstanceUID) == series_uid
    exported = node.client.get(f"/v1/jobs/{job['id']}/exports/seg").content
    path = f"/dicomweb/studies/{study}/series/{kinds['SEG']}/instances/{seg.SOPInstanceUID}"
    accept = {"Accept": "application/dicom; transfer-syntax=*"}
    assert node.client.get(path, headers=accept).content == exported
    (study_told,) = client.search_for_studies(search_filters={"StudyInstanceUID": study})
    assert study_told["00201206"]["Value"] == [len(beside)]


def test_what_two_jobs_found_stays_when_one_of_them_goes(
    node: Service, client: DICOMwebClient, ct_files: list[Path]
) -> None:
    study, *_ = uids_of(ct_files[0])
    image_id = node.upload(ct_files).json()["id"]
    first = node.wait(node.submit(image_id)["id"])["id"]
    until(lambda: len(client.search_for_series(study)) == 4 or None)
    second = node.wait(node.submit(image_id)["id"])["id"]

    def segmentations() -> list[dict[str, Any]] | None:
        return client.search_for_series(study, search_filters={"Modality": "SEG"}) or None

    (before,) = until(segmentations)  # the same to the byte, and so offered once
    # The source, one SEG, and of each job an RTSTRUCT and an SR with its own time.
    until(lambda: len(client.search_for_series(study)) == 6 or None)
    assert node.client.delete(f"/v1/jobs/{first}/result").status_code == 204

    (after,) = until(segmentations)
    assert after["0020000E"] == before["0020000E"]
    assert node.client.delete(f"/v1/jobs/{second}/result").status_code == 204
    assert until(lambda: not segmentations() or None)


def test_a_series_that_grows_becomes_another_image(node: Service, ct_files: list[Path]) -> None:
    _, series_uid, _ = uids_of(ct_files[0])
    assert stow(node, [path.read_bytes() for path in ct_files[:-1]]).status_code == 200
    first = node.client.post(f"/v1/images/series/{series_uid}").json()
    assert stow(node, [ct_files[-1].read_bytes()]).status_code == 200
    second = node.client.post(f"/v1/images/series/{series_uid}").json()

    assert (first["files"], second["files"]) == (len(ct_files) - 1, len(ct_files))
    assert node.client.get(f"/v1/images/{first['id']}").status_code == 200


def test_what_is_not_stored_is_said_instance_by_instance(
    node: Service, ct_files: list[Path]
) -> None:
    study, _, first = uids_of(ct_files[0])
    other = pydicom.dcmread(ct_files[1])
    other.StudyInstanceUID = "1.2.3"
    other.save_as(ct_files[1])
    good, astray = ct_files[0].read_bytes(), ct_files[1].read_bytes()

    some = stow(node, [good, astray, b"no DICOM"], study)
    assert some.status_code == 202
    assert refused(some) == [(uids_of(ct_files[1])[2], 0xA900)]
    others = some.json()["0008119A"]["Value"]
    assert [one["00081197"]["Value"][0] for one in others] == [0xC000]
    assert uids_in(some, "00081199") == [first]
    assert "Warning" in some.headers

    again = stow(node, [good], study)
    assert (again.status_code, refused(again)) == (200, [])
    changed = pydicom.dcmread(ct_files[0])
    changed.InstanceNumber = 99
    changed.save_as(ct_files[0])
    none = stow(node, [ct_files[0].read_bytes()])
    assert (none.status_code, refused(none)) == (409, [(first, 0x0111)])


def uids_in(answer: httpx.Response, sequence: str) -> list[str]:
    return uids(answer.json()[sequence]["Value"], "00081155")


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/related; type=image/jpeg; boundary=x", b"--x--", 415),
        ("application/json", b"{}", 415),
        ('multipart/related; type="application/dicom"', b"", 422),
        (STOW, b"--line--\r\n", 400),
        (STOW, b"--line\r\n\r\nabc", 422),
        ("application/dicom", b"", 400),
        ("application/dicom", b"\0" * 200, 409),
    ],
)
def test_a_body_that_cannot_be_stored_is_refused(
    node: Service, kind: str, body: bytes, status: int
) -> None:
    answer = node.client.post("/dicomweb/studies", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text


def test_addresses_and_kinds_that_there_are_not(node: Service, stored: list[Path]) -> None:
    study, series_uid, instance = uids_of(stored[0])
    path = f"/dicomweb/studies/{study}/series/{series_uid}"
    one = f"{path}/instances/{instance}"
    for address, accept, status in (
        ("/dicomweb/studies/1.2.3/series/4/instances/5", "*/*", 404),
        ("/dicomweb/studies/not-a-uid", "*/*", 404),
        ("/dicomweb/studies/1.2.3/metadata", "*/*", 404),
        (f"{path}/metadata", "application/dicom+xml", 406),
        (path, 'multipart/related; type="application/dicom"; transfer-syntax=1.2.3', 406),
        (f"{one}/frames/2", "*/*", 404),
        (f"{one}/frames/0", "*/*", 400),
        (f"{one}/frames/1", "image/jp2", 406),
        (f"{one}/rendered", "video/mp4", 406),
        (f"{one}/rendered?window=1,0", "*/*", 400),
        (f"{one}/bulkdata/00100010", "*/*", 404),
        (f"{one}/bulkdata/..%2f..", "*/*", 404),
        ("/dicomweb/studies?PatientNamed=x", "*/*", 400),
        ("/dicomweb/studies?StudyDate=today", "*/*", 400),
        ("/dicomweb/studies", "text/html", 406),
    ):
        answer = node.client.get(address, headers={"Accept": accept})
        assert answer.status_code == status, (address, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


def test_searches_that_leave_something_out_say_so(node: Service, stored: list[Path]) -> None:
    query = {"fuzzymatching": "true", "limit": "1", "Manufacturer": "x"}
    answer = node.client.get("/dicomweb/instances", params=query)

    assert len(answer.json()) == 1
    told = answer.headers.get_list("Warning")
    assert len(told) == 3
    assert all(one.startswith("299 ") for one in told)


def test_the_middle_of_a_path_is_also_served_without_multipart(
    node: Service, stored: list[Path]
) -> None:
    study, series_uid, instance = uids_of(stored[0])
    query = {"requestType": "WADO", "studyUID": study, "seriesUID": series_uid}
    query |= {"objectUID": instance}
    picture = node.client.get("/dicomweb/wado", params=query)
    file = node.client.get("/dicomweb/wado", params={**query, "contentType": "application/dicom"})

    assert picture.headers["content-type"] == "image/jpeg"
    assert file.content == stored[0].read_bytes()


def test_capabilities_name_every_call(node: Service) -> None:
    told = node.client.get("/dicomweb").json()
    wadl = node.client.get("/dicomweb", headers={"Accept": "application/vnd.sun.wadl+xml"})

    assert {"method": "POST", "path": "studies"}.items() <= told["calls"][-1].items() or any(
        one["method"] == "POST" and one["path"] == "studies" for one in told["calls"]
    )
    assert {"tag": "00100010", "keyword": "PatientName", "level": "study"} in told["searched_by"]
    assert wadl.text.startswith("<?xml")


def test_metadata_go_packed_where_the_client_takes_that(node: Service, stored: list[Path]) -> None:
    study, *_ = uids_of(stored[0])
    with httpx.stream("GET", f"{node.url}/dicomweb/studies/{study}/metadata") as answer:
        assert answer.headers["content-encoding"] == "gzip"
        told = json.loads(gzip.decompress(b"".join(answer.iter_raw())))
    assert len(told) == len(stored)


def test_deleting_takes_the_image_along_but_no_part_of_one(
    node: Service, client: DICOMwebClient, ct_files: list[Path]
) -> None:
    study, series_uid, instance = uids_of(ct_files[0])
    assert stow(node, [path.read_bytes() for path in ct_files]).status_code == 200
    image = node.client.post(f"/v1/images/series/{series_uid}").json()
    path = f"/dicomweb/studies/{study}/series/{series_uid}"

    assert node.client.delete(f"{path}/instances/{instance}").status_code == 409
    assert node.client.delete(path).status_code == 204
    assert node.client.delete(path).status_code == 404
    assert client.search_for_studies(search_filters={"StudyInstanceUID": study}) == []
    assert node.client.get(f"/v1/images/{image['id']}").status_code == 404


def test_only_servers_that_are_named_are_asked(node: Service, stored: list[Path]) -> None:
    asked = {"study": "1.2.3", "series": "1.2.4"}
    unknown = node.client.post("/v1/images/pull", json={**asked, "server": "http://evil"})
    begun = node.client.post("/v1/images/pull", json={**asked, "server": "closed"})

    assert unknown.status_code == 404
    assert begun.status_code == 202
    path = begun.headers["Location"]
    told = until(lambda: one if (one := node.client.get(path).json())["error"] else None)
    assert told["state"] == "waiting"  # it is tried again
    assert told["error"].startswith("RemoteError: closed cannot be reached")
    assert told["next_try"] > told["created"]


def test_a_series_that_is_no_image_says_why(node: Service, tmp_path: Path) -> None:
    image = ct()
    (path, *_) = series(tmp_path / "one", image, seed="one slice")
    dataset = pydicom.dcmread(path)
    del dataset.ImagePositionPatient
    dataset.save_as(path)
    assert stow(node, [path.read_bytes()]).status_code == 200
    answer = node.client.post(f"/v1/images/series/{dataset.SeriesInstanceUID}")

    assert answer.status_code == 422
    assert "gives no image" in answer.json()["detail"]
