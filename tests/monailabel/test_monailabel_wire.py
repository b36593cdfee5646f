"""Requests byte by byte as the clients send them, and the answers that they can read."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from urllib.parse import quote_plus

import numpy as np
import pydicom
import pytest
import SimpleITK
from label_scans import banded, scan
from service import Service, until

from delineate.formats import dicom

SLICER_BOUNDARY = "----------lImIt_of_THE_fIle_eW_$"
BROWSER_BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"


def talk(facade: Service, request: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """Status line, headers and all that follows, undone by nobody."""
    host, port = facade.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=120) as line:
        line.sendall(request)
        answer = bytearray()
        while chunk := line.recv(65536):
            answer += chunk
            head, end, body = bytes(answer).partition(b"\r\n\r\n")
            found = re.search(rb"(?i)content-length: (\d+)", head)
            if end and found and len(body) >= int(found[1]):
                break
    first, *rest = head.split(b"\r\n")
    headers = dict(one.decode().lower().split(": ", 1) for one in rest)
    return first, headers, body


def slicer_form(fields: dict[str, str], files: dict[str, tuple[str, bytes]]) -> bytes:
    """As the extension puts a form together: no quoting, a line too many at the end."""
    lines: list[bytes] = []
    for key, text in fields.items():
        head = f'Content-Disposition: form-data; name="{key}"'
        lines += [f"--{SLICER_BOUNDARY}".encode(), head.encode(), b"", text.encode()]
    for key, (name, data) in files.items():
        head = f'Content-Disposition: form-data; name="{key}"; filename="{name}"'
        kind = b"Content-Type: application/octet-stream"
        lines += [f"--{SLICER_BOUNDARY}".encode(), head.encode(), kind, b"", data]
    lines += [f"--{SLICER_BOUNDARY}--".encode(), b""]
    return b"".join(line + b"\r\n" for line in lines)


def slicer_request(method: str, path: str, body: bytes) -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n"
        f"content-type: multipart/form-data; boundary={SLICER_BOUNDARY}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def ohif_request(path: str, params: str, extra: bytes = b"", method: str = "POST") -> bytes:
    """As axios sends a form from a page that the same host serves."""
    body = (
        f'--{BROWSER_BOUNDARY}\r\nContent-Disposition: form-data; name="params"\r\n\r\n{params}\r\n'
    ).encode()
    body += extra + f"--{BROWSER_BOUNDARY}--\r\n".encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Accept: application/json,multipart/form-data\r\nAccept-Encoding: gzip, deflate, br\r\n"
        f"Content-Type: multipart/form-data; boundary={BROWSER_BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\n\r\n"
    )
    return head.encode() + body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n\r\n".encode()


@pytest.fixture(scope="module")
def series(facade: Service, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], str]:
    """A series that the service has, and its UID."""
    files = dicom.write_series(scan("oblique"), tmp_path_factory.mktemp("wire"), seed="ml wire")
    report = facade.upload(files).raise_for_status().json()["report"]
    return files, report["series"][0]["id"]


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("volume") / "scan.nii.gz"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(scan().array), str(path))
    return path.read_bytes()


def test_slicer_uploads_by_a_full_path_and_reads_the_raw_answer(
    facade: Service, volume: bytes, tmp_path: Path
) -> None:
    name = "CT: a/b\\..\\../äö 1"
    path = "/monailabel/datastore/?image=" + quote_plus(name)
    there = "C:\\Users\\Some Body\\AppData\\Local\\Temp\\..\\..\\scan.nii.gz"
    form = slicer_form({"params": '{"client_id": "x"}'}, {"file": (there, volume)})

    status, headers, body = talk(facade, slicer_request("PUT", path, form))

    assert status == b"HTTP/1.1 200 OK", body
    assert json.loads(body) == {"image": name}
    assert not list(facade.settings.data.rglob("*Some Body*"))

    params = json.dumps({"result_extension": ".nrrd", "result_dtype": "uint8", "client_id": "x"})
    path = "/monailabel/infer/label.bands?image=" + quote_plus(name)
    status, headers, body = talk(
        facade, slicer_request("POST", path, slicer_form({"params": params}, {}))
    )

    assert status == b"HTTP/1.1 200 OK", body
    assert "transfer-encoding" not in headers
    assert "content-encoding" not in headers
    assert int(headers["content-length"]) == len(body)
    boundary = headers["content-type"].removeprefix("multipart/form-data; boundary=").encode()
    assert re.fullmatch(rb"[0-9a-z]{1,70}", boundary)
    before, told, file, after = body.split(b"--" + boundary)
    assert (before, after) == (b"", b"--\r\n")
    head, _, text = told.partition(b"\r\n\r\n")
    assert head == (
        b'\r\nContent-Disposition: form-data; name="params"\r\nContent-Type: application/json'
    )
    assert set(json.loads(text)) >= {"label_names", "latencies", "centroids"}
    head, _, content = file.partition(b"\r\n\r\n")
    assert re.fullmatch(
        rb'\r\nContent-Disposition: form-data; name="image"; filename="[0-9A-Z]{26}\.nrrd"\r\n'
        rb"Content-Type: application/octet-stream",
        head,
    )
    (tmp_path / "labels.nrrd").write_bytes(content.removesuffix(b"\r\n"))
    read = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "labels.nrrd")))
    np.testing.assert_array_equal(read, banded(scan().array))


def test_ohif_gets_bare_samples_of_the_series_that_it_shows(
    facade: Service, series: tuple[list[Path], str]
) -> None:
    _, uid = series
    params = (
        '{"result_extension":".nrrd","result_dtype":"uint8","result_compress":false,'
        '"restore_label_idx":false}'
    )
    for root in ("/monailabel", ""):
        request = ohif_request(f"{root}/infer/label.bands?image={uid}&output=image", params)
        status, headers, body = talk(facade, request)

        assert status == b"HTTP/1.1 200 OK", body
        assert "transfer-encoding" not in headers
        assert "content-encoding" not in headers
        assert headers["content-type"] == "application/octet-stream"
        assert headers["content-disposition"].startswith('attachment; filename="')
        head, _, samples = body.partition(b"\n\n")
        lines = head.decode().splitlines()
        assert re.fullmatch(r"NRRD000[1-5]", lines[0])
        assert {"type: unsigned char", "dimension: 3", "sizes: 9 7 5", "encoding: raw"} <= {*lines}
        assert len(samples) == 9 * 7 * 5, "an odd number, which OHIF cannot inflate"


def test_no_call_of_the_clients_is_redirected(facade: Service) -> None:
    for root in ("/monailabel", ""):
        for path, code in {
            "/info/": b"200",
            "/auth/": b"200",
            "/datastore/": b"200",
            "/datastore/?output=all": b"200",
            "/train/?check_if_running=true": b"404",
            "/train/": b"404",
            "/scoring/": b"404",
            "/logs/": b"200",
            "/info": b"404",
        }.items():
            status, _, _ = talk(facade, get(root + path))
            assert status.split()[1] == code, (root, path)


def test_what_is_told_of_models_fits_both_clients(facade: Service) -> None:
    info = json.loads(talk(facade, get("/monailabel/info/"))[2])

    assert not info.get("config")
    assert info["trainers"] == info["scoring"] == info["train_stats"] == {}
    assert set(info["strategies"]) == {"first", "random"}
    assert set(info["datastore"]) == {"total", "completed", "label_tags"}
    kinds = {name: model["type"] for name, model in info["models"].items()}
    assert kinds["label.bands"] == kinds["label.layers"] == "segmentation"
    assert (kinds["label.boxes"], kinds["label.whole"]) == ("detection", "classification")
    for name, model in info["models"].items():
        assert re.fullmatch("[A-Za-z0-9._-]+", name)
        assert [*model["labels"].values()] == [*range(1, len(model["labels"]) + 1)]
        assert "background" not in model["labels"]
        for value in model["config"].values():
            assert not isinstance(value, dict)
            assert not isinstance(value, list) or all(isinstance(one, str) for one in value)
    config = {"seconds": 0.0, "side": "both", "bands": "[1, 5, 9]", "above": "", "other": ""}
    assert info["models"]["label.bands"]["config"] == config
    shown = {"bone", "fat", "soft", "part 300"}
    assert isinstance(info["labels"], list)
    assert shown <= {*info["labels"]}


def test_options_come_back_as_slicer_edits_them(facade: Service, volume: bytes) -> None:
    def bone_and_fat(**params: object) -> tuple[bool, bool]:
        told = {"seconds": 0.0, "above": "", "other": "", "device": "cuda", **params}
        answer = facade.client.post(
            "/monailabel/infer/label.bands",
            params={"output": "image"},
            files={"params": (None, json.dumps(told)), "file": ("scan.nii.gz", volume)},
        )
        assert answer.status_code == 200, answer.text
        path = facade.settings.data.parent / "edited.nrrd"
        path.write_bytes(answer.content)
        labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
        return bool((labels == 1).any()), bool((labels == 2).any())

    assert bone_and_fat() == (True, True)
    assert bone_and_fat(bands="[9]") == (True, False)
    assert bone_and_fat(above="120") == (True, False)
    refused = facade.client.post(
        "/monailabel/infer/label.bands",
        files={"params": (None, '{"bands": "[9"}'), "file": ("scan.nii.gz", volume)},
    )
    assert refused.status_code == 422
    assert "expected JSON for 'bands'" in refused.json()["detail"]


def test_a_client_that_goes_cancels_its_job(
    facade: Service, series: tuple[list[Path], str]
) -> None:
    _, uid = series
    before = {job["id"] for job in facade.client.get("/v1/jobs").json()["jobs"]}
    request = ohif_request(f"/monailabel/infer/label.bands?image={uid}", '{"seconds": 60}')
    host, port = facade.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(request)
        job = until(
            lambda: next(
                (
                    one
                    for one in facade.client.get("/v1/jobs").json()["jobs"]
                    if one["id"] not in before and one["state"] == "running"
                ),
                None,
            )
        )

    ended = facade.wait(job["id"], seconds=30)

    assert ended["state"] == "cancelled"


def test_a_job_that_somebody_cancels_is_told_to_who_waits(
    facade: Service, series: tuple[list[Path], str]
) -> None:
    _, uid = series
    request = ohif_request(f"/monailabel/infer/label.bands?image={uid}", '{"seconds": 60}')
    host, port = facade.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as line:
        line.sendall(request)
        job = until(
            lambda: next(
                (
                    one
                    for one in facade.client.get("/v1/jobs?state=running").json()["jobs"]
                    if one["options"].get("seconds") == 60
                ),
                None,
            )
        )
        facade.client.delete(f"/v1/jobs/{job['id']}").raise_for_status()
        assert line.recv(65536).startswith(b"HTTP/1.1 409 ")


def test_ohif_submits_bare_samples_in_the_order_that_it_shows(
    facade: Service, series: tuple[list[Path], str], tmp_path: Path
) -> None:
    _, uid = series
    drawn = banded(scan("oblique").array)
    part = (
        f'--{BROWSER_BOUNDARY}\r\nContent-Disposition: form-data; name="label"; '
        'filename="label.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'
    ).encode()
    path = f"/monailabel/datastore/label?image={uid}"
    request = ohif_request(path, "{}", part + drawn.tobytes() + b"\r\n", "PUT")

    status, _, body = talk(facade, request)

    assert status == b"HTTP/1.1 200 OK", body
    got = facade.client.get(f"/monailabel/datastore/label?label={uid}&tag=final")
    (tmp_path / "label.nrrd").write_bytes(got.content)
    read = SimpleITK.ReadImage(str(tmp_path / "label.nrrd"))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(read), drawn)
    grid = scan("oblique").grid
    np.testing.assert_allclose(read.GetOrigin(), grid.affine[:3, 3], atol=1e-4)
    cut = ohif_request(path, "{}", part + drawn.tobytes()[:-1] + b"\r\n", "PUT")
    status, _, body = talk(facade, cut)
    assert status.split()[1] == b"422"
    assert "315 samples" in json.loads(body)["detail"]


def test_a_session_ends_and_takes_its_image_with_it(facade: Service, volume: bytes) -> None:
    sent = {"files": ("s.nii.gz", volume)}
    short = facade.client.put("/monailabel/session/?expiry=1", files=sent).json()["session_id"]
    image_id = facade.client.get(f"/monailabel/session/{short}").json()["image"]
    assert facade.client.get(f"/v1/images/{image_id}").status_code == 200

    gone = until(lambda: facade.client.get(f"/v1/images/{image_id}").status_code == 404 or None)

    assert gone
    assert facade.client.get(f"/monailabel/session/{short}").status_code == 404


def test_the_other_forms_of_an_answer(
    facade: Service, series: tuple[list[Path], str], volume: bytes
) -> None:
    _, uid = series
    path = "/monailabel/infer/label.bands"
    none = {"params": (None, "{}")}

    told = facade.client.post(path, params={"image": uid, "output": "json"}, files=none)
    seg = facade.client.post(path, params={"image": uid, "output": "dicom_seg"}, files=none)
    no_series = facade.client.post(
        path, params={"output": "dicom_seg"}, files={"file": ("scan.nii.gz", volume)}
    )

    assert told.json()["label_names"] == {"bone": 1, "fat": 2, "soft": 3}
    assert seg.headers["content-type"] == "application/dicom"
    assert seg.content[128:132] == b"DICM"
    assert no_series.status_code == 422
    assert facade.client.post(path, params={"image": uid}).status_code == 200, "no form at all"


def test_requests_that_make_no_sense_are_refused_in_words(facade: Service, volume: bytes) -> None:
    path = "/monailabel/infer/label.bands"
    sent = ("scan.nii.gz", volume)
    for answer, code, words in (
        (facade.client.post(path), 422, "expected an image"),
        (facade.client.post(path, params={"session_id": "0"}), 404, "no such session"),
        (facade.client.post(path, params={"image": "../../etc/passwd"}), 404, "no image"),
        (facade.client.post(path, files={"params": (None, "[]")}), 422, "JSON object"),
        (facade.client.post(path, files={"file": sent, "label": sent}), 422, "drawings"),
        (facade.client.post(path, json={}), 422, "expected a form"),
        (
            facade.client.post(
                path, files={"params": (None, '{"result_extension": ".exe"}'), "file": sent}
            ),
            *(422, "result_extension"),
        ),
        (facade.client.post("/monailabel/train/label.bands", json={}), 404, "trains no models"),
        (facade.client.post("/monailabel/activelearning/magic", json={}), 404, "strategy"),
        (facade.client.get("/monailabel/model/label.bands"), 404, "hands out no models"),
        (facade.client.get("/monailabel/datastore/label?label=1.2.3.4.5"), 404, "no image"),
        (
            facade.client.put(
                "/monailabel/datastore/", params={"image": "1.2.3.4.5.6"}, files={"file": sent}
            ),
            *(409, "rename the volume"),
        ),
    ):
        assert answer.status_code == code, answer.text
        assert words in answer.json()["detail"], answer.text


def test_a_viewer_finds_its_series_below_the_proxy_of_monai_label(
    facade: Service, tmp_path: Path
) -> None:
    files = dicom.write_series(scan("reversed"), tmp_path / "series", seed="ml proxy")
    slices = [pydicom.dcmread(path) for path in files]
    study, uid = str(slices[0].StudyInstanceUID), str(slices[0].SeriesInstanceUID)
    parts = b"".join(
        b"--part\r\nContent-Type: application/dicom\r\n\r\n" + path.read_bytes() + b"\r\n"
        for path in files
    )
    kind = 'multipart/related; type="application/dicom"; boundary=part'
    for root in ("/monailabel/proxy/dicom", "/proxy/dicom"):
        stored = facade.client.post(
            f"{root}/stow/studies", content=parts + b"--part--\r\n", headers={"content-type": kind}
        )
        assert stored.status_code == 200, stored.text

        found = facade.client.get(f"{root}/qido/studies/{study}/series").json()
        place = f"{root}/wado/studies/{study}/series/{uid}"
        told = facade.client.get(f"{place}/metadata").json()
        frame = facade.client.get(
            f"{place}/instances/{slices[1].SOPInstanceUID}/frames/1",
            headers={"accept": "multipart/related; type=application/octet-stream"},
        )

        assert found[0]["0020000E"]["Value"] == [uid]
        assert len(told) == len(files)
        assert slices[1].PixelData in frame.content

    labels = until(
        lambda: (
            answer
            if (
                answer := facade.client.post(
                    f"/infer/label.bands?image={uid}&output=image", files={"params": (None, "{}")}
                )
            ).status_code
            != 404
            else None
        )
    )

    assert labels.status_code == 200, "what came by DICOMweb is an image of the datastore"
