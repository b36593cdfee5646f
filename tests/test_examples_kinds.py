"""The examples that classify and restore: their own tests, the command line, REST."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from example_packages import EXAMPLES, install
from PIL import Image as Picture
from service import Service, ct, series, service

from delineate.formats import nifti

pytest.importorskip("torch", reason="torch is not installed")

NAMES = ("classify", "restore")


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Both examples installed for processes started from now on."""
    site = tmp_path_factory.mktemp("examples-site")
    places = [place for name in NAMES for place in install(name, site / name)]
    with pytest.MonkeyPatch.context() as patch:
        before = os.environ.get("PYTHONPATH", "")
        patch.setenv("PYTHONPATH", os.pathsep.join([*places, *filter(None, [before])]))
        yield


@pytest.fixture(scope="module")
def picture(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom, written as the README says."""
    path = tmp_path_factory.mktemp("phantom") / "picture.png"
    made = [*("-m", "delineate_classify.phantom", path), *("--kind", "malignant", "--seed", "3")]
    subprocess.run([sys.executable, *map(str, made)], check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def running(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with both detectors."""
    with service(tmp_path_factory.mktemp("examples") / "data") as one:
        yield one


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("delineate")), "run", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_are_small(name: str) -> None:
    (weights,) = (EXAMPLES / name).glob("*/weights.safetensors")

    assert weights.stat().st_size <= 2**20


def test_the_command_line_classifies(picture: Path, tmp_path: Path) -> None:
    done = run(picture, "--detector", "speckle.classify", "--out", tmp_path)

    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "delineation.json").read_text())
    scores = {one["category"]["name"]: one["score"] for one in document["findings"]}
    assert list(scores) == ["benign", "malignant", "uncertain"]
    assert scores["benign"] + scores["malignant"] == pytest.approx(1, abs=1e-6)
    assert bool(document["notes"]) == (scores["uncertain"] == 1)
    assert list(tmp_path.glob("*.csv"))
    assert not list(tmp_path.glob("*.nii.gz"))
    (weights,) = document["provenance"]["weights"]
    assert len(weights["sha256"]) == 64


def test_the_command_line_restores_a_volume(tmp_path: Path) -> None:
    nifti.write_image(ct(), tmp_path / "scan.nii.gz")
    out = tmp_path / "out"
    asked = ("--detector", "restore.double", "--export", "nifti", "--out", out)
    done = run(tmp_path / "scan.nii.gz", *asked)

    assert done.returncode == 0, done.stderr
    fine = nifti.read(out / "image.nii.gz")
    assert fine.grid.shape == (6, 48, 48)
    np.testing.assert_allclose(sorted(fine.grid.spacing), (0.4, 0.4, 3.0), atol=1e-6)
    # Around the same middle: outer faces stay where they are.
    np.testing.assert_allclose(fine.grid.corners.mean(0), ct().grid.corners.mean(0), atol=1e-4)


def test_a_picture_that_is_no_phantom_is_refused_in_words(tmp_path: Path) -> None:
    Picture.new("L", (128, 128), 90).save(tmp_path / "plain.png")
    done = run(tmp_path / "plain.png", "--detector", "speckle.classify", "--out", tmp_path / "o")

    assert done.returncode != 0
    assert "speckle" in done.stderr


def test_rest_classifies(running: Service, picture: Path) -> None:
    image_id = running.upload([picture]).json()["id"]
    job = running.wait(running.submit(image_id, "speckle.classify")["id"])
    assert job["state"] == "done", job["error"]
    document = running.client.get(f"/v1/jobs/{job['id']}/result").json()
    offers = running.client.get(f"/v1/jobs/{job['id']}/exports").json()

    assert document["detector"]["gives"] == "classes"
    assert [one["category"]["name"] for one in document["findings"]] == [
        *("benign", "malignant", "uncertain")
    ]
    assert {one["format"] for one in offers} >= {"json", "csv"}
    assert not {one["format"] for one in offers} & {"rtstruct", "seg", "stl", "masks"}


def test_rest_restores_a_series(running: Service, tmp_path: Path) -> None:
    image_id = running.upload(series(tmp_path)).json()["id"]
    job = running.wait(running.submit(image_id, "restore.double")["id"])
    assert job["state"] == "done", job["error"]
    samples = running.client.get(f"/v1/jobs/{job['id']}/samples")
    export = running.client.get(f"/v1/jobs/{job['id']}/exports/nifti")
    (tmp_path / "image.nii.gz").write_bytes(export.content)

    assert samples.headers["x-shape"] == "6,48,48"
    array = np.frombuffer(samples.content, "<i2").reshape(6, 48, 48)
    kept = nifti.read(tmp_path / "image.nii.gz")
    np.testing.assert_array_equal(np.sort(kept.array.ravel()), np.sort(array.ravel()))
    assert "measured" in running.client.get(f"/v1/jobs/{job['id']}/result").json()["notes"][-1]
