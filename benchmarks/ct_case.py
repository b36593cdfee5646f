"""The CT and the network that the benchmarks of inference share.

512 x 512 samples of 0.8 mm and slices of 1.5 mm of a generated trunk, 320 mm wide and 250 mm deep
(a waist of 90 cm) in a field of view of 410 mm; MONAI's UNet of 32 to 512 channels with two
residual units and 14 classes, random weights, at 1.5 mm in tiles of 96.
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


def scan(slices: int, size: int = 512, seed: int = 1) -> Image:
    """A phantom's trunk; one longer than 600 mm is repeated."""
    span = min(LONGEST_MM, slices * SPACING[0])
    low = LOWEST_MM
    # Painted at 4 mm and taken for 3.2 mm: this phantom is 396 mm wide.
    coarse, _ = torso(seed, (6.0, 4.0, 4.0), (low, low + span + 6), phase=Phase.PORTAL)
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


def _favour_background(network: torch.nn.Module, foreground: float) -> None:
    hu = torch.from_numpy(scan(96).array[:, 208:304, 208:304].astype(np.float32))
    with torch.no_grad():
        logits = network((hu.clamp(LOW_HU, HIGH_HU) / HIGH_HU)[None, None])[0]
        behind = (logits[1:].amax(0) - logits[0]).flatten()
        rank = int((1 - foreground) * behind.numel())
        # The last layer's answer is added to its input: its bias is added to the logits.
        bias = dict(network.named_parameters())["model.2.1.conv.unit0.conv.bias"]
        bias[0] += behind.sort().values[rank]


def model(folder: Path | None = None, overlap: float = 0.25, foreground: float = 0.0) -> Model:
    """A model folder with the network; the same weights each time.

    ``foreground``: the background's bias is raised until this share of a body's samples is
    foreground; trained networks leave most of a body to the background. 0: left as drawn.
    """
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
    if foreground:
        _favour_background(network, foreground)
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
