"""Organ segmentation with MONAI networks.

Cheap to import: torch and MONAI are loaded when a detector is made.
"""

from __future__ import annotations

import json
from pathlib import Path

from delineate.plugins import DetectorSpec, Wants, Weights
from delineate.segmentation.options import OrganOptions
from delineate.segmentation.structures import ORGANS

__all__ = ["organs_ct"]

_SHIPPED = json.loads(
    (Path(__file__).parent / "models" / "organs_ct" / "model.json").read_text(encoding="utf-8")
)

organs_ct = DetectorSpec(
    id="organs.ct",
    title="Organs and bones on CT of the trunk",
    factory="delineate.segmentation.organs:OrganDetector",
    version=_SHIPPED["version"],
    wants=Wants(modalities=("CT",), unit="mm", dimensions=3, channels=0),
    gives="labelmap",
    categories=tuple(each.category for each in ORGANS if not each.auxiliary),
    options=OrganOptions,
    weights=(
        Weights(
            name="organs_ct/weights.safetensors",
            sha256=_SHIPPED["weights"][0]["sha256"],
            licence=_SHIPPED["licence"],
        ),
    ),
    memory_mb=1500,
    intended_use=_SHIPPED["intended_use"],
)
