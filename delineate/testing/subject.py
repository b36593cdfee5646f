"""The detector under test: which, with what options, on what image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from unittest import SkipTest

from delineate.delineation import Delineation, delineate, to_json
from delineate.errors import UnsuitableImageError
from delineate.imaging import Image
from delineate.plugins import DetectorSpec, registry
from delineate.plugins.host import Host
from delineate.plugins.runner import InProcess, Runner
from delineate.plugins.wire import pack

__all__ = ["Subject", "comparable", "hold", "shows"]

TOLERANCE = 0.02  # share of what is found that may differ


class Subject:
    """What the laws are about; :class:`~delineate.testing.DetectorTests` describes the fields."""

    detector_id: ClassVar[str]
    options: ClassVar[Mapping[str, object]] = {}
    equivariant: ClassVar[Mapping[str, float | None]] = {}
    large_samples: ClassVar[int] = 4_000_000

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
            kept = self.find(self.sample())
            type(self)._found = kept  # type: ignore[attr-defined]
        return kept

    def find(self, image: Image) -> Delineation:
        """What the detector finds in an image; it is loaded once a class and kept."""
        kept: Runner | None = type(self).__dict__.get("_runner")
        if kept is None:
            kept = self.runner(self.spec)
            type(self)._runner = kept  # type: ignore[attr-defined]
        return delineate(image, self.spec, self.options, runner=kept)

    def runner(self, spec: DetectorSpec) -> Runner:
        """A new place to run in: this process, unless the detector has an interpreter."""
        return InProcess(spec) if spec.interpreter is None else Host(spec)

    def find_if_suitable(self, image: Image, what: str) -> Delineation:
        """As :meth:`find`; a law does not apply to images that the detector refuses."""
        try:
            return self.find(image)
        except UnsuitableImageError as error:
            raise SkipTest(f"it refuses {what}: {error}") from None

    def allowed(self, name: str) -> float:
        """Share of what is found that may differ when ``name`` is done to the image.

        Raises
        ------
        unittest.SkipTest
            Where ``equivariant`` says ``None``, or where nothing is found that could differ.
        """
        share = self.equivariant.get(name, TOLERANCE)
        if share is None:
            raise SkipTest(f"equivariant says that {name} may change what it finds")
        if not shows(self.found):
            raise SkipTest("it finds nothing in the sample, so nothing can be compared")
        return share


def hold(condition: bool, message: str) -> None:
    """Fail with a message unless the condition holds; pytest is not needed for it."""
    if not condition:
        raise AssertionError(message)


def shows(found: Delineation) -> bool:
    """Whether something was found; a restored image always is."""
    return found.detector.gives == "image" or any(
        finding.contours or finding.point or finding.box or finding.score
        for finding in found.findings
    )


def comparable(found: Delineation) -> dict[str, Any]:
    """All of a result but what differs from run to run."""
    document = to_json(found)
    document["provenance"] = document["provenance"]["options"]
    packed, array = pack(found.output)
    return document | {"output": packed, "array": None if array is None else array.tobytes()}
