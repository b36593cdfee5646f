"""Which detectors are installed, tested with real metadata."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from delineate.errors import ModelError, PluginLoadError, UnknownDetectorError
from delineate.imaging import Category, Code
from delineate.plugins import DetectorSpec, Options, Wants, Weights, registry

Install = Callable[..., Path]

SPEC = """
from delineate import Category, DetectorSpec
spec = DetectorSpec(id="{id}", title="T", factory="{factory}", categories=(Category("thing"),))
"""


def spec_source(identifier: str, factory: str = "nowhere:Nothing") -> str:
    return SPEC.format(id=identifier, factory=factory)


def test_what_is_installed_is_listed_by_id(install: Install) -> None:
    install("zebras", {"z": "zebras:spec"}, zebras=spec_source("a.first"))
    install("apes", {"a": "apes:spec"}, apes=spec_source("b.second"))

    ids = [spec.id for spec in registry.installed().specs]

    assert ids == sorted(ids)
    assert {"a.first", "b.second"} <= set(ids)
    assert registry.list_detectors() == registry.installed().specs


def test_what_is_installed_or_removed_later_is_seen(install: Install) -> None:
    folder = install("zebras", {"z": "zebras:spec"}, zebras=spec_source("a.first"))
    assert registry.find("a.first")
    install("apes", {"a": "apes:spec"}, apes=spec_source("b.second"))
    assert registry.find("b.second")

    (folder / "zebras-1.0.dist-info").rename(folder / "zebras-1.0.gone")

    with pytest.raises(UnknownDetectorError):
        registry.find("a.first")
    assert registry.find("b.second")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise RuntimeError('a bad day')", "RuntimeError: a bad day"),
        ("import sys; sys.exit('goodbye')", "SystemExit: goodbye"),
        ("def (", "SyntaxError"),
        ("other = 1", "AttributeError"),
        ("spec = 'a string'", "or a function that lists some, got a str"),
        ("def spec(): return ['no spec']", "expected broken:spec() to list DetectorSpecs, got 'no"),
        ("def spec(): raise OSError('no folder')", "OSError: no folder"),
        (spec_source("Not An Id"), "expected a detector id of lower-case words"),
        (spec_source("x", "no colon"), "expected a factory 'package.module:Class'"),
    ],
)
def test_a_broken_plugin_is_reported_and_the_others_stay(
    install: Install, source: str, reason: str
) -> None:
    install("broken-package", {"b": "broken:spec"}, broken=source)
    install("sound-package", {"s": "sound:spec"}, sound=spec_source("sound"))

    found = registry.installed()

    assert "sound" in [spec.id for spec in found.specs]
    (problem,) = [each for each in found.problems if each.package == "broken-package"]
    assert reason in problem.reason
    assert str(problem).startswith("b of broken-package: ")


def test_an_entry_point_may_list_several_detectors(install: Install) -> None:
    """Their factory is one, told apart by its arguments."""
    source = (
        "from delineate import DetectorSpec\n"
        "def specs():\n"
        "    return [DetectorSpec(id=f'many.{n}', title='T', factory='many_body:Counted',\n"
        "            arguments={'number': n}) for n in (1, 2)]\n"
    )
    body = (
        "class Counted:\n"
        "    def __init__(self, number): self.number = number\n"
        "    def detect(self, image, options): ...\n"
    )
    install("many-package", {"m": "many:specs"}, many=source, many_body=body)

    first, second = (registry.installed().find(f"many.{n}") for n in (1, 2))

    assert registry.load(first).number == 1  # type: ignore[attr-defined]
    assert registry.load(second).number == 2  # type: ignore[attr-defined]


def test_two_with_one_id_are_both_refused(install: Install) -> None:
    install("first-package", {"one": "first:spec"}, first=spec_source("same.id"))
    install("second-package", {"two": "second:spec"}, second=spec_source("same.id"))

    found = registry.installed()

    assert "same.id" not in [spec.id for spec in found.specs]
    assert {problem.package for problem in found.problems} == {"first-package", "second-package"}
    for problem in found.problems:
        assert "'same.id' is declared 2 times: by first-package, second-package" in problem.reason
    with pytest.raises(UnknownDetectorError, match="left out: one of first-package: the id"):
        found.find("same.id")


def test_an_unknown_id_is_answered_with_those_alike() -> None:
    specs = tuple(
        DetectorSpec(id=each, title="T", factory="m:C") for each in ("organs.ct", "pests.trap")
    )
    found = registry.Registry(specs)

    with pytest.raises(UnknownDetectorError, match=r"'organ.ct' is installed; did you mean organs"):
        found.find("organ.ct")
    with pytest.raises(UnknownDetectorError, match=r"there are organs.ct, pests.trap"):
        found.find("q")
    with pytest.raises(UnknownDetectorError, match="there is none at all"):
        registry.Registry(()).find("q")
    assert found.find("pests.trap") is specs[1]


def test_listing_imports_neither_frameworks_nor_detectors(install: Install) -> None:
    install("lazy", {"l": "lazy:spec"}, lazy=spec_source("lazy", "lazy_body:Body"), lazy_body="1/0")
    script = (
        "import json, sys; sys.path[:] = json.loads(sys.argv[1])\n"
        "from delineate.plugins import registry\n"
        "found = registry.installed()\n"
        "found.find('lazy')\n"
        "for spec in found.specs: registry.describe(spec)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    arguments = [sys.executable, "-c", script, json.dumps(sys.path)]
    listed = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=120)

    loaded = set(json.loads(listed.stdout))
    heavy = {"torch", "monai", "fastapi", "numba", "SimpleITK", "pydicom", "skimage", "lazy_body"}
    assert not loaded & heavy


def test_the_factory_makes_the_detector(install: Install) -> None:
    source = "class Body:\n    def detect(self, image, options): ..."
    install("maker", {}, maker_body=source)

    detector = registry.load(DetectorSpec(id="m", title="M", factory="maker_body:Body"))

    assert type(detector).__name__ == "Body"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("", "AttributeError"),
        ("class Body:\n    def __init__(self, path): ...", "TypeError"),
        ("class Body: ...", "a method detect"),
    ],
)
def test_a_factory_that_fails_is_a_load_error(install: Install, source: str, reason: str) -> None:
    install("maker", {}, failing_body=source)

    with pytest.raises(PluginLoadError, match=reason) as caught:
        registry.load(DetectorSpec(id="m.x", title="M", factory="failing_body:Body"))
    assert caught.value.detector_id == "m.x"


def test_a_factory_may_say_itself_what_is_wrong(install: Install) -> None:
    source = (
        "from delineate.errors import ModelError\n"
        "def Body(): raise ModelError('the weights are missing')"
    )
    install("maker", {}, speaking_body=source)

    with pytest.raises(ModelError, match="the weights are missing"):
        registry.load(DetectorSpec(id="m", title="M", factory="speaking_body:Body"))


def test_the_description_is_json_and_complete() -> None:
    class Few(Options):
        threshold: float = 0.5

    spec = DetectorSpec(
        id="organs.mr",
        title="Organs",
        factory="m:C",
        categories=(Category("liver", (213, 94, 0), Code("10200004", "SCT", "Liver")),),
        wants=Wants(modalities=("MR",), spacing_mm=(3.0, 1.0, 1.0)),
        options=Few,
        weights=(Weights(name="w.safetensors", sha256="ab", licence="MIT"),),
    )

    described = registry.describe(spec)

    assert json.loads(json.dumps(described)) == described
    assert set(described) == {
        *("id", "title", "version", "task", "intended_use", "wants", "gives", "categories"),
        *("options_schema", "weights", "memory_mb", "memory_bytes_per_sample", "count_error"),
    }
    assert described["categories"] == [
        {
            "name": "liver",
            "colour": "#d55e00",
            "laterality": None,
            "code": {"value": "10200004", "scheme": "SCT", "meaning": "Liver"},
        }
    ]
    assert described["wants"]["spacing_mm"] == [3.0, 1.0, 1.0]
    assert described["options_schema"]["properties"]["threshold"]["default"] == 0.5


def test_the_detectors_that_ship_are_sound() -> None:
    points = [
        point
        for point in entry_points(group=registry.GROUP)
        if point.dist is not None and point.dist.name == "delineate"
    ]
    if not points:
        pytest.skip("delineate itself is not installed")

    found = registry.Registry.of(points)

    assert not found.problems
    assert "organs.ct" in [spec.id for spec in found.specs]
