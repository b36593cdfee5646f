"""There and back through Orthanc, a PACS that others wrote; skipped where it is not installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from service import Service, series, until
from typer.testing import CliRunner

from delineate.cli import application

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@pytest.fixture(scope="module")
def orthanc(orthanc_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Root of its DICOMweb."""
    program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    if not (Path(program).exists() and PLUGIN.exists()):
        pytest.skip("Debian's packages orthanc and orthanc-dicomweb are not installed")
    folder = tmp_path_factory.mktemp("orthanc")
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": orthanc_port,
        "RemoteAccessAllowed": False,  # answers this machine only
        "AuthenticationEnabled": False,
        "DicomServerEnabled": False,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    url = f"http://127.0.0.1:{orthanc_port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        until(lambda: _answers(f"{url}/system"), seconds=60)
        yield f"{url}/dicom-web"
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool | None:
    try:
        return httpx.get(url).status_code == 200 or None
    except httpx.HTTPError:
        return None


def run(*arguments: str) -> str:
    result = CliRunner().invoke(application(), ["dicomweb", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_series_goes_there_and_its_results_come_back(
    node: Service, orthanc: str, tmp_path: Path
) -> None:
    files = series(tmp_path / "ct", seed="orthanc")
    for path in files:
        dataset = pydicom.dcmread(path)
        dataset.SeriesDescription = "for Orthanc"
        dataset.save_as(path)
    first = pydicom.dcmread(files[0])
    study, ct = str(first.StudyInstanceUID), str(first.SeriesInstanceUID)

    run("push", orthanc, str(tmp_path / "ct"))
    begun = node.client.post("/v1/images/pull", json={"server": "orthanc", "study": study})
    address = begun.raise_for_status().headers["Location"]
    pulled = until(lambda: one if (one := node.client.get(address).json())["finished"] else None)
    assert (pulled["state"], pulled["details"]["instances"]) == ("done", len(files))

    # The rule: a job starts, and its results go back.
    def look() -> dict[str, str] | None:
        answer = httpx.get(f"{orthanc}/studies/{study}/series").json()
        kinds = {one["00080060"]["Value"][0]: one["0020000E"]["Value"][0] for one in answer}
        return kinds if {"SEG", "RTSTRUCT"} <= set(kinds) else None

    there = until(look)
    run("pull", orthanc, "--study", study, "--out", str(tmp_path / "back"))
    run("pull", f"{node.url}/dicomweb", "--study", study, "--out", str(tmp_path / "ours"))

    back, ours = datasets(tmp_path / "back"), datasets(tmp_path / "ours")
    assert set(back) <= set(ours)
    assert {one.SeriesInstanceUID for one in back.values()} == {ct, there["SEG"], there["RTSTRUCT"]}
    originals = datasets(tmp_path / "ct")
    for uid, dataset in back.items():
        if uid in originals:
            np.testing.assert_array_equal(dataset.pixel_array, originals[uid].pixel_array)
        assert dataset.to_json_dict() == ours[uid].to_json_dict()
    (seg,) = (one for one in back.values() if one.Modality == "SEG")
    assert seg.pixel_array.sum() == 60
    pushed = node.client.get("/v1/transfers").json()
    assert [one["state"] for one in pushed if one["kind"] == "push"] == ["done"]


def datasets(folder: Path) -> dict[str, pydicom.FileDataset]:
    read = (pydicom.dcmread(path) for path in folder.rglob("*.dcm"))
    return {str(one.SOPInstanceUID): one for one in read}


def test_what_goes_out_is_valid_dicom(node: Service, orthanc: str, tmp_path: Path) -> None:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed")
    told = httpx.get(f"{orthanc}/series").json()
    results = [one for one in told if one["00080060"]["Value"][0] in ("SEG", "RTSTRUCT")]
    assert results
    for number, one in enumerate(results):
        study, uid = one["0020000D"]["Value"][0], one["0020000E"]["Value"][0]
        out = tmp_path / str(number)
        run("pull", orthanc, "--study", study, "--series", uid, "--out", str(out))
        for path in out.rglob("*.dcm"):
            judged = subprocess.run([program, str(path)], capture_output=True, text=True)
            errors = re.findall(r"^Error.*", judged.stdout + judged.stderr, re.MULTILINE)
            assert errors == [], path
