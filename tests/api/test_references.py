"""Options that name another image, and detectors that want more memory than they may have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from service import Service, ct, series, service

from delineate.formats import dicom


@pytest.fixture(scope="module")
def template_id(running: Service, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same CT without its cube."""
    image = ct()
    plain = replace(image, array=np.full_like(image.array, -1000))
    files = dicom.write_series(plain, tmp_path_factory.mktemp("template"), seed="template")
    return str(running.upload(list(files)).json()["id"])


def test_a_job_compares_with_an_uploaded_image(
    running: Service, ct_id: str, template_id: str
) -> None:
    job = running.submit(ct_id, "test.changed", options={"template": template_id})

    assert running.wait(job["id"])["state"] == "done"
    assert running.bright_samples(job["id"]) == 60
    document = running.client.get(f"/v1/jobs/{job['id']}/result").json()
    assert document["provenance"]["options"] == {"template": template_id}
    assert document["provenance"]["references"]["template"].startswith("sha256:")


@pytest.mark.parametrize("name", ["/etc/passwd", "../../images", "0" * 64])
def test_only_uploaded_images_can_be_named(running: Service, ct_id: str, name: str) -> None:
    asked = {"image_id": ct_id, "detector": "test.changed", "options": {"template": name}}

    answer = running.client.post("/v1/jobs", json=asked)

    assert (answer.status_code, answer.json()["title"]) == (404, "UnknownImageError")


def test_an_image_that_is_needed_and_not_named_fails_the_job(running: Service, ct_id: str) -> None:
    job = running.wait(running.submit(ct_id, "test.changed")["id"])

    assert (job["state"], job["error"]["code"]) == ("failed", "OptionError")
    assert "name a template" in job["error"]["message"]


def test_a_detector_that_goes_beyond_its_memory_costs_its_job_only(
    odd_detectors: Path, tmp_path: Path
) -> None:
    with service(tmp_path / "data", detect_memory_mb=1000) as limited:
        image = limited.upload(series(tmp_path / "ct")).json()["id"]
        hungry = limited.submit(image, "test.hungry")
        good = limited.submit(image)

        failed = limited.wait(hungry["id"])
        assert (failed["state"], failed["error"]["code"]) == ("failed", "DetectorCrashError")
        assert "its limit is 1000 MB" in failed["error"]["message"]
        assert limited.wait(good["id"])["state"] == "done"
