"""What patients are called stays in the files: not in logs, answers to errors, or the database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pydicom
from pydicom.dataset import Dataset
from service import until

CANARY = "XQZCANARY"
TAGS = (
    *("PatientName", "PatientID", "PatientAddress", "OtherPatientNames", "PatientComments"),
    *("ReferringPhysicianName", "InstitutionName", "AccessionNumber", "StudyDescription"),
    *("OperatorsName", "RequestingPhysician", "StudyID", "ProtocolName", "StationName"),
)


def marked(path: Path, to: Path) -> Path:
    dataset = pydicom.dcmread(path)
    for tag in TAGS:
        setattr(dataset, tag, CANARY)
    nested = Dataset()
    nested.PatientName = CANARY
    dataset.ReferencedPatientSequence = [nested]
    dataset.private_block(0x0099, CANARY, create=True).add_new(1, "LO", CANARY)
    dataset.save_as(to / f"{CANARY}-{path.name}")
    return to / f"{CANARY}-{path.name}"


def parts(files: list[Path]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (f"{CANARY}/{path.name}", path.read_bytes())) for path in files]


def _ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
        return job if job["finished"] else None

    return until(look)


def test_no_name_of_a_patient_leaves_the_files(
    odd_detectors: Path, ct_files: list[Path], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    code = (
        "import sys; from pathlib import Path; from delineate.jobs import serve\n"
        "serve(port=0, data=Path(sys.argv[1]), on_ready=lambda url: print(url, flush=True))"
    )
    (tmp_path / "ct").mkdir()
    files = [marked(path, tmp_path / "ct") for path in ct_files]
    broken = tmp_path / f"{CANARY}.dcm"
    broken.write_bytes(files[0].read_bytes()[:900])
    errors: list[httpx.Response] = []
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(data)], stdout=subprocess.PIPE, stderr=log, text=True
        )
        with process:
            assert process.stdout is not None
            client = httpx.Client(base_url=process.stdout.readline().strip(), timeout=60)
            with client:
                image = client.post("/v1/images", files=parts(files)).raise_for_status().json()
                errors.append(client.post("/v1/images", files=parts([broken])))
                errors.append(client.post("/v1/images", files=parts([*files[:2], *files[3:]])))
                errors.append(
                    client.post(f"/v1/images?name={CANARY}", content=CANARY.encode() * 99)
                )
                header = (
                    "NDims = 3\nDimSize = 2 2 2\nElementType = MET_SHORT\n"
                    f"ElementSpacing = 1 1 1\nElementDataFile = {CANARY}.raw\n"
                )
                errors.append(client.post(f"/v1/images?name={CANARY}.mhd", content=header))
                errors.append(
                    client.get(f"/v1/images/{image['id']}/volume", params={"series": "1.2"})
                )
                jobs = []
                for detector in ("test.bright", "test.careful", "test.crash"):
                    asked = {"image_id": image["id"], "detector": detector}
                    jobs.append(client.post("/v1/jobs", json=asked).raise_for_status().json()["id"])
                ended = [_ended(client, job_id) for job_id in jobs]
                errors.append(client.get(f"/v1/jobs/{jobs[1]}/result"))
            process.terminate()

    assert [job["state"] for job in ended] == ["done", "failed", "failed"]
    assert all(answer.status_code >= 400 for answer in errors)
    for answer in errors:
        assert CANARY not in answer.text
    told = (tmp_path / "log").read_text()
    assert '"event": "attempt ended"' in told
    assert CANARY not in told
    for path in data.glob("delineate.db*"):
        assert CANARY.encode() not in path.read_bytes(), path.name
    result = (data / "tenants" / "local" / "jobs" / jobs[0] / "1" / "delineation.json").read_text()
    assert CANARY not in result
