"""Model folders: `model.json` beside `weights.safetensors`, data and never code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from delineate.errors import ModelError
from delineate.imaging import Category
from delineate.imaging.category import Code, Laterality
from delineate.segmentation.intensity import Window
from delineate.segmentation.networks import build_network
from delineate.segmentation.structures import Structure

if TYPE_CHECKING:
    from torch import nn

FORMAT = "delineate-model"
FORMAT_VERSION = 1
DESCRIPTION = "model.json"
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What a model folder declares.

    Attributes
    ----------
    folder
        Where it lies.
    name, version, licence, intended_use
        For people.
    network, arguments
        See `networks.build_network`.
    spacing_mm
        Spacing the network was trained at, along slice, row and column; the orientation is
        always SPL: slices towards the head, rows to the back, columns to the left.
    windows
        One input channel each.
    tile, overlap
        Samples the network sees at once, and the share two neighbouring tiles have in common.
    structures
        In label order; the first has label 1, background is 0.
    sha256
        Of the weights file, hexadecimal.
    """

    folder: Path
    name: str
    version: str
    licence: str
    intended_use: str
    network: str
    arguments: Mapping[str, Any]
    spacing_mm: tuple[float, float, float]
    windows: tuple[Window, ...]
    tile: tuple[int, int, int]
    overlap: float
    structures: tuple[Structure, ...]
    sha256: str

    def load_network(self) -> nn.Module:
        """Build the network and load its weights, ready to infer on the CPU.

        Raises
        ------
        ModelError
            If the file is missing, truncated, altered since it was described, or of other shapes
            than the network.
        """
        return load_weights(self)


def read_model(folder: Path) -> Model:
    """Read and check a model's description; the weights are not touched.

    Raises
    ------
    ModelError
        If the description is missing, is not JSON, or lacks or contradicts something.
    """
    path = folder / DESCRIPTION
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"no {DESCRIPTION} in {folder}; expected a model folder") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelError(f'{path} does not say "format": "{FORMAT}"; it is no model description')
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{path} has format version {version}; this delineate reads version {FORMAT_VERSION}"
        )
    try:
        return _model(folder, content)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(f"{path}: {type(error).__name__}: {error}") from error


def _model(folder: Path, content: dict[str, Any]) -> Model:
    source, tiles = content["input"], content["tiles"]
    if source["orientation"] != "SPL":
        raise ValueError(f"expected orientation SPL, got {source['orientation']}")
    tile = _triple(tiles["shape"], int)
    overlap = float(tiles["overlap"])
    if not 0 <= overlap < 1:
        raise ValueError(f"expected an overlap from 0 to below 1, got {overlap}")
    spacing = _triple(source["spacing_mm"], float)
    if min(spacing) <= 0 or min(tile) < 1:
        raise ValueError(f"expected positive spacing and tile, got {spacing} and {tile}")
    structures = tuple(_structure(number, each) for number, each in enumerate(content["labels"]))
    names = [structure.category.name for structure in structures]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"expected labels with names of their own, got {names}")
    weights = content["weights"]
    if weights["file"] != WEIGHTS:
        raise ValueError(f"expected the weights in {WEIGHTS}, got {weights['file']!r}")
    return Model(
        folder=folder,
        name=str(content["name"]),
        version=str(content["version"]),
        licence=str(content["licence"]),
        intended_use=str(content["intended_use"]),
        network=str(content["network"]["name"]),
        arguments=dict(content["network"]["arguments"]),
        spacing_mm=spacing,
        windows=tuple(Window(float(low), float(high)) for low, high in source["windows_hu"]),
        tile=tile,
        overlap=overlap,
        structures=structures,
        sha256=str(weights["sha256"]),
    )


def _triple(values: Any, kind: type) -> Any:
    first, second, third = values
    return (kind(first), kind(second), kind(third))


def _structure(number: int, content: dict[str, Any]) -> Structure:
    if content["label"] != number + 1:
        raise ValueError(f"expected label {number + 1}, got {content['label']}")
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
    return Structure(
        category,
        float(content["min_volume_ml"]),
        bool(content["single"]),
        (float(content["hu_range"][0]), float(content["hu_range"][1])),
        bool(content["enclosed"]),
        bool(content["auxiliary"]),
    )


def load_weights(model: Model) -> nn.Module:
    """Build a model's network and fill it; see `Model.load_network`."""
    path = model.folder / WEIGHTS
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"the weights of model {model.name} cannot be read: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != model.sha256:
        raise ModelError(
            f"{path} has sha256 {found[:12]}..., its description says {model.sha256[:12]}...: "
            "the file is truncated or was changed; install it again"
        )
    import safetensors.torch

    network = build_network(model.network, model.arguments)
    try:
        state = safetensors.torch.load(content)
        network.load_state_dict(state)
    except (safetensors.SafetensorError, RuntimeError, KeyError) as error:
        first = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{path} does not fit network {model.network} of model {model.name}: {first}"
        ) from error
    return network.eval()
