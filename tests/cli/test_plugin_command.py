"""``delineate plugin``: packages of all six kinds, and the laws tried from the terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image as Picture
from test_commands import run

from delineate.plugins import OutputKind

ROOT = Path(__file__).resolve().parents[2]
KINDS = get_args(OutputKind)


def new(folder: Path, name: str, gives: str = "labelmap") -> Path:
    """Write a package and install it beside, as pip would."""
    package = folder / name
    assert run("plugin", "new", name, "--gives", gives, "--folder", package) == 0
    module = name.replace("-", "_")
    info = package / f"delineate_{module}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: delineate-{name}\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(f"[delineate.detectors]\n{name} = {module}:spec\n")
    return package


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """One package of each kind, installed."""
    folder = tmp_path_factory.mktemp("packages")
    made = {kind: new(folder, f"begun-{kind}", kind) for kind in KINDS}
    places = [str(place) for place in made.values()]
    sys.path[:0] = places
    yield made
    for place in places:
        sys.path.remove(place)


@pytest.mark.slow
def test_a_package_of_each_kind_passes_its_tests_at_once(packages: dict[str, Path]) -> None:
    places = [str(place) for place in packages.values()]
    asked = ["-q", "-p", "no:cacheprovider", "-W", "error", "--import-mode=importlib"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *asked, *places],
        env={"PYTHONPATH": ":".join(places)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:]
    assert " failed" not in done.stdout


def test_a_package_is_neat(packages: dict[str, Path]) -> None:
    places = [str(place) for place in packages.values()]
    for asked in (["check", "--select", "E,F,I,UP,B"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *asked, "--isolated", "--line-length", "100"]
        done = subprocess.run(
            [*command, *places],
            cwd=packages["masks"].parent,  # away from here, where delineate is no one's own
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stdout


def test_each_kind_has_its_algorithm_and_its_readme(packages: dict[str, Path]) -> None:
    texts = {
        (place / f"begun_{kind}" / "finder.py").read_text() for kind, place in packages.items()
    }

    assert len(texts) == len(KINDS)
    for kind, place in packages.items():
        written = [path for path in place.rglob("*") if path.suffix in (".py", ".md", ".toml")]
        assert len(written) == 5
        assert not [path for path in written if "$" in path.read_text()]
        assert f"delineate plugin check begun-{kind}" in (place / "README.md").read_text()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Leaf-Spots", "lower-case words"),
        ("leaf_spots", "lower-case words"),
        ("2spots", "beginning with a letter"),
        ("", "lower-case words"),
        ("class", "a word of Python's own"),
        ("json", "installed already and would be hidden"),
        ("organs.ct", "a detector organs.ct is installed already"),
    ],
)
def test_a_bad_name_is_refused(
    name: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("plugin", "new", name, "--folder", tmp_path / "new") == 2

    assert why in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_something_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    assert run("plugin", "new", "leaf-spots", "--folder", tmp_path) == 2

    assert "holds something" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_kind_that_is_none_is_refused(tmp_path: Path) -> None:
    assert run("plugin", "new", "leaf-spots", "--gives", "poem", "--folder", tmp_path / "new") == 2


def test_check_lists_every_law(
    packages: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("plugin", "check", "begun-masks", "--option", "inner=0.6") == 0

    text = " ".join(capsys.readouterr().out.split())
    assert "21 passed, 0 failed, 3 not applicable" in text
    assert "it wants no tiles" in text


def test_check_says_what_is_broken_and_what_to_do(
    packages: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finder = packages["labelmap"] / "begun_labelmap" / "finder.py"
    healthy = finder.read_text()
    ill = healthy.replace("large[pieces]", "np.roll(large[pieces], 1, axis=2)")
    assert ill != healthy
    sys.modules.pop("begun_labelmap.finder", None)
    finder.write_text(ill)
    try:
        assert run("plugin", "check", "begun-labelmap") == 4
    finally:
        finder.write_text(healthy)
        sys.modules.pop("begun_labelmap.finder", None)

    text = capsys.readouterr().out
    assert "1 failed" in text
    assert "2.00 samples apart" in " ".join(text.replace("│", " ").split())
    assert "off by one" in " ".join(text.replace("│", " ").split())


def test_check_takes_an_image_and_refuses_one_that_is_unsuitable(
    packages: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    array = np.full((60, 80), 40, np.uint8)
    array[20:30, 30:50] = 200
    Picture.fromarray(array).save(tmp_path / "picture.png")

    assert run("plugin", "check", "begun-instances", "--image", tmp_path / "picture.png") == 0
    assert run("plugin", "check", "organs.ct", "--image", tmp_path / "picture.png") == 3
    assert "wants CT" in capsys.readouterr().err


@pytest.mark.parametrize(
    "asked",
    [
        ("nowhere",),
        ("begun-masks", "--option", "inner=7"),
        ("begun-masks", "--equivariant", "flips=2"),
        ("begun-masks", "--equivariant", "turns=none"),
    ],
)
def test_check_refuses_what_makes_no_sense(
    asked: tuple[str, ...], packages: dict[str, Path]
) -> None:
    assert run("plugin", "check", *asked) == 2


def test_check_needs_no_pytest(packages: dict[str, Path]) -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from delineate.cli import main; main(['plugin', 'check', 'begun-classes'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(packages["classes"])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "0 failed" in done.stdout
