"""What patients are called stays in the files, or outside: not in logs, numbers, errors, tables."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from canaries import CANARY, planted
from service import until

SERVE = (
    "import sys; from pathlib import Path; from delineate.jobs import Settings, serve\n"
    "settings = Settings(data=Path(sys.argv[1]), deidentify=sys.argv[2], max_upload_bytes=2**24)\n"
    "serve(port=0, settings=settings, on_ready=lambda url: print(url, flush=True))"
)

DETECTORS = {"off": ("test.bright", "test.careful", "test.crash"), "ps3.15": ("test.bright",)}


def parts(files: list[Path]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (f"{CANARY}/{path.name}", path.read_bytes())) for path in files]


def related(files: list[Path]) -> dict[str, Any]:
    """A STOW-RS request."""
    line = b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\n"
    body = b"".join(line + path.read_bytes() for path in files) + b"\r\n--b--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    return {"content": body[2:], "headers": {"Content-Type": kind}}


def _ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
        return job if job["finished"] else None

    return until(look)


def _wrong(client: httpx.Client, files: list[Path], broken: Path) -> list[httpx.Response]:
    """Answers to what goes wrong with the name in every place where one can be."""
    header = (
        "NDims = 3\nDimSize = 2 2 2\nElementType = MET_SHORT\n"
        f"ElementSpacing = 1 1 1\nElementDataFile = {CANARY}.raw\n"
    )
    return [
        client.post("/v1/images", files=parts([broken])),
        client.post("/v1/images", files=parts([*files[:2], *files[3:]])),
        client.post(f"/v1/images?name={CANARY}", content=CANARY.encode() * 99),
        client.post(f"/v1/images?name={CANARY}.mhd", content=header),
        client.post("/dicomweb/studies", **related([broken])),
        client.get(f"/v1/{CANARY}/{CANARY}"),
        client.put(f"/v1/uploads/{CANARY}/files/{CANARY}.dcm", content=b"x"),
        client.delete("/v1/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV", headers={"X-API-Key": CANARY}),
    ]


def _rows(database: Path) -> dict[str, str]:
    """All that stands in each table."""
    with sqlite3.connect(database) as connection:
        names = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        told = {name: str(connection.execute(f"SELECT * FROM {name}").fetchall()) for name in names}
    connection.close()
    return told


@pytest.mark.parametrize("deidentify", ["off", "ps3.15"])
def test_no_name_of_a_patient_leaves_the_files(
    deidentify: str, odd_detectors: Path, ct_files: list[Path], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    (tmp_path / "ct").mkdir()
    files = [tmp_path / "ct" / f"{CANARY}-{path.name}" for path in ct_files]
    for path, marked in zip(ct_files, files, strict=True):
        planted(path).save_as(marked)
    broken = tmp_path / f"{CANARY}.dcm"
    broken.write_bytes(files[0].read_bytes()[:900])
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(data), deidentify],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with process:
            assert process.stdout is not None
            client = httpx.Client(base_url=process.stdout.readline().strip(), timeout=60)
            with client:
                image = client.post("/v1/images", files=parts(files)).raise_for_status().json()
                stored = client.post("/dicomweb/studies", **related(files[:2]))
                errors = _wrong(client, files, broken)
                volume = f"/v1/images/{image['id']}/volume"
                errors.append(client.get(volume, params={"series": "1.2"}))
                jobs = []
                for detector in DETECTORS[deidentify]:
                    asked = {"image_id": image["id"], "detector": detector}
                    jobs.append(client.post("/v1/jobs", json=asked).raise_for_status().json()["id"])
                ended = [_ended(client, job_id) for job_id in jobs]
                if len(jobs) > 1:
                    errors.append(client.get(f"/v1/jobs/{jobs[1]}/result"))
                exports = f"/v1/jobs/{jobs[0]}/exports/rtstruct"
                plain = client.get(exports)
                original = client.get(exports, params={"identity": "original"})
                told = client.get("/metrics").text
                study = client.get("/dicomweb/studies").text
            process.terminate()

    assert [job["state"] for job in ended] == ["done", "failed", "failed"][: len(ended)]
    assert stored.status_code == 200
    assert [answer.status_code for answer in errors if answer.status_code < 400] == []
    for answer in errors:
        assert CANARY not in answer.text
    told += (tmp_path / "log").read_text()
    assert '"event": "attempt ended"' in told
    assert CANARY not in told
    rows = _rows(data / "delineate.db")
    assert {"job", "audit", "workflow_status"} <= set(rows)
    # The index of the DICOMweb node answers who was scanned, where patients stay in the files.
    held = {name for name, row in rows.items() if CANARY in row}
    assert held <= ({name for name in rows if name.startswith("dicom_")} - {"dicom_task"})
    folder = data / "tenants" / "local"
    assert CANARY not in (folder / "jobs" / jobs[0] / "1" / "delineation.json").read_text()
    if deidentify == "off":
        assert CANARY in study
        assert original.status_code == 404
        return
    assert not [path for path in data.rglob("*") if path.is_file() and _tells(path)]
    assert CANARY not in study
    assert CANARY.encode() not in plain.content
    assert original.status_code == 200, original.text
    structures = pydicom.dcmread(io.BytesIO(original.content))
    assert structures.PatientName == structures.PatientID == CANARY
    assert structures.StudyInstanceUID == pydicom.dcmread(ct_files[0]).StudyInstanceUID


def _tells(path: Path) -> bool:
    return CANARY.encode() in path.read_bytes()
