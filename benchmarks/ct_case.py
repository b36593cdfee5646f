"""The CT and the network that the benchmarks of inference share.

512 x 512 samples of 0.8 mm and slices of 1.5 mm of a generated trunk; MONAI's UNet of 32 to 512
channels with two residual units and 14 classes, random weights, at 1.5 mm in tiles of 96.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from delineate.imaging import Category, Grid, Image
from delineate.phantom import Phase, torso
from delineate.segmentation.intensity import window
from delineate.segmentation.model import Model, Sampling, Tiles, WeightsFile
from delineate.segmentation.model_file import write_model
from delineate.segmentation.networks import build_network
from delineate.segmentation.structures import Structure

SPACING = (1.5, 0.8, 0.8)
TILE = (96, 96, 96)
CLASSES = 14
LOW_HU, HIGH_HU = -1000.0, 1000.0
LOWEST_MM = -250.0
LONGEST_MM = 600.0


def scan(slices: int, size: int = 512, seed: int = 11) -> Image:
    """A phantom's trunk; one longer than 600 mm is repeated."""
    span = min(LONGEST_MM, slices * SPACING[0])
    low = LOWEST_MM
    coarse, _ = torso(seed, (6.0, 3.2, 3.2), (low, low + span + 6), phase=Phase.PORTAL)
    volume = torch.from_numpy(coarse.array.astype(np.float32))[None, None]
    shape = (4 * volume.shape[2], 4 * volume.shape[3], 4 * volume.shape[4])
    fine = F.interpolate(volume, size=shape, mode="trilinear", align_corners=False)[0, 0].numpy()
    rng = np.random.default_rng(seed)
    rows, columns = (min(size, n) for n in fine.shape[1:])
    top, left = (size - rows) // 2, (size - columns) // 2
    out = np.full((slices, size, size), -1000, np.int16)
    for number in range(slices):
        plane = fine[number % len(fine), :rows, :columns]
        noise = rng.normal(0, 8, (size, size))
        out[number] = np.rint(noise - 1000)
        out[number, top : top + rows, left : left + columns] = np.rint(
            plane + noise[:rows, :columns]
        )
    return Image(out, Grid.regular(out.shape, SPACING, (0.0, 0.0, 0.0)), "CT")


def model(folder: Path | None = None, overlap: float = 0.25) -> Model:
    """A model folder with the network; the same weights each time."""
    folder = Path(tempfile.mkdtemp()) if folder is None else folder
    torch.manual_seed(0)
    arguments = {
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": CLASSES,
        "channels": [32, 64, 128, 256, 512],
        "strides": [2, 2, 2, 2],
        "num_res_units": 2,
    }
    network = build_network("UNet", arguments).eval()
    described = Model(
        folder=folder,
        name="benchmark",
        licence="Apache-2.0",
        intended_use="Benchmarks.",
        network="UNet",
        arguments=arguments,
        weights=(WeightsFile("weights.safetensors", ""),),
        sampling=Sampling(
            orientation="SPL", spacing_mm=(1.5, 1.5, 1.5), fit="first", method="linear"
        ),
        tiles=Tiles(shape=TILE, overlap=overlap, placement="flush", padding="zero"),
        inputs=((0, window(LOW_HU, HIGH_HU)),),
        structures=tuple(
            Structure(Category(f"organ {n}"), min_volume_ml=0, single=False)
            for n in range(1, CLASSES)
        ),
    )
    return write_model(described, [network.state_dict()])
