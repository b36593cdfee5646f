"""Counting: `pests.count`, and the engine of every model that finds points.

Cheap to import: torch and MONAI are loaded when a detector is made.
"""

from __future__ import annotations

import json
from pathlib import Path

from delineate.detectors.counting.categories import FLY, INSECT, MOTH, THRIPS
from delineate.detectors.counting.options import PestOptions
from delineate.plugins import CountError, DetectorSpec, Wants, Weights

__all__ = ["spec"]

_SHIPPED = json.loads(
    (Path(__file__).parent / "models" / "pests_count" / "model.json").read_text(encoding="utf-8")
)
_TILE = _SHIPPED["tiles"]["shape"]

spec = DetectorSpec(
    id="pests.count",
    title="Small animals on traps and photographs, counted",
    factory="delineate.detectors.counting.pests:PestCounter",
    version=_SHIPPED["version"],
    task="counting",
    wants=Wants(
        modalities=("photo",),
        dimensions=2,
        channels=3,
        tile=(_TILE[0], _TILE[1], _TILE[2]),
        overlap=round(_SHIPPED["tiles"]["overlap"] * _TILE[1]),
    ),
    gives="instances",
    categories=(INSECT, MOTH, FLY, THRIPS),
    options=PestOptions,
    weights=(
        Weights(
            name="pests_count/weights.safetensors",
            sha256=_SHIPPED["weights"][0]["sha256"],
            licence=_SHIPPED["licence"],
        ),
    ),
    memory_mb=1200,
    memory_bytes_per_sample=480.0,
    count_error=CountError(**_SHIPPED["settings"]["count_error"]),
    intended_use=_SHIPPED["intended_use"],
)
