"""A package begun in an empty folder and installed in a fresh environment is simply there."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

NAME = "leaf-spots"
DELINEATE = ("-c", "from delineate.cli import main; main()")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder."""
    return tmp_path_factory.mktemp("fresh")


@pytest.fixture(scope="module")
def python(place: Path) -> str:
    """Interpreter of a new environment that sees the packages of this one, and the new one."""
    if not list(distributions(name="pip")):
        pytest.skip("pip is not installed")
    environment = place / "environment"
    venv.create(environment, with_pip=False)
    interpreter = environment / "bin" / "python"
    (site,) = (environment / "lib").glob("python*/site-packages")
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (site / "packages-of-the-other.pth").write_text(line)
    run(str(interpreter), *DELINEATE, "plugin", "new", NAME, folder=place)
    run(
        *(sys.executable, "-m", "pip", "--python", str(interpreter), "install", "-q"),
        *("--no-deps", "--no-build-isolation", "--no-index", f"./{NAME}"),
        folder=place,
    )
    array = np.full((60, 80), 40, np.uint8)
    array[20:30, 30:50] = 200
    Image.fromarray(array).save(place / "leaf.png")
    return str(interpreter)


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def service(python: str, place: Path) -> Iterator[httpx.Client]:
    """The service, started from the new environment."""
    command = [python, *DELINEATE, "serve", "--port", "0", "--data", str(place / "data")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=place)
    assert process.stdout is not None
    try:
        line = next(line for line in process.stdout if "listens on" in line)
        with httpx.Client(base_url=line.split()[3], timeout=120) as client:
            yield client
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def test_it_is_on_the_command_line(python: str, place: Path) -> None:
    listed = json.loads(run(python, *DELINEATE, "detectors", "--json", folder=place))

    assert NAME in [one["id"] for one in listed]


def test_it_runs_from_the_command_line(python: str, place: Path) -> None:
    asked = ("run", "leaf.png", "--detector", NAME, "--out", "results", "--export", "geojson,png")
    run(python, *DELINEATE, *asked, folder=place)

    document = json.loads((place / "results" / "delineation.json").read_text())
    assert document["findings"][0]["measurements"]["area_px"] == 10 * 20
    assert (place / "results" / "sheet.png").stat().st_size > 500


def test_it_runs_over_rest_where_the_page_finds_it_too(service: httpx.Client, place: Path) -> None:
    offered = {one["id"]: one for one in service.get("/v1/detectors").json()}
    assert "min_samples" in offered[NAME]["options_schema"]["properties"]

    files = {"files": ("leaf.png", (place / "leaf.png").read_bytes())}
    image = service.post("/v1/images", files=files).raise_for_status().json()["id"]
    asked = {"image_id": image, "detector": NAME, "options": {"min_samples": 9}}
    job = service.post("/v1/jobs", json=asked).raise_for_status().json()["id"]
    events = service.get(f"/v1/jobs/{job}/events").text
    assert '"done"' in events

    result = service.get(f"/v1/jobs/{job}/result").raise_for_status().json()
    assert result["findings"][0]["measurements"]["area_px"] == 10 * 20


def test_all_laws_hold_where_only_the_declaration_is_and_the_class_is_over_there(
    python: str, place: Path
) -> None:
    declared = (place / NAME / "leaf_spots" / "__init__.py").read_text()
    own = declared.replace('id="leaf-spots",', f'id="leaf-spots",\n    interpreter={python!r},')
    assert own != declared
    here = place / "here"
    (here / "leaf_spots").mkdir(parents=True)
    (here / "leaf_spots" / "__init__.py").write_text(own)
    info = here / "leaf_spots-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: leaf-spots\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[delineate.detectors]\n{NAME} = leaf_spots:spec\n")
    code = (
        f"import sys; sys.path.insert(0, {str(here)!r})\n"
        f"from delineate.cli import main; main(['plugin', 'check', '{NAME}'])"
    )

    assert "21 passed, 0 failed" in run(sys.executable, "-c", code, folder=place)


def test_nothing_of_it_reached_this_environment() -> None:
    assert find_spec(NAME.replace("-", "_")) is None
