"""Cross-entropy plus Dice that can live with incomplete labels."""

from __future__ import annotations

import torch

from delineate.segmentation.training.organ_cases import IGNORED


def marginal_log_probabilities(logits: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Log-probabilities in which structures that a case does not label count as background.

    Parameters
    ----------
    logits
        Shape (batch, class, slice, row, column).
    known
        bool, shape (batch, class); background is always known. On the CPU nothing has to be
        waited for.

    Returns
    -------
    Tensor
        Same shape as the logits. The background holds the sum over itself and all unknown
        classes, unknown classes a large negative number. See Shi et al., "Marginal loss and
        exclusion loss for partially supervised multi-organ segmentation", Med. Image Anal. 70,
        2021, doi:10.1016/j.media.2021.101979.
    """
    logp = torch.log_softmax(logits.float(), dim=1)
    if bool(known.all()):
        return logp
    unseen = ~known.to(logits.device)[:, :, None, None, None]
    merged = torch.cat([logp[:, :1], logp.masked_fill(~unseen, -1e4)[:, 1:]], dim=1)
    background = torch.logsumexp(merged, dim=1, keepdim=True)
    return torch.cat([background, logp.masked_fill(unseen, -1e4)[:, 1:]], dim=1)


def segmentation_loss(
    logits: torch.Tensor, labels: torch.Tensor, known: torch.Tensor
) -> torch.Tensor:
    """Mean of cross-entropy and soft Dice over the classes present.

    Parameters
    ----------
    logits
        Shape (batch, class, slice, row, column).
    labels
        int64, shape (batch, slice, row, column); `IGNORED` samples count for nothing.
    known
        bool, shape (batch, class).
    """
    logp = marginal_log_probabilities(logits, known)
    classes = logits.shape[1]
    seen = labels != IGNORED
    target = labels.masked_fill(~seen, 0)
    # The background's own label stands in for ignored samples, so weigh those out by hand.
    weight = seen.to(logp.dtype)
    picked = logp.gather(1, target[:, None])[:, 0]
    cross_entropy = -(picked * weight).sum() / weight.sum().clamp_min(1)
    flat, shown = target.flatten(), weight.flatten()
    overlap = _by_class((picked.exp() * weight).flatten(), flat, classes)
    count = _by_class(shown, flat, classes)
    # Samples on the first axis: one matrix product sums the probabilities that are seen.
    by_sample = logp.exp().movedim(1, -1).reshape(-1, classes)
    total = shown @ by_sample + count
    present = count > 0
    present[0] = False
    dice = 1 - (2 * overlap + 1) / (total + 1)
    mean_dice = (dice * present).sum() / present.sum().clamp_min(1)
    return cross_entropy + mean_dice


def _by_class(values: torch.Tensor, labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Sums of values by label; on a card without its slow additions to few addresses."""
    if not values.is_cuda:
        return values.new_zeros(classes).index_add(0, labels, values)
    return torch.stack([(values * (labels == each)).sum() for each in range(classes)])
