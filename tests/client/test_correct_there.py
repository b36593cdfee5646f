"""``delineate correct``: labels that another program left become a new version."""

from __future__ import annotations

from pathlib import Path

import pytest
from service import Service, ct, series

from delineate.cli import main
from delineate.formats import nifti
from delineate.imaging import Category, LabelMap


def test_labels_from_another_program_become_a_new_version(
    running: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = running.upload(series(tmp_path / "ct", seed="correct")).json()["id"]
    job = running.wait(running.submit(image)["id"])["id"]
    array = (ct().array == 300).astype("uint8")
    array[0, :3, :3] = 2
    labels = LabelMap(array, ct().grid, {1: Category("bright"), 2: Category("spleen")})
    nifti.write_labels(labels, tmp_path / "labels.nii.gz")
    asked = ["correct", job, str(tmp_path / "labels.nii.gz"), "--server", running.url]

    with pytest.raises(SystemExit) as ended:
        main([*asked, "--comment", "a spleen"])
    assert not ended.value.code

    told = capsys.readouterr().out
    assert "spleen" in told
    assert "is version 2" in told
    versions = running.client.get(f"/v1/jobs/{job}/corrections").json()["versions"]
    assert [one["comment"] for one in versions] == ["", "a spleen"]
    with pytest.raises(SystemExit) as ended:
        main(["correct", versions[1]["job"], *asked[2:]])
    assert ended.value.code == 3
