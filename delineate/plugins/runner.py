"""Where a detector runs: in this process, or by anything else that has ``run``."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, Protocol

from delineate.errors import BadDetectionError, Cancelled, DelineateError, DetectorError
from delineate.imaging import Image, Source
from delineate.plugins.contract import (
    Detector,
    DetectorSpec,
    Monitor,
    MonitoredDetector,
    Options,
)
from delineate.plugins.outputs import Detection
from delineate.plugins.registry import load
from delineate.plugins.verify import verify
from delineate.plugins.wire import kind_of

__all__ = ["InProcess", "Runner", "detect"]


class Runner(Protocol):
    """Runs one detector; what it returns has been verified against the detector's spec."""

    @property
    def spec(self) -> DetectorSpec:
        """The detector that it runs."""
        ...

    def run(self, image: Image, options: Options, monitor: Monitor) -> Detection:
        """Run the detector on an image that has the form that the spec's ``wants`` states."""
        ...


class InProcess:
    """Runs a detector in the calling process; loads it at the first run and keeps it.

    A crash of the detector takes the process with it: services use
    :class:`~delineate.plugins.host.Host`.
    """

    def __init__(self, spec: DetectorSpec) -> None:
        self.spec = spec
        self._detector: Detector | None = None

    def run(self, image: Image, options: Options, monitor: Monitor) -> Detection:
        """Run the detector and verify what it returns."""
        if self._detector is None:
            self._detector = load(self.spec)
        detection = detect(self._detector, self.spec.id, image, options, monitor)
        verify(detection, self.spec, image)
        return detection


def detect(
    detector: Detector, identifier: str, image: Image, options: Any, monitor: Monitor
) -> Detection:
    """Call a detector, by its monitored method where it has one.

    The image is handed over without its source: no detector sees a file's header.

    Raises
    ------
    DetectorError
        In place of whatever the detector raised, save delineate's own errors, which pass.
    """
    bare = replace(image, source=_NO_SOURCE)
    try:
        if isinstance(detector, MonitoredDetector):
            found = detector.detect_monitored(bare, options, monitor)
        else:
            found = detector.detect(bare, options)
    except DetectorError as error:
        error.detector_id = error.detector_id or identifier
        raise
    except DelineateError:
        raise
    except (Exception, SystemExit) as error:
        raise DetectorError(
            f"detector {identifier} failed with {type(error).__name__}: {error}", identifier
        ) from error
    if monitor.cancelled:
        raise Cancelled("cancelled")
    detection = found if isinstance(found, Detection) else Detection(found)
    if kind_of(detection.output) is None:
        came = type(detection.output).__name__
        raise BadDetectionError(
            f"expected detector {identifier} to return a LabelMap, Masks, Instances, Classes, "
            f"Field or Image, or a Detection of one, got {came}",
            identifier,
        )
    if torch := sys.modules.get("torch"):
        versions = {"torch": str(getattr(torch, "__version__", "")), **detection.versions}
        detection = replace(detection, versions=versions)
    return detection


_NO_SOURCE = Source()
