"""What a detector is: a cheap declaration and one method."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, inf, isfinite, prod, sqrt
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from pydantic import BaseModel, ConfigDict

from delineate.errors import Cancelled
from delineate.imaging import Category, Image
from delineate.plugins.outputs import Detection, Output, OutputKind
from delineate.plugins.wants import Wants

__all__ = [
    "CountError",
    "Detector",
    "DetectorSpec",
    "Monitor",
    "MonitoredDetector",
    "Options",
    "Task",
    "Weights",
]

Task = Literal["segmentation", "detection", "counting", "classification", "anomaly", "restoration"]


class Options(BaseModel):
    """Base of every detector's options; the fields become CLI flags, REST schema and forms.

    Give each field a default and a description. Unknown names are refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A file of learned parameters; ``sha256`` in hexadecimal."""

    name: str
    sha256: str
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountError:
    """How far counts are off, as validation found: the variance of a count ``n`` is
    ``per_item * n + (relative * n) ** 2``.
    """

    per_item: float
    relative: float

    def __post_init__(self) -> None:
        if not all(isfinite(value) and value >= 0 for value in (self.per_item, self.relative)):
            raise ValueError(f"expected a count error of finite numbers from 0 on, got {self}")

    def interval(self, count: int) -> tuple[int, int]:
        """Interval that holds the true number 95 times in 100, by the normal approximation."""
        half = 1.96 * sqrt(self.per_item * count + (self.relative * count) ** 2)
        return max(0, round(count - half)), round(count + half)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSpec:
    """What is known of a detector without loading it.

    Parameters
    ----------
    id
        Unique; lower-case words joined by dots and dashes, such as ``"pests.sticky-trap"``.
    title
        One line for people.
    factory
        ``"package.module:Class"``, called at first use.
    arguments
        Keyword arguments of the factory, as JSON has them: for a class that makes more than one
        detector.
    version, task, intended_use
        Shown and recorded with every result.
    wants, gives
        What goes in and which of the six kinds comes out.
    categories
        Everything it may find.
    options
        Subclass of :class:`Options`.
    weights
        Files it loads.
    memory_mb, memory_bytes_per_sample
        What a run needs above the image itself: so much, and so much more for each sample that
        ``detect`` is given at once.
    count_error
        Of a detector that counts: how sure its counts are.
    interpreter
        Path of the Python to run in: that of an environment of its own, where this declaration
        and delineate are installed too. ``None``: the one that runs delineate.
    """

    id: str
    title: str
    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    categories: tuple[Category, ...] = ()
    version: str = "1"
    task: Task = "segmentation"
    wants: Wants = field(default_factory=Wants)
    gives: OutputKind = "labelmap"
    options: type[Options] = Options
    weights: tuple[Weights, ...] = ()
    memory_mb: int = 500
    memory_bytes_per_sample: float = 0.0
    count_error: CountError | None = None
    interpreter: str | None = None
    intended_use: str = "Research. Not for diagnosis."

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", self.id):
            raise ValueError(
                "expected a detector id of lower-case words joined by dots or dashes, such as "
                f"'pests.sticky-trap', got {self.id!r}"
            )
        if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", self.factory):
            raise ValueError(f"expected a factory 'package.module:Class', got {self.factory!r}")
        for name, value, allowed in (
            ("gives", self.gives, get_args(OutputKind)),
            ("task", self.task, get_args(Task)),
        ):
            if value not in allowed:
                raise ValueError(f"detector {self.id}: {name} is one of {allowed}, got {value!r}")
        if not (isinstance(self.options, type) and issubclass(self.options, Options)):
            raise TypeError(
                f"detector {self.id}: expected options to be a subclass of "
                f"delineate.Options, got {self.options!r}"
            )
        names = [category.name for category in self.categories]
        if len(set(names)) != len(names):
            raise ValueError(f"detector {self.id} declares a category name twice: {sorted(names)}")
        if self.memory_mb < 0 or not 0 <= self.memory_bytes_per_sample < inf:
            raise ValueError(f"detector {self.id}: expected memory from 0 on")

    def memory_needed_mb(self, shape: tuple[int, int, int]) -> int:
        """Estimate for an image of that shape once it is prepared; above the image itself."""
        if self.wants.tile is not None:
            shape = self.wants.tile_shape(shape)
        return self.memory_mb + ceil(self.memory_bytes_per_sample * prod(shape) / (1 << 20))


class Monitor:
    """Where a detector tells how far it is and learns that it should stop.

    The base class ignores progress and never cancels; heads and workers derive from it.
    """

    def progress(self, fraction: float, stage: str = "") -> None:
        """Tell how far it is, 0 to 1, and what is being done; may be called often."""

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked to stop."""
        return False

    def checkpoint(self) -> None:
        """Raise :class:`~delineate.errors.Cancelled` if somebody asked to stop."""
        if self.cancelled:
            raise Cancelled("cancelled")

    def part(self, start: float, stop: float) -> Monitor:
        """A monitor for one part of the work: its 0 to 1 is ``start`` to ``stop`` of the whole."""
        return _Part(self, start, stop)


class _Part(Monitor):
    def __init__(self, whole: Monitor, start: float, stop: float) -> None:
        self._whole, self._start, self._stop = whole, start, stop

    def progress(self, fraction: float, stage: str = "") -> None:
        fraction = min(max(float(fraction), 0.0), 1.0)
        self._whole.progress(self._start + (self._stop - self._start) * fraction, stage)

    @property
    def cancelled(self) -> bool:
        return self._whole.cancelled


class Detector(Protocol):
    """What the author of a detector writes."""

    def detect(self, image: Image, options: Any) -> Output | Detection:
        """Find things in an image, leaving it alone.

        Parameters
        ----------
        image
            In the form that the spec's ``wants`` states; its array is read-only.
        options
            An instance of the spec's ``options``.

        Returns
        -------
        Output or Detection
            Of the kind that the spec's ``gives`` states, on the image's grid; as a
            :class:`Detection` where there are scores, notes or remarks to go with it.
        """
        ...


@runtime_checkable
class MonitoredDetector(Protocol):
    """Optional: a detector that tells its progress and can be cancelled."""

    def detect_monitored(self, image: Image, options: Any, monitor: Monitor) -> Output | Detection:
        """As ``detect``, calling ``monitor.progress`` and ``monitor.checkpoint`` now and then."""
        ...
