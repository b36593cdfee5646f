"""Models as values, with any field changed; networks whose answers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from delineate.imaging import Category
from delineate.segmentation.intensity import Clip
from delineate.segmentation.model import Model, Sampling, Tiles, WeightsFile
from delineate.segmentation.structures import Structure


def described(labels: int = 2, **fields: Any) -> Model:
    """A model of HU as they are, at 6 mm, unless said otherwise."""
    plain: dict[str, Any] = {
        "folder": Path("nowhere"),
        "name": "plain",
        "licence": "Apache-2.0",
        "intended_use": "Tests.",
        "network": "UNet",
        "arguments": {},
        "weights": (WeightsFile("weights.safetensors", "0" * 64),),
        "sampling": Sampling(orientation="SPL", spacing_mm=(6.0, 6.0, 6.0)),
        "tiles": Tiles(shape=(8, 8, 8), overlap=0.5),
        "inputs": ((0, (Clip(-5000.0, 5000.0),)),),
        "structures": tuple(
            Structure(Category(f"thing {n}"), min_volume_ml=0.0, single=False)
            for n in range(1, labels + 1)
        ),
    }
    return Model(**(plain | fields))


class Run:
    """A backend: a module as it is."""

    name = "plain"
    device = torch.device("cpu")
    batch = 1
    threads = 1

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.tiles = 0

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        self.tiles += len(tiles)
        return self.network(tiles)


class Thresholds(nn.Module):
    """Class 1 above 0, class 2 above 100; sees no neighbours, so that tiles must not be noticed."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hu = inputs[:, :1] / 100
        return torch.cat([-hu, hu, 2 * hu - 1], dim=1)
