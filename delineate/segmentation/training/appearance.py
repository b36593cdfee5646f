"""The same patch by another scanner or in another light; values are normalised ones.

Steps and their frequencies are those of nnU-Net (Isensee et al., Nat. Methods 18, 2021,
doi:10.1038/s41592-020-01008-z, supplementary note 4).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from delineate.segmentation.training.deform import smoothed

__all__ = ["tinted", "varied"]


def varied(values: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Noise, blur, brightness, contrast, resolution and gamma, each now and then.

    Parameters
    ----------
    values
        float32 ``(channel, slice, row, column)``.
    rng
        Decides all.

    Returns
    -------
    Tensor
        A new one of the same shape.
    """
    out = values.clone()
    if rng.random() < 0.1:
        noise = rng.standard_normal(tuple(out.shape), dtype=np.float32)
        out += torch.from_numpy(noise) * float(rng.uniform(0, 0.3))
    if rng.random() < 0.2:
        taps = np.exp(-0.5 * (np.arange(-2, 3) / rng.uniform(0.5, 1.0)) ** 2)
        for axis in (1, 2, 3):
            if out.shape[axis] > 1:
                out = smoothed(out, taps / taps.sum(), axis)
    if rng.random() < 0.15:
        out *= float(rng.uniform(0.75, 1.25))
    if rng.random() < 0.15:
        out = _contrasted(out, float(rng.uniform(0.75, 1.25)))
    if rng.random() < 0.25:
        out = _coarse(out, float(rng.uniform(0.5, 1.0)))
    if rng.random() < 0.3:
        out = _gamma(out, float(np.exp(rng.uniform(np.log(0.7), np.log(1.5)))), rng.random() < 0.25)
    return out


def tinted(values: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Another light, mostly: each channel brighter or darker by itself, colours paler or stronger.

    Parameters
    ----------
    values
        float32 ``(channel, slice, row, column)``; the channels are colours.
    rng
        Decides all.

    Returns
    -------
    Tensor
        A new one of the same shape.
    """
    if rng.random() < 0.3:
        return values.clone()
    count = len(values)
    gain = np.exp(rng.normal(0, 0.1, count) + rng.normal(0, 0.15))
    offset = rng.normal(0, 0.15, count) + rng.normal(0, 0.25)
    strength = float(rng.uniform(0.0, 1.4))
    grey = values.mean(dim=0, keepdim=True)
    out = grey + (values - grey) * strength
    scale, shift = (
        torch.from_numpy(each.astype(np.float32))[:, None, None, None] for each in (gain, offset)
    )
    return out * scale + shift


def _contrasted(values: torch.Tensor, factor: float) -> torch.Tensor:
    mean = values.mean(dim=(1, 2, 3), keepdim=True)
    low, high = values.amin((1, 2, 3), keepdim=True), values.amax((1, 2, 3), keepdim=True)
    return torch.minimum(torch.maximum((values - mean) * factor + mean, low), high)


def _coarse(values: torch.Tensor, zoom: float) -> torch.Tensor:
    size = tuple(values.shape[1:])
    small = tuple(max(1, round(n * zoom)) for n in size)
    low = F.interpolate(values[None], size=small, mode="nearest")
    return F.interpolate(low, size=size, mode="trilinear", align_corners=False)[0]


def _gamma(values: torch.Tensor, power: float, inverted: bool) -> torch.Tensor:
    """A power of the values between their ends; mean and deviation stay."""
    sign = -1.0 if inverted else 1.0
    low = (values * sign).amin((1, 2, 3), keepdim=True)
    span = ((values * sign).amax((1, 2, 3), keepdim=True) - low).clamp_min(1e-6)
    curved = ((values * sign - low) / span).clamp(0, 1) ** power * sign
    mean, deviation = values.mean((1, 2, 3), keepdim=True), values.std((1, 2, 3), keepdim=True)
    now = curved.std((1, 2, 3), keepdim=True).clamp_min(1e-6)
    return (curved - curved.mean((1, 2, 3), keepdim=True)) / now * deviation + mean
