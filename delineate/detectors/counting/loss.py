"""What a peak map has to learn."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812

__all__ = ["point_loss"]


def point_loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Focal loss of peak maps (Zhou et al., "Objects as points", arXiv:1904.07850, equation 1).

    Parameters
    ----------
    logits
        ``(batch, category, ...)``.
    target
        Gaussians around the points, from 0 to 1; 1 at a point itself. Of the same shape.
    weight
        0 where nothing is known, else 1; ``(batch, 1, ...)``.

    Returns
    -------
    Tensor
        Per point of the batch.
    """
    logits = logits.float()
    high = logits.sigmoid()
    at = (target == 1).float()
    hit = -((1 - high) ** 2) * F.logsigmoid(logits) * at
    false = -((1 - target) ** 4) * high**2 * F.logsigmoid(-logits) * (1 - at)
    total: torch.Tensor = ((hit + false) * weight).sum() / (at * weight).sum().clamp_min(1)
    return total
