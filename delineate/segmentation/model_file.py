"""Model folders: `model.json` beside files of weights, read and written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from delineate.errors import ModelError
from delineate.imaging import Category
from delineate.imaging.category import Code, Laterality
from delineate.segmentation.intensity import step_from_json, step_json
from delineate.segmentation.model import Model, Sampling, Tiles, WeightsFile
from delineate.segmentation.structures import Structure

if TYPE_CHECKING:
    import torch

__all__ = [
    "DESCRIPTION",
    "UNWRITTEN",
    "describe_model",
    "model_from_json",
    "model_json",
    "read_model",
    "write_model",
]

DESCRIPTION = "model.json"
FORMAT = "delineate-model"
FORMAT_VERSION = 2
UNWRITTEN = (WeightsFile("weights.safetensors", ""),)
"""What stands for the weights of a model until `write_model` has written them."""

_DEEPEST = 4
_TEXTS = ("name", "version", "title", "licence", "intended_use", "source", "modality")


def read_model(folder: Path) -> Model:
    """Read and check a model's description; the weights are not touched.

    Raises
    ------
    ModelError
        If the description is missing, is not JSON, or lacks or contradicts something.
    """
    return _read(folder, 0)


def _read(folder: Path, depth: int) -> Model:
    path = folder / DESCRIPTION
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"no {DESCRIPTION} in {folder}; expected a model folder") from error
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelError(f'{path} does not say "format": "{FORMAT}"; it is no model description')
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{path} has format version {version}; this delineate reads version {FORMAT_VERSION}"
        )
    try:
        return model_from_json(folder, content, depth)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ModelError(f"{path}: {type(error).__name__}: {error}") from error


def model_from_json(folder: Path, content: dict[str, Any], depth: int = 0) -> Model:
    """A model as `model_json` gave it; errors are those of what it lacks or contradicts."""
    sampling, tiles = dict(content["sampling"]), dict(content["tiles"])
    sampling["spacing_mm"] = tuple(sampling["spacing_mm"])
    if sampling.get("nearest_beyond") is None:
        sampling["nearest_beyond"] = inf
    tiles["shape"] = tuple(int(size) for size in tiles["shape"])
    previous = content.get("previous")
    if previous is not None and (previous != "previous" or depth >= _DEEPEST):
        raise ValueError(f"expected an earlier model in the folder 'previous', got {previous!r}")
    return Model(
        folder=folder,
        **{name: str(content[name]) for name in _TEXTS},
        finds=content.get("finds", "labels"),
        settings=dict(content.get("settings", {})),
        dimensions=content["dimensions"],
        network=str(content["network"]["name"]),
        arguments=dict(content["network"]["arguments"]),
        weights=tuple(
            WeightsFile(str(file["file"]), str(file["sha256"])) for file in content["weights"]
        ),
        sampling=Sampling(**sampling),
        tiles=Tiles(**tiles),
        inputs=tuple(
            (int(each["channel"]), tuple(step_from_json(step) for step in each["steps"]))
            for each in content["inputs"]
        ),
        activation=content["activation"],
        structures=tuple(_structure(n, each) for n, each in enumerate(content["labels"], 1)),
        outputs=tuple(int(label) for label in content["outputs"]),
        mirror=tuple(int(axis) for axis in content["mirror"]),
        previous=None if previous is None else _read(folder / previous, depth + 1),
        metrics=dict(content.get("metrics", {})),
        training=dict(content.get("training", {})),
    )


def _structure(number: int, content: dict[str, Any]) -> Structure:
    if content["label"] != number:
        raise ValueError(f"expected label {number}, got {content['label']}")
    red, green, blue = (int(part) for part in content["colour"])
    code = content["code"]
    side = content["laterality"]
    if side not in (None, "left", "right"):
        raise ValueError(f"expected laterality left, right or null, got {side!r}")
    category = Category(
        str(content["name"]),
        (red, green, blue),
        Code(str(code["value"]), str(code["scheme"]), str(code["meaning"])) if code else None,
        cast("Laterality | None", side),
    )
    low, high = content["hu_range"]
    return Structure(
        category,
        float(content["min_volume_ml"]),
        bool(content["single"]),
        (float(low), float(high)),
        bool(content["enclosed"]),
        bool(content["auxiliary"]),
    )


def write_model(model: Model, states: Sequence[Mapping[str, torch.Tensor]]) -> Model:
    """Write a model into its folder; what was there is replaced.

    Parameters
    ----------
    model
        What it declares; its ``weights`` are made anew from ``states``. A ``previous`` model has
        been written to the subfolder ``previous`` before.
    states
        State dictionaries of the network, one a file of weights.

    Returns
    -------
    Model
        As `read_model` would read it.

    Raises
    ------
    ModelError
        If the description holds numbers that are not finite; nothing is written then.
    """
    import safetensors.torch

    try:
        json.dumps(model_json(model), allow_nan=False)
    except ValueError as error:
        raise ModelError(f"model {model.name} holds what JSON cannot: {error}") from error
    model.folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, state in enumerate(states):
        plain = {key: value.detach().cpu().clone().contiguous() for key, value in state.items()}
        content = safetensors.torch.save(plain)
        name = "weights.safetensors" if len(states) == 1 else f"weights_{number}.safetensors"
        _replace(model.folder / name, content)
        files.append(WeightsFile(name, hashlib.sha256(content).hexdigest()))
    return describe_model(replace(model, weights=tuple(files)))


def describe_model(model: Model) -> Model:
    """Write the description of a model anew; its weights stay as they are."""
    text = json.dumps(model_json(model), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    _replace(model.folder / DESCRIPTION, text.encode())
    return model


def model_json(model: Model) -> dict[str, Any]:
    """What `model.json` holds; the previous model of a cascade has its own."""
    sampling = {field.name: getattr(model.sampling, field.name) for field in fields(Sampling)}
    if sampling["nearest_beyond"] == inf:
        sampling["nearest_beyond"] = None
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **{name: getattr(model, name) for name in _TEXTS},
        "finds": model.finds,
        "settings": dict(model.settings),
        "dimensions": model.dimensions,
        "network": {"name": model.network, "arguments": dict(model.arguments)},
        "weights": [{"file": file.name, "sha256": file.sha256} for file in model.weights],
        "sampling": sampling,
        "tiles": {field.name: getattr(model.tiles, field.name) for field in fields(Tiles)},
        "inputs": [
            {"channel": channel, "steps": [step_json(step) for step in steps]}
            for channel, steps in model.inputs
        ],
        "activation": model.activation,
        "outputs": list(model.outputs),
        "mirror": list(model.mirror),
        "previous": "previous" if model.previous is not None else None,
        "labels": [_label(number, each) for number, each in enumerate(model.structures, 1)],
        "training": dict(model.training),
        "metrics": dict(model.metrics),
    }


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
