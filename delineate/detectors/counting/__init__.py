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

_MODELS = {
    name: json.loads(
        (Path(__file__).parent / "models" / name / "model.json").read_text(encoding="utf-8")
    )
    for name in ("pests_cards", "pests_scenes")
}
_TILE = _MODELS["pests_scenes"]["tiles"]["shape"]
_ERRORS = [each["settings"]["count_error"] for each in _MODELS.values()]

spec = DetectorSpec(
    id="pests.count",
    title="Small animals on traps and photographs, counted",
    factory="delineate.detectors.counting.pests:PestCounter",
    version="2",
    task="counting",
    wants=Wants(
        modalities=("photo",),
        dimensions=2,
        channels=3,
        tile=(_TILE[0], _TILE[1], _TILE[2]),
        overlap=round(_MODELS["pests_scenes"]["tiles"]["overlap"] * _TILE[1]),
    ),
    gives="instances",
    categories=(INSECT, MOTH, FLY, THRIPS),
    options=PestOptions,
    weights=tuple(
        Weights(
            name=f"{name}/weights.safetensors",
            sha256=model["weights"][0]["sha256"],
            licence=model["licence"],
        )
        for name, model in _MODELS.items()
    ),
    memory_mb=1200,
    memory_bytes_per_sample=480.0,
    count_error=CountError(
        **{name: max(error[name] for error in _ERRORS) for name in ("per_item", "relative")}
    ),
    intended_use="Counting small animals on sticky traps and cards, and bees before a hive.",
)
