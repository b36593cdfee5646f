"""The example package passes the suite that it inherits, found through real metadata."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "bright-spots"


def _conformance() -> type:
    path = EXAMPLE / "tests" / "test_conformance.py"
    spec = importlib.util.spec_from_file_location("bright_spots_conformance", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type = module.TestBrightSpots
    return found


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What ``pip install ./examples/bright-spots`` does, in a folder of the test's own."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    site = tmp_path_factory.mktemp("site")
    metadata = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [
        line
        for group, points in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    places = [str(site), str(EXAMPLE)]
    sys.path[:0] = places
    yield
    for place in places:
        sys.path.remove(place)
    for name in [name for name in sys.modules if name.partition(".")[0] == "bright_spots"]:
        del sys.modules[name]


TestBrightSpots = _conformance()
