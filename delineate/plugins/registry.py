"""Which detectors are installed: entry points of the group ``delineate.detectors``."""

from __future__ import annotations

import difflib
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, cast

from delineate.errors import DelineateError, PluginLoadError, UnknownDetectorError
from delineate.imaging import category_json
from delineate.plugins.contract import Detector, DetectorSpec

__all__ = [
    "GROUP",
    "Problem",
    "Registry",
    "describe",
    "find",
    "installed",
    "list_detectors",
    "load",
    "make",
]

GROUP = "delineate.detectors"

_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Problem:
    """An entry point that was left out, with the package to blame and the reason."""

    name: str
    package: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} of {self.package or 'an unknown package'}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Registry:
    """The detectors that can be used and the plugins that cannot.

    Parameters
    ----------
    specs
        Sorted by id; each id once.
    problems
        Plugins left out: not importable, no :class:`DetectorSpec`, or an id that two declare.
    """

    specs: tuple[DetectorSpec, ...]
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, points: Iterable[EntryPoint]) -> Registry:
        """Import what the entry points name; what fails is reported, never raised."""
        problems: list[Problem] = []
        claims: dict[str, list[tuple[EntryPoint, DetectorSpec]]] = defaultdict(list)
        for point in sorted(points, key=lambda point: (point.name, point.value)):
            try:
                specs = _specs(point)
            except (Exception, SystemExit) as error:  # whatever a stranger's import does
                problems.append(_problem(point, f"{type(error).__name__}: {error}"))
            else:
                for spec in specs:
                    claims[spec.id].append((point, spec))
        found = []
        for identifier, claimants in sorted(claims.items()):
            if len(claimants) == 1:
                found.append(claimants[0][1])
                continue
            packages = ", ".join(sorted(_package(point) or point.value for point, _ in claimants))
            reason = f"the id {identifier!r} is declared {len(claimants)} times: by {packages}"
            problems.extend(_problem(point, f"{reason}; uninstall one") for point, _ in claimants)
        return cls(tuple(found), tuple(problems))

    def find(self, identifier: str) -> DetectorSpec:
        """The detector of that id.

        Raises
        ------
        UnknownDetectorError
            Naming ids that look alike, or all there are, or why a plugin was left out.
        """
        for spec in self.specs:
            if spec.id == identifier:
                return spec
        ids = [spec.id for spec in self.specs]
        message = f"no detector {identifier!r} is installed"
        if close := difflib.get_close_matches(identifier, ids, n=3, cutoff=0.5):
            message += f"; did you mean {' or '.join(close)}?"
        elif ids:
            message += f"; there are {', '.join(ids)}"
        else:
            message += "; there is none at all, install a package that brings one"
        if self.problems:
            message += " (left out: " + "; ".join(str(problem) for problem in self.problems) + ")"
        raise UnknownDetectorError(message, identifier)


def installed() -> Registry:
    """What is installed now; imports the declarations, no detector and no model."""
    return Registry.of(_points(tuple((place, _changed(place)) for place in sys.path)))


@lru_cache(maxsize=1)
def _points(_: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    """The entry points of these places, as they were at these times: they stand in many files."""
    return tuple(entry_points(group=GROUP))


def _changed(place: str) -> int:
    """When something was last installed in a folder, or removed."""
    try:
        return os.stat(place or ".").st_mtime_ns
    except OSError:
        return 0


def find(identifier: str) -> DetectorSpec:
    """The installed detector of that id; see :meth:`Registry.find`."""
    return installed().find(identifier)


def list_detectors() -> tuple[DetectorSpec, ...]:
    """The detectors that are installed, by id; see :func:`installed` for what is broken."""
    return installed().specs


def load(spec: DetectorSpec) -> Detector:
    """Import and make the detector that a spec's factory names.

    Raises
    ------
    PluginLoadError
        If it cannot be imported or made, or has no ``detect``. Errors of delineate's own kinds,
        such as :class:`~delineate.errors.ModelError`, pass through.
    """
    return make(spec.factory, spec.id, spec.arguments)


def make(factory: str, identifier: str, arguments: Mapping[str, Any] = _NONE) -> Detector:
    """As :func:`load`, from the factory ``"package.module:Class"`` and its arguments alone."""
    module, _, name = factory.partition(":")
    try:
        detector: Any = getattr(import_module(module), name)(**arguments)
    except DelineateError:
        raise
    except Exception as error:
        raise PluginLoadError(
            f"the factory {factory} of detector {identifier} failed with "
            f"{type(error).__name__}: {error}",
            identifier,
        ) from error
    if not callable(getattr(detector, "detect", None)) and not callable(
        getattr(detector, "detect_monitored", None)
    ):
        raise PluginLoadError(
            f"expected {factory} of detector {identifier} to make an object with a method "
            f"detect(image, options), got a {type(detector).__name__} without one",
            identifier,
        )
    return cast(Detector, detector)


def describe(spec: DetectorSpec) -> dict[str, Any]:
    """All that a head shows of a detector, fit for JSON."""
    wants = spec.wants
    return {
        "id": spec.id,
        "title": spec.title,
        "version": spec.version,
        "task": spec.task,
        "intended_use": spec.intended_use,
        "wants": {
            "modalities": list(wants.modalities),
            "unit": wants.unit,
            "dimensions": wants.dimensions,
            "min_slices": wants.min_slices,
            "spacing_mm": None if wants.spacing_mm is None else list(wants.spacing_mm),
            "orientation": wants.orientation,
            "channels": wants.channels,
            "window": None if wants.window is None else list(wants.window),
            "min_size": None if wants.min_size is None else list(wants.min_size),
            "max_size": None if wants.max_size is None else list(wants.max_size),
            "tile": None if wants.tile is None else list(wants.tile),
            "overlap": wants.overlap,
            "refuses": list(wants.refuses),
        },
        "gives": spec.gives,
        "categories": [category_json(category) for category in spec.categories],
        "options_schema": spec.options.model_json_schema(),
        "weights": [
            {"name": file.name, "sha256": file.sha256, "licence": file.licence}
            for file in spec.weights
        ],
        "memory_mb": spec.memory_mb,
        "memory_bytes_per_sample": spec.memory_bytes_per_sample,
        "count_error": None if spec.count_error is None else asdict(spec.count_error),
    }


def _specs(point: EntryPoint) -> list[DetectorSpec]:
    """What an entry point declares: a spec, or a function that lists specs."""
    declared = point.load()
    if isinstance(declared, DetectorSpec):
        return [declared]
    if not callable(declared) or isinstance(declared, type):
        raise TypeError(
            f"expected {point.value} to be a DetectorSpec, or a function that lists some, got a "
            f"{type(declared).__name__}"
        )
    specs = list(declared())
    for spec in specs:
        if not isinstance(spec, DetectorSpec):
            raise TypeError(f"expected {point.value}() to list DetectorSpecs, got {spec!r:.80}")
    return specs


def _problem(point: EntryPoint, reason: str) -> Problem:
    return Problem(point.name, _package(point), reason)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else ""
