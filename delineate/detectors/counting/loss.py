"""What a peak map has to learn."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812

__all__ = ["point_loss"]

_NEAR = 1.0  # how much more a sample at a point counts than one of the background


def point_loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Cross-entropy with Gaussians, above the least that any map can have.

    Its least is where a map says how likely it is that a point was set there: hills in about the
    right place where people set their points a little off, and next to nothing elsewhere. (Losses
    that forgive small errors, as focal ones do, leave a background of 0.2 all over a picture for
    the first thousands of steps.)

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
        A hundredth of what a patch of 100 x 100 samples has in all, mean over the batch.
    """
    logits = logits.float()
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    least = F.binary_cross_entropy(target, target, reduction="none")
    losses = (entropy - least) * (1 + _NEAR * target) * weight
    return 100 * losses.mean()
