"""The network of a model that finds points: which, with what weights it begins, how it computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from delineate.detectors.counting.finder import PointSettings
from delineate.detectors.counting.plan import Options
from delineate.errors import InputError
from delineate.imaging import Category
from delineate.segmentation.backends.choose import pick_device
from delineate.segmentation.backends.eager import autocast_types
from delineate.segmentation.intensity import Affine
from delineate.segmentation.model import Model, Sampling, Tiles
from delineate.segmentation.model_file import UNWRITTEN, read_model
from delineate.segmentation.structures import Structure
from delineate.segmentation.training.precision import Precision
from delineate.segmentation.training.tuning import first_network

__all__ = ["fast_precision", "first_weights", "untrained"]

_TILE, _OVERLAP = 1024, 0.2
_APART = 0.38  # of a thing's length: two peaks that are nearer are one thing


def untrained(folder: Path, options: Options, names: Sequence[str], size: float) -> Model:
    """Describe a model whose weights are still to be learned.

    Parameters
    ----------
    folder
        To write it to.
    options
        Of the run.
    names
        Of the categories.
    size
        How long the things are, in pixels.
    """
    steps = (Affine(127.5, 127.5),)
    return Model(
        folder=folder,
        name=options.name,
        title=options.title or f"Counts {', '.join(names)}",
        licence=options.licence,
        intended_use="Counting on photographs like those it learned from.",
        source="delineate train-points",
        modality="photo",
        finds="points",
        settings=PointSettings(
            size_px=round(size, 2),
            distance=round(max(2.5, _APART * size), 2),
            levels=options.levels,
            zoom=options.zoom,
        ).to_json(),
        dimensions=2,
        network="UNet",
        arguments={
            "spatial_dims": 2,
            "in_channels": 3,
            "out_channels": len(names),
            "channels": list(options.channels),
            "strides": [2] * (len(options.channels) - 1),
            "num_res_units": 2,
            "act": "RELU",
            "norm": "batch",
        },
        weights=UNWRITTEN,
        sampling=Sampling(orientation="", normalise="before"),
        tiles=Tiles(shape=(1, _TILE, _TILE), overlap=_OVERLAP),
        inputs=tuple((channel, steps) for channel in range(3)),
        activation="sigmoid",
        structures=tuple(
            Structure(Category(name), 0.0, False, (-1e6, 1e6), False) for name in names
        ),
        mirror=(1, 2),
        training={"steps": options.steps, "options": asdict(options)},
    )


def first_weights(model: Model, options: Options) -> nn.Module:
    """The network of another model, or one that begins by finding nothing."""
    if options.base is not None:
        return first_network(model, _of_one_plan(model, options.base), options.seed)[0]
    network, _ = first_network(model, None, options.seed)
    biases = [value for name, value in network.named_parameters() if name.endswith("bias")]
    with torch.no_grad():
        biases[-1].fill_(-3.0)
    return network


def _of_one_plan(model: Model, folder: str) -> Model:
    base = read_model(Path(folder))
    alike = (base.network, dict(base.arguments) | {"out_channels": model.classes})
    if base.finds != "points" or alike != (model.network, dict(model.arguments)):
        raise InputError(
            f"expected a model that finds points with the network {model.network} of channels "
            f"{model.arguments['channels']} to begin with, got {base.network} of "
            f"{base.arguments.get('channels')} in {folder}; give --channels as it has"
        )
    return base


def fast_precision(device: str) -> Precision:
    """Half precision on cards, and on processors that multiply matrices of bfloat16."""
    place = pick_device(device)
    fast = place.type == "cpu" and torch.bfloat16 in autocast_types(place)
    return Precision(place, torch.bfloat16) if fast else Precision.of(place)
