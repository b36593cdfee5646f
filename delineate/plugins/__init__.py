"""What a detector is, which are installed, what they may return and where they run."""

from delineate.plugins.contract import (
    CountError,
    Detector,
    DetectorSpec,
    Monitor,
    MonitoredDetector,
    Options,
    Task,
    Weights,
)
from delineate.plugins.outputs import (
    Classes,
    Detection,
    Field,
    Instance,
    Instances,
    Masks,
    Output,
    OutputKind,
)
from delineate.plugins.reference import Reference
from delineate.plugins.wants import Wants

__all__ = [
    "Classes",
    "CountError",
    "Detection",
    "Detector",
    "DetectorSpec",
    "Field",
    "Instance",
    "Instances",
    "Masks",
    "Monitor",
    "MonitoredDetector",
    "Options",
    "Output",
    "OutputKind",
    "Reference",
    "Task",
    "Wants",
    "Weights",
]
