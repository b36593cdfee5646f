"""The README's code, run as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(phantom_series: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the README's reader sits: with a CT in ``ct``."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(phantom_series, folder / "ct")
    return folder


def shell(script: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_lines_run(folder: Path) -> None:
    code, _ = blocks("python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^liver +\d+\.\d ml +[1-9]\d* contours$", done.stdout, re.MULTILINE)
    assert (folder / "out" / "rtstruct.dcm").stat().st_size > 1000


def test_the_command_lines_run(folder: Path) -> None:
    (code,) = blocks("sh")
    verbs = [line.split()[1] for line in code.splitlines()]
    assert verbs == ["phantom", "detectors", "inspect", "run", "convert", "models", "plugin"]
    output = shell(code.replace("phantom ct ", "phantom fresh "), folder)
    assert "organs.ct" in output
    assert (folder / "fresh").is_dir()
    assert (folder / "results" / "sheet.png").stat().st_size > 1000
    assert (folder / "converted" / "seg.dcm").stat().st_size > 1000
    assert (folder / "leaf-spots" / "pyproject.toml").is_file()


def test_the_lines_for_curl_and_the_client_run_against_a_service(folder: Path) -> None:
    from delineate import jobs

    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (code,) = blocks("bash")
    with jobs.running(port=0, data=folder / "data") as url:
        output = shell(code.replace("http://127.0.0.1:8000", url), folder)
        there = blocks("python")[1].replace("http://127.0.0.1:8000", url)
        client = [sys.executable, "-W", "error", "-c", f"{there}\nprint(len(found.findings))"]
        told = subprocess.run(client, cwd=folder, capture_output=True, text=True, check=False)
    assert '"done"' in output
    assert int(told.stdout) > 5, told.stderr
    for name in ("result.json", "rtstruct.dcm", "labels.nii.gz"):
        assert (folder / name).stat().st_size > 500


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    assert links
    missing = [link for link in links if not (README.parent / link).exists()]
    assert not missing
