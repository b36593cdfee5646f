"""Write a trained network as a model folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate.segmentation.model import DESCRIPTION, FORMAT, FORMAT_VERSION, WEIGHTS
from delineate.segmentation.structures import ORGANS, Structure

if TYPE_CHECKING:
    from torch import nn

    from delineate.segmentation.train import Plan

INTENDED_USE = "Research and software development. Not a medical device, not for diagnosis."


def publish(
    network: nn.Module,
    plan: Plan,
    folder: Path,
    training: Mapping[str, Any],
    *,
    name: str = "organs-ct",
    version: str = "1",
    structures: Sequence[Structure] = ORGANS,
    metrics: Mapping[str, Any] | None = None,
) -> None:
    """Write `model.json` and `weights.safetensors`; what was there is replaced."""
    import safetensors.torch

    from delineate.segmentation.train import WINDOWS

    folder.mkdir(parents=True, exist_ok=True)
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    content = safetensors.torch.save(state)
    spacing = plan.recipe.spacing_mm
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": name,
        "version": version,
        "licence": "Apache-2.0",
        "intended_use": INTENDED_USE,
        "network": {"name": plan.network, "arguments": plan.arguments},
        "input": {
            "modality": "CT",
            "orientation": "SPL",
            "spacing_mm": [spacing] * 3,
            "windows_hu": [[window.low_hu, window.high_hu] for window in WINDOWS],
        },
        "tiles": {"shape": list(plan.recipe.patch), "overlap": 0.5},
        "labels": [_label(number, each) for number, each in enumerate(structures, start=1)],
        "weights": {"file": WEIGHTS, "sha256": hashlib.sha256(content).hexdigest()},
        "training": dict(training),
        "metrics": dict(metrics or {}),
    }
    _replace(folder / WEIGHTS, content)
    _replace(folder / DESCRIPTION, (json.dumps(description, indent=1) + "\n").encode())


def _label(number: int, structure: Structure) -> dict[str, Any]:
    category = structure.category
    code = category.code
    return {
        "label": number,
        "name": category.name,
        "colour": list(category.colour),
        "code": {"value": code.value, "scheme": code.scheme, "meaning": code.meaning}
        if code
        else None,
        "laterality": category.laterality,
        "min_volume_ml": structure.min_volume_ml,
        "single": structure.single,
        "hu_range": list(structure.hu_range),
        "enclosed": structure.enclosed,
        "auxiliary": structure.auxiliary,
    }


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_bytes(content)
    partial.replace(path)
