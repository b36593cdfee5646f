"""Twice the resolution within slices: the detector."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from torch.nn import functional

from delineate import Image
from delineate.errors import ModelError
from delineate.plugins import Detection, Monitor
from delineate_restore import CARD, RestoreOptions, spec

__all__ = ["Doubler", "bicubic", "faithful", "network"]

_WEIGHTS = Path(__file__).with_name("weights.safetensors")
_REACH = 8  # samples beyond a tile that its result depends on
_TILE = 256
_REMARK = "detail finer than the source's samples is likely, not measured"


def network() -> torch.nn.Module:
    """What is added to bicubic interpolation, untrained: ``(n, 1, h, w)`` to ``(n, 1, 2h, 2w)``.

    Sub-pixel convolution [1]_: all layers work at the coarse resolution.

    References
    ----------
    .. [1] Shi et al., "Real-time single image and video super-resolution using an efficient
       sub-pixel convolutional neural network", CVPR 2016, arXiv:1609.05158
    """
    layers: list[torch.nn.Module] = [torch.nn.Conv2d(1, 48, 5, padding=2), torch.nn.ReLU()]
    for _ in range(4):
        layers += [torch.nn.Conv2d(48, 48, 3, padding=1), torch.nn.ReLU()]
    last = torch.nn.Conv2d(48, 4, 3, padding=1)
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    return torch.nn.Sequential(*layers, last, torch.nn.PixelShuffle(2))


def bicubic(coarse: torch.Tensor) -> torch.Tensor:
    """``(n, 1, h, w)`` at twice the resolution; the outer faces stay where they are."""
    return functional.interpolate(coarse, scale_factor=2, mode="bicubic", align_corners=False)


def faithful(fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
    """The nearest to ``fine`` whose means of 2 x 2 samples are the coarse ones: nothing is lost."""
    wrong = coarse - functional.avg_pool2d(fine, 2)
    return fine + functional.interpolate(wrong, scale_factor=2, mode="nearest")


class Doubler:
    """Adds to bicubic interpolation what a small network expects to be there."""

    def __init__(self) -> None:
        content = _WEIGHTS.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != CARD["sha256"]:
            raise ModelError(
                f"expected {_WEIGHTS.name} of sha256 {CARD['sha256']}, got {found}; install "
                "delineate-restore again",
                spec.id,
            )
        self._network = network()
        self._network.load_state_dict(load(content))
        self._network.eval()

    def detect_monitored(
        self, image: Image, options: RestoreOptions, monitor: Monitor
    ) -> Detection:
        """The image on a grid with half the spacing along rows and columns.

        The outer faces coincide, so the first of the finer samples lies a quarter of the old
        spacing before the first of the old ones along both axes. Samples keep their dtype and
        range; each channel is taken for itself. Means of 2 x 2 samples are the old ones again but
        for rounding and for what the range cuts off.
        """
        slices, rows, columns = image.grid.spacing
        grid = image.grid.with_spacing((slices, rows / 2, columns / 2))
        planes = image.array if image.channels else image.array[..., None]
        low, high = float(planes.min()), float(planes.max())
        restored = np.empty((*grid.shape, planes.shape[-1]), planes.dtype)
        for k, plane in enumerate(planes):
            monitor.checkpoint()
            monitor.progress(k / len(planes), "restoring")
            for channel in range(planes.shape[-1]):
                for place, fine in self._tiles(plane[..., channel], low, high, options.method):
                    restored[k, *place, channel] = fine
                    monitor.checkpoint()
        array = restored if image.channels else restored[..., 0]
        restored_image = Image(array, grid, image.modality, image.channels)
        return Detection(restored_image, remarks=(_REMARK,))

    @torch.inference_mode()
    def _tiles(
        self, plane: NDArray[Any], low: float, high: float, method: str
    ) -> Iterator[tuple[tuple[slice, slice], NDArray[Any]]]:
        """Place and samples of one tile after another of a finer plane."""
        span = max(high - low, np.finfo(np.float32).tiny)
        # The border is repeated, so that nothing depends on where a strip was cut.
        padded = np.pad(plane.astype(np.float32), _REACH, "edge")
        scaled = torch.from_numpy((padded - low) / span)[None, None]
        inner = slice(2 * _REACH, -2 * _REACH)
        corners = product(*(range(0, size, _TILE) for size in plane.shape))
        for row, column in corners:
            reached = _TILE + 2 * _REACH
            part = scaled[:, :, row : row + reached, column : column + reached]
            fine = bicubic(part)
            if method == "network":
                fine = faithful(fine + self._network(part), part)
            samples = np.clip(fine[0, 0, inner, inner].numpy(), 0, 1) * span + low
            if plane.dtype.kind != "f":
                samples = np.rint(samples)
            place = (
                slice(2 * row, 2 * row + samples.shape[0]),
                slice(2 * column, 2 * column + samples.shape[1]),
            )
            yield place, samples.astype(plane.dtype)
