"""Samples of fields and restored images over REST, and options that name another image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture
from sampled_detectors import NAMES
from service import Service, ct, series, service

from delineate.imaging import Grid


@pytest.fixture(scope="module")
def sampling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with the detectors of ``sampled_detectors``."""
    site = tmp_path_factory.mktemp("sampled-site")
    info = site / "sampled_detectors-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sampled-detectors\nVersion: 1.0\n")
    points = "".join(f"sampled-{name} = sampled_detectors:{name}\n" for name in NAMES)
    (info / "entry_points.txt").write_text(f"[delineate.detectors]\n{points}")
    places = [str(site), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(place for place in places if place))
        with service(tmp_path_factory.mktemp("sampled") / "data") as one:
            yield one


@pytest.fixture(scope="module")
def scan_id(sampling: Service, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small CT, uploaded."""
    return str(sampling.upload(series(tmp_path_factory.mktemp("ct"))).json()["id"])


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A colour picture without two samples alike."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    array = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    Picture.fromarray(array).save(path)
    return path


def samples(sampling: Service, image_id: str, detector: str) -> httpx.Response:
    job = sampling.wait(sampling.submit(image_id, detector)["id"], "done")
    return sampling.client.get(f"/v1/jobs/{job['id']}/samples")


def grid_of(answer: httpx.Response) -> Grid:
    shape = [int(size) for size in answer.headers["x-shape"].split(",")]
    affine = np.array(answer.headers["x-affine"].split(","), float).reshape(4, 4)
    unit = answer.headers["x-unit"]
    return Grid((shape[0], shape[1], shape[2]), affine, "mm" if unit == "mm" else "px")


def array_of(answer: httpx.Response) -> NDArray[np.generic]:
    shape = [int(size) for size in answer.headers["x-shape"].split(",")]
    dtype = np.dtype(answer.headers["x-dtype"]).newbyteorder("<")
    return np.frombuffer(answer.content, dtype).reshape(shape)


def test_a_field_comes_on_the_grid_of_its_image(sampling: Service, scan_id: str) -> None:
    answer = samples(sampling, scan_id, "sampled.field")

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["x-dtype"] == "float32"
    assert grid_of(answer).matches(ct().grid)
    np.testing.assert_array_equal(array_of(answer).ravel(), np.arange(ct().array.size))


def test_a_restored_volume_comes_on_its_finer_grid(sampling: Service, scan_id: str) -> None:
    answer = samples(sampling, scan_id, "sampled.double")
    source, finer = ct().grid, grid_of(answer)

    assert finer.shape == (6, 48, 48)
    np.testing.assert_allclose(finer.spacing, (3.0, 0.4, 0.4))
    # Four fine samples lie around the centre of each coarse one.
    middle = finer.to_world([(2, 2 * 5 + r, 2 * 9 + c) for r in (0, 1) for c in (0, 1)]).mean(0)
    np.testing.assert_allclose(middle, source.to_world((2, 5, 9)), atol=1e-6)
    np.testing.assert_array_equal(array_of(answer)[:, ::2, ::2], ct().array)
    assert answer.headers["x-dtype"] == "int16"


def test_a_restored_photograph_keeps_its_colours(sampling: Service, photo: Path) -> None:
    image_id = sampling.upload([photo]).json()["id"]

    answers = [samples(sampling, image_id, "sampled.double") for _ in range(2)]

    assert answers[0].headers["x-shape"] == "1,10,14,3"
    assert (answers[0].headers["x-unit"], answers[0].headers["x-modality"]) == ("px", "photo")
    expected = np.arange(5 * 7 * 3).reshape(1, 5, 7, 3)
    for answer in answers:
        np.testing.assert_array_equal(array_of(answer)[:, 1::2, 1::2], expected)


@pytest.mark.parametrize("detector", ["sampled.classes", "sampled.labels"])
def test_what_has_no_samples_of_its_own_says_what_there_is(
    sampling: Service, scan_id: str, detector: str
) -> None:
    answer = samples(sampling, scan_id, detector)

    assert (answer.status_code, answer.json()["title"]) == (422, "ExportError")
    assert "/exports" in answer.json()["detail"]


def test_samples_are_there_once_the_job_is_done(sampling: Service) -> None:
    answer = sampling.client.get("/v1/jobs/01J/samples")

    assert (answer.status_code, answer.json()["title"]) == (404, "UnknownJobError")


def test_the_samples_of_one_job_are_asked_for_twice_and_made_once(
    sampling: Service, scan_id: str
) -> None:
    job = sampling.wait(sampling.submit(scan_id, "sampled.field")["id"], "done")
    made = sampling.home / "jobs" / job["id"] / "1" / "samples" / "output.gz"

    first = sampling.client.get(f"/v1/jobs/{job['id']}/samples")
    written = made.stat().st_mtime_ns
    second = sampling.client.get(f"/v1/jobs/{job['id']}/samples")

    assert first.content == second.content
    assert made.stat().st_mtime_ns == written


def test_the_schema_says_which_options_name_an_image(sampling: Service) -> None:
    listed = {one["id"]: one for one in sampling.client.get("/v1/detectors").json()}
    other = listed["sampled.compare"]["options_schema"]["properties"]["other"]

    assert {"type": "string", "format": "image"} in other["anyOf"]


def test_an_option_that_names_an_image_of_several_series_is_refused(
    sampling: Service, scan_id: str, tmp_path: Path
) -> None:
    files = series(tmp_path / "a", seed="one") + series(tmp_path / "b", ct(size=30), seed="two")
    both = sampling.upload(files).json()["id"]
    asked = {"image_id": scan_id, "detector": "sampled.compare", "options": {"other": both}}
    answer = sampling.client.post("/v1/jobs", json=asked)

    assert (answer.status_code, answer.json()["title"]) == (422, "SeriesChoiceError")
