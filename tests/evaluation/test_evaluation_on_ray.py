"""An evaluation on a Ray cluster of this machine, where Ray is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from campaigns.evaluate_kill import PROGRAM, digests
from folders import pairs

from delineate.cli import main


def _evaluate(root: Path, out: Path, workers: str) -> subprocess.CompletedProcess[str]:
    sides = (root / "prediction", root / "reference")
    order = ["evaluate", *sides, "--out", out, "--metrics", "dice,hd95", "--workers", workers]
    command = [sys.executable, "-c", PROGRAM, *map(str, order)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_ray_leaves_the_same_bytes_as_this_machine(tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'delineate[ray]'")
    pairs(tmp_path, 6)
    (tmp_path / "prediction" / "c1.nii.gz").write_bytes(b"nothing")

    there = _evaluate(tmp_path, tmp_path / "there", "ray")
    here = _evaluate(tmp_path, tmp_path / "here", "1")

    assert (there.returncode, here.returncode) == (3, 3), there.stderr
    assert digests(tmp_path / "there") == digests(tmp_path / "here")


def test_what_to_do_without_ray_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs(tmp_path, 1)
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    sides = (str(tmp_path / "prediction"), str(tmp_path / "reference"))

    with pytest.raises(SystemExit) as stop:
        main(["evaluate", *sides, "--out", str(tmp_path / "out"), "--workers", "ray"])

    assert stop.value.code == 2
    assert "pip install 'delineate[ray]'" in " ".join(capsys.readouterr().err.split())
