"""How far a picture is from what good pictures look like, by texture; nothing is pretrained."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

__all__ = ["TextureMemory"]

_STRIDE = 4  # samples of the picture a sample of the features, along rows and columns
_RADIUS = 3  # of the filters, in samples
_ELONGATED = 1.8
_FLOOR = 2e-3  # added before the logarithm: responses below it are noise
_AROUND = 9  # samples of the features that the coarser colour is the mean of
_SMOOTH = 3  # samples of the features that a score is the mean of
_CHUNK = 8192


class TextureMemory(nn.Module):
    """Distance of each place's texture to the nearest of those kept of good pictures.

    Features are logarithms of the mean response to derivatives of Gaussians (first ones by size,
    second ones by size and sign, in several directions, on a pyramid of grey) and the mean colour,
    one vector each 4 x 4 samples. They are whitened, and the distance to the nearest kept vector
    is the score, as in PatchCore [1]_ but with fixed filters in the place of a pretrained network.

    Parameters
    ----------
    channels
        Of the picture: 1 or 3.
    levels
        Of the pyramid.
    directions
        Of the filters.
    kept
        Vectors in the memory.

    References
    ----------
    .. [1] Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022,
       arXiv:2106.08265
    """

    mean: torch.Tensor
    whitening: torch.Tensor
    memory: torch.Tensor
    filters: torch.Tensor

    def __init__(
        self, channels: int = 3, levels: int = 4, directions: int = 4, kept: int = 1000
    ) -> None:
        super().__init__()
        if channels not in (1, 3) or not 1 <= levels <= 6:
            raise ValueError(
                f"expected 1 or 3 channels and 1 to 6 levels, got {channels}, {levels}"
            )
        self.levels, self.margin = levels, _STRIDE * 2 ** max(0, levels - 3)
        colours = 2 * channels if channels > 1 else 1
        size = levels * directions * 3 + (colours if channels == 1 else colours - 1)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("whitening", torch.zeros(size, size))
        self.register_buffer("memory", torch.zeros(kept, size))
        self.register_buffer("filters", _filters(directions), persistent=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Scores ``(picture, 1, row, column)`` of ``(picture, channel, row, column)``, 0 to 1."""
        rows, columns = inputs.shape[2:]
        found = self.features(inputs)
        scores = self._distance(found)
        scores = F.avg_pool2d(
            scores, _SMOOTH, stride=1, padding=_SMOOTH // 2, count_include_pad=False
        )
        size = (scores.shape[2] * _STRIDE, scores.shape[3] * _STRIDE)
        fine = F.interpolate(scores, size=size, mode="bilinear", align_corners=False)
        return fine[:, :, :rows, :columns]

    def features(self, inputs: torch.Tensor) -> torch.Tensor:
        """What is compared, before whitening: ``(picture, feature, row / 4, column / 4)``."""
        inputs = self._filled(inputs)
        grey = inputs.mean(dim=1, keepdim=True)
        size = [n // _STRIDE for n in inputs.shape[2:]]
        found, level = [], grey
        for number in range(self.levels):
            level = F.avg_pool2d(level, 2) if number else grey
            edges = F.pad(level, [_RADIUS] * 4, mode="replicate")
            odd, even = F.conv2d(edges, self.filters).chunk(2, dim=1)
            strength = torch.cat([odd.abs(), even.clamp_min(0), (-even).clamp_min(0)], dim=1)
            strength = _pooled(strength, max(1, _STRIDE >> number))
            if list(strength.shape[2:]) != size:
                strength = F.interpolate(strength, size=size, mode="bilinear", align_corners=False)
            found.append((strength + _FLOOR).log())
        colour = grey
        if inputs.shape[1] == 3:
            colour = torch.cat([grey, inputs[:, :1] - grey, inputs[:, 2:] - grey], dim=1)
        coarse = F.avg_pool2d(colour, _STRIDE)
        found.append(_mean_around(coarse, 3))
        if inputs.shape[1] == 3:
            found.append(_mean_around(coarse, _AROUND)[:, 1:])
        return torch.cat(found, dim=1)

    def learn(self, vectors: torch.Tensor, generator: torch.Generator) -> None:
        """Set mean, whitening and memory from feature vectors ``(n, feature)`` of good pictures.

        The memory is a greedy k-centre choice: each next vector is the farthest from those kept.
        """
        self.mean.copy_(vectors.mean(dim=0))
        deviation = vectors.std(dim=0) + 1e-6
        normal = (vectors - self.mean) / deviation
        values, axes = torch.linalg.eigh(normal.T @ normal / len(normal))
        self.whitening.copy_((axes / (values.clamp_min(0) + 1e-2).sqrt()) / deviation[:, None])
        white = (vectors - self.mean) @ self.whitening
        sizes = white.square().sum(dim=1)
        chosen = int(torch.randint(len(white), (1,), generator=generator))
        nearest = torch.full((len(white),), math.inf)
        for place in range(len(self.memory)):
            self.memory[place] = white[chosen]
            squared = sizes + sizes[chosen] - 2 * (white @ white[chosen])
            nearest = torch.minimum(nearest, squared)
            chosen = int(nearest.argmax())

    def _distance(self, found: torch.Tensor) -> torch.Tensor:
        pictures, _, rows, columns = found.shape
        vectors = found.movedim(1, -1).reshape(-1, found.shape[1])
        nearest = [
            torch.cdist((vectors[n : n + _CHUNK] - self.mean) @ self.whitening, self.memory).amin(1)
            for n in range(0, len(vectors), _CHUNK)
        ]
        return torch.cat(nearest).reshape(pictures, 1, rows, columns)

    def _filled(self, inputs: torch.Tensor) -> torch.Tensor:
        """Repeat the last row and column until both can be halved at each level."""
        missing = [-n % self.margin for n in inputs.shape[2:]]
        return F.pad(inputs, (0, missing[1], 0, missing[0]), mode="replicate")


def _filters(directions: int) -> torch.Tensor:
    """First, then second derivatives across lines in several directions, ``(n, 1, 7, 7)``."""
    steps = torch.arange(-_RADIUS, _RADIUS + 1, dtype=torch.float32)
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    odd, even = [], []
    for number in range(directions):
        angle = math.pi * number / directions
        across = columns * math.cos(angle) + rows * math.sin(angle)
        along = rows * math.cos(angle) - columns * math.sin(angle)
        bell = torch.exp(-0.5 * (across.square() + (along / _ELONGATED).square()))
        odd.append(_balanced(-across * bell))
        even.append(_balanced((across.square() - 1) * bell))
    return torch.stack([*odd, *even])[:, None]


def _balanced(filter_: torch.Tensor) -> torch.Tensor:
    """Sum 0, sum of sizes 1."""
    filter_ = filter_ - filter_.mean()
    return filter_ / filter_.abs().sum()


def _pooled(values: torch.Tensor, stride: int) -> torch.Tensor:
    """Means over windows twice as wide as they are apart."""
    if stride == 1:
        return _mean_around(values, 3)
    padded = F.pad(values, [stride // 2] * 4, mode="replicate")
    return F.avg_pool2d(padded, 2 * stride, stride)


def _mean_around(values: torch.Tensor, size: int) -> torch.Tensor:
    return F.avg_pool2d(values, size, stride=1, padding=size // 2, count_include_pad=False)
