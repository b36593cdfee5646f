"""What a peak map has to learn."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812

__all__ = ["point_loss"]


def point_loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Quality focal loss (Li et al., "Generalized focal loss", arXiv:2006.04388, equation 2).

    The cross-entropy with the Gaussians themselves, times the squared difference from them. Where
    people set their points a little off, a loss that wants all of a peak in one sample teaches a
    network to be sure of nothing; this one is content with a hill in about the right place.

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
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    losses = entropy * (logits.sigmoid() - target) ** 2 * weight
    total: torch.Tensor = losses.sum() / ((target == 1) * weight).sum().clamp_min(1)
    return total
