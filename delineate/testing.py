"""The suite that every detector package inherits.

::

    from delineate import Grid, Image
    from delineate.testing import DetectorTests

    class TestBrightSpots(DetectorTests):
        detector_id = "bright-spots"

        def sample(self) -> Image: ...
"""

# ruff: noqa: D102  (a test's name is its docstring)

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from delineate.delineation import Delineation, delineate, dumps, to_json
from delineate.errors import UnsuitableImageError
from delineate.imaging import Image
from delineate.plugins import DetectorSpec, Monitor, registry
from delineate.plugins.host import Host
from delineate.plugins.options import parse
from delineate.plugins.wire import pack

__all__ = ["DetectorTests"]

_HEAVY = ("fastapi", "jax", "monai", "onnxruntime", "tensorflow", "torch")
_LISTING = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])\n"
    "from delineate.plugins import registry\n"
    "registry.describe(registry.find(sys.argv[2]))\n"
    "print(json.dumps(sorted(sys.modules)))"
)


class DetectorTests:
    """What a detector must do to be a good guest; inherit, name the detector, give a sample.

    Attributes
    ----------
    detector_id
        Id of an installed detector.
    options
        Options to test with, by name.
    """

    detector_id: ClassVar[str]
    options: ClassVar[Mapping[str, object]] = {}

    def sample(self) -> Image:
        """An image in which the detector finds something; the same at every call."""
        raise NotImplementedError(f"{type(self).__name__} must define sample()")

    @property
    def spec(self) -> DetectorSpec:
        """The detector's declaration, as installed."""
        return registry.find(self.detector_id)

    @property
    def found(self) -> Delineation:
        """What it finds in the sample; computed once a class."""
        kept: Delineation | None = type(self).__dict__.get("_found")
        if kept is None:
            kept = delineate(self.sample(), self.spec, self.options)
            type(self)._found = kept  # type: ignore[attr-defined]
        return kept

    def test_it_is_installed_and_described_by_json(self) -> None:
        description = registry.describe(self.spec)

        assert json.loads(json.dumps(description)) == description

    def test_listing_it_imports_no_framework(self) -> None:
        arguments = [json.dumps(sys.path), self.detector_id]
        listed = subprocess.run(
            [sys.executable, "-c", _LISTING, *arguments], capture_output=True, text=True, check=True
        )
        loaded = set(json.loads(listed.stdout))

        assert not loaded & set(_HEAVY), f"listing imports {sorted(loaded & set(_HEAVY))}"

    def test_every_option_has_a_default_and_a_description(self) -> None:
        for name, field in self.spec.options.model_fields.items():
            assert not field.is_required(), f"option {name} has no default"
            assert field.description, f"option {name} has no description"

    def test_it_finds_something_in_the_sample(self) -> None:
        found = self.found

        if found.detector.gives == "image":
            assert isinstance(found.output, Image)
        else:
            assert any(_is_there(finding) for finding in found.findings), "sample() shows nothing"

    def test_it_finds_only_what_it_declares(self) -> None:
        declared = set(self.spec.categories)

        assert {finding.category for finding in self.found.findings} <= declared

    def test_it_answers_on_the_grid_of_the_image(self) -> None:
        grid = getattr(self.found.output, "grid", None)

        if grid is not None and self.spec.gives != "image":
            assert grid.matches(self.sample().grid)

    def test_it_finds_the_same_twice(self) -> None:
        again = delineate(self.sample(), self.spec, self.options)

        assert _comparable(again) == _comparable(self.found)

    def test_it_finds_the_same_in_a_process_of_its_own(self) -> None:
        with Host(self.spec) as host:
            hosted = delineate(self.sample(), self.spec, self.options, runner=host)

        assert _comparable(hosted) == _comparable(self.found)

    def test_it_leaves_the_image_alone(self) -> None:
        image = self.sample()
        own = image.array.copy()
        before = image.content_hash

        delineate(replace(image, array=own), self.spec, self.options)

        assert Image(own, image.grid, image.modality, image.channels).content_hash == before

    def test_it_survives_a_blank_image(self) -> None:
        image = self.sample()
        blank = replace(image, array=np.full_like(image.array, image.array.min()))

        with contextlib.suppress(UnsuitableImageError):  # a refusal is an answer
            delineate(blank, self.spec, self.options)

    def test_its_result_is_json(self) -> None:
        document = to_json(self.found)

        assert json.loads(dumps(document)) == document

    def test_its_options_survive_json(self) -> None:
        options = parse(self.spec, self.options)

        assert type(options).model_validate(options.model_dump(mode="json")) == options

    def test_its_progress_stays_between_0_and_1_and_never_falls(self) -> None:
        monitor = _Recorder()
        delineate(self.sample(), self.spec, self.options, monitor)

        assert monitor.told == sorted(monitor.told)
        assert min(monitor.told) >= 0
        assert max(monitor.told) <= 1


class _Recorder(Monitor):
    def __init__(self) -> None:
        self.told: list[float] = []

    def progress(self, fraction: float, stage: str = "") -> None:
        self.told.append(fraction)


def _is_there(finding: Any) -> bool:
    return bool(finding.contours or finding.point or finding.box or finding.score)


def _comparable(found: Delineation) -> dict[str, Any]:
    """All of a result but what differs from run to run."""
    document = to_json(found)
    document["provenance"] = document["provenance"]["options"]
    packed, array = pack(found.output)
    return document | {"output": packed, "array": None if array is None else array.tobytes()}
