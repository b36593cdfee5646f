"""The lines of docs/rest.md do what it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from service import Service, series

REST = Path(__file__).resolve().parents[2] / "docs" / "rest.md"


def block(language: str) -> str:
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```$", REST.read_text(), re.MULTILINE | re.DOTALL
    )
    return str(found)


def here(code: str, running: Service) -> str:
    return code.replace("http://127.0.0.1:8000", running.url).replace("organs.ct", "test.bright")


def test_the_lines_for_curl_run(running: Service, tmp_path: Path) -> None:
    if shutil.which("curl") is None or shutil.which("openssl") is None:
        pytest.skip("curl or openssl is not installed")
    series(tmp_path / "ct", seed="walk")

    told = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", here(block("bash"), running)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stderr + told.stdout
    assert '"state": "done"' in told.stdout
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["findings"][0]["measurements"]["voxels"] == 60
    assert (tmp_path / "rtstruct.dcm").read_bytes()[128:132] == b"DICM"


def test_the_lines_for_python_run(
    running: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    series(tmp_path / "ct", seed="walk")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}

    exec(here(block("python"), running), names)

    assert names["found"].findings[0].measurements["voxels"] == 60  # type: ignore[attr-defined]
    assert (tmp_path / "results" / "rtstruct.dcm").exists()
    assert "done" in capsys.readouterr().out
