"""Options that name images, in this process and another; detectors with their own Python."""

from __future__ import annotations

import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
from misbehaving import Framed, framed

from delineate.delineation import delineate
from delineate.errors import OptionError, PluginLoadError
from delineate.imaging import Grid, Image
from delineate.plugins import DetectorSpec, Options
from delineate.plugins.host import Host
from delineate.plugins.options import parse
from delineate.plugins.reference import Reference, referenced, resolved

IMAGE = Image(np.arange(24.0).reshape(2, 3, 4), Grid((2, 3, 4), np.eye(4)), "CT")
OTHER = Image(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), Grid((1, 2, 3), np.eye(4), "px"))

ELSEWHERE = """
from delineate import Category, LabelMap
import only_there

class Marker:
    def detect(self, image, options):
        array = (image.array >= only_there.LEVEL).astype("uint8")
        return LabelMap(array, image.grid, {1: Category("bright")})
"""


def test_names_are_read_once_and_json_keeps_the_name() -> None:
    asked: list[str] = []

    def read(name: str) -> Image:
        asked.append(name)
        return OTHER

    options = parse(framed, {"template": "board.png"})
    given = resolved(resolved(options, read), read)

    assert asked == ["board.png"]
    assert referenced(given) == {"template": Reference("board.png")}
    assert isinstance(given, Framed)
    assert given.template is not None
    assert given.template.image is OTHER
    assert given.model_dump(mode="json") == options.model_dump(mode="json")
    assert Framed.model_validate(given.model_dump(mode="json")) == options


def test_the_schema_says_that_it_is_an_image() -> None:
    entry = Framed.model_json_schema()["properties"]["template"]

    assert {"type": "string", "format": "image"} in entry["anyOf"]


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(OptionError, match="should be an image"):
        parse(framed, {"template": 3})


def test_an_image_that_nobody_read_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(OptionError, match=r"delineate\.read"):
        delineate(IMAGE, framed, {"template": "board.png"})


def test_a_detector_in_another_process_gets_the_image_as_it_is() -> None:
    with Host(framed) as host:
        found = delineate(IMAGE, framed, {"template": OTHER}, runner=host)
        again = delineate(IMAGE, framed, runner=host)

    assert found.overall == {"template_sum": 15.0, "template_columns": 3.0}
    assert found.provenance.references == {"template": OTHER.content_hash}
    assert again.overall == {}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A Python of its own that has delineate, and a module that this one has not."""
    folder = tmp_path / "env"
    venv.EnvBuilder(symlinks=True).create(folder)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    paths = [entry for entry in sys.path if entry.endswith("-packages")]
    root = str(Path(__file__).parents[2])
    (site / "delineate.pth").write_text("\n".join([*paths, root]))
    (site / "only_there.py").write_text("LEVEL = 20\n")
    (site / "marker_there.py").write_text(ELSEWHERE)
    return folder / "bin" / "python"


def spec(interpreter: Path) -> DetectorSpec:
    from delineate.imaging import Category

    return DetectorSpec(
        id="elsewhere",
        title="Elsewhere",
        factory="marker_there:Marker",
        categories=(Category("bright"),),
        interpreter=str(interpreter),
    )


def test_a_detector_runs_in_the_environment_that_it_names(elsewhere: Path) -> None:
    found = delineate(IMAGE, spec(elsewhere))

    assert found.findings[0].measurements["voxels"] == 4
    assert "only_there" not in sys.modules


def test_an_environment_that_is_missing_is_a_load_error(tmp_path: Path) -> None:
    with (
        Host(spec(tmp_path / "python")) as host,
        pytest.raises(PluginLoadError, match="cannot be started: No such file"),
    ):
        host.run(IMAGE, Options())


def test_an_environment_with_another_delineate_is_a_load_error(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delineate.plugins.process.PROTOCOL", 1)

    with (
        Host(spec(elsewhere)) as host,
        pytest.raises(PluginLoadError, match="install the same version of delineate"),
    ):
        host.run(IMAGE, Options())
