"""What a detector is, which are installed, what they may return and where they run."""

from delineate.plugins.contract import (
    Detector,
    DetectorSpec,
    Monitor,
    MonitoredDetector,
    Options,
    Task,
    Wants,
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

__all__ = [
    "Classes",
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
    "Task",
    "Wants",
    "Weights",
]
