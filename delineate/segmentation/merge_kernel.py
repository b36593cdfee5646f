"""The loops that merge the answers of tiles and read classes off them.

Logits lie with the class last, so that all classes of a sample are neighbours in memory.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["add_channels_first", "add_channels_last", "measured", "settled"]

Floats = NDArray[np.float32]

_NOTHING = -16.0  # logits this far below the largest have a share of 1e-7


@kernel
def add_channels_first(
    total: Floats, mass: Floats, answer: Any, weight: Floats, corner: Any, first: int, stop: int
) -> None:
    """Add slices ``first`` to ``stop`` of a tile's answer ``(class, slice, row, column)``.

    Parameters
    ----------
    total, mass
        Sums so far of weight times logits, ``(slice, row, column, class)``, and of weights.
    answer
        The tile's logits.
    weight
        ``(slice, row, column)`` of the tile.
    corner
        Where the tile begins in ``total``.
    """
    classes = answer.shape[0]
    for k in range(first, stop):
        for j in range(answer.shape[2]):
            row = total[corner[0] + k, corner[1] + j]
            for c in range(classes):
                for i in range(answer.shape[3]):
                    row[corner[2] + i, c] += weight[k, j, i] * answer[c, k, j, i]
            for i in range(answer.shape[3]):
                mass[corner[0] + k, corner[1] + j, corner[2] + i] += weight[k, j, i]


@kernel
def add_channels_last(
    total: Floats, mass: Floats, answer: Any, weight: Floats, corner: Any, first: int, stop: int
) -> None:
    """As `add_channels_first`, of an answer ``(slice, row, column, class)``."""
    classes = answer.shape[3]
    for k in range(first, stop):
        for j in range(answer.shape[1]):
            for i in range(answer.shape[2]):
                w = weight[k, j, i]
                target = total[corner[0] + k, corner[1] + j, corner[2] + i]
                for c in range(classes):
                    target[c] += w * answer[k, j, i, c]
                mass[corner[0] + k, corner[1] + j, corner[2] + i] += w


@kernel
def settled(
    total: Floats, mass: Floats, classes: int, sigmoid: bool, code: NDArray[np.uint8]
) -> None:
    """Turn sums into logits, in place, and note what each sample is.

    Parameters
    ----------
    total, mass
        As `add_channels_first` left them. Where no tile was, the background gets logit 1 and all
        else 0, or -1 each with sigmoid.
    classes
        Channels that are classes; further ones are only divided.
    sigmoid
        Whether classes are regions, of which several may hold.
    code
        ``(slice, row, column)``, filled: the class with the largest logit, at a tie the first; with
        sigmoid a bit for each region whose logit is above 0.
    """
    for k in range(total.shape[0]):
        for j in range(total.shape[1]):
            for i in range(total.shape[2]):
                logits = total[k, j, i]
                m = mass[k, j, i]
                if m == 0.0:
                    for c in range(classes):
                        logits[c] = -1.0 if sigmoid else 0.0
                    if not sigmoid:
                        logits[0] = 1.0
                    code[k, j, i] = 0
                    continue
                share = np.float32(1.0) / m
                for c in range(total.shape[3]):
                    logits[c] *= share
                found = 0
                if sigmoid:
                    for c in range(classes):
                        if logits[c] > 0.0:
                            found |= 1 << c
                else:
                    for c in range(1, classes):
                        if logits[c] > logits[found]:
                            found = c
                code[k, j, i] = found


@kernel
def measured(
    logits: Floats,
    labels: NDArray[np.uint8],
    counted: NDArray[np.bool_],
    classes: int,
    sigmoid: bool,
    first: int,
    stop: int,
    sums: NDArray[np.float64],
) -> None:
    """Sum up, label by label, how sure the network was.

    Parameters
    ----------
    logits
        ``(slice, row, column, class)``; a channel after the classes is the agreement of flips.
    labels
        ``(slice, row, column)``; labels of softmax are classes, of sigmoid regions, counted from 1.
    counted
        Which samples count.
    first, stop
        Slices to count; those beside them are looked at for borders.
    sums
        ``(label, 5)``, added to: samples, probability of the label, samples that have another
        label beside them, their entropy as a share of the largest there can be, agreement.
    """
    nz, ny, nx = labels.shape
    scale = 1.0 / math.log(2.0 if sigmoid else float(classes))
    for k in range(first, stop):
        for j in range(ny):
            for i in range(nx):
                label = labels[k, j, i]
                if label == 0 or not counted[k, j, i]:
                    continue
                values = logits[k, j, i]
                entropy = 0.0
                if sigmoid:
                    p = 1.0 / (1.0 + math.exp(-values[label - 1]))
                else:
                    top = values[label]
                    total = 0.0
                    for c in range(classes):
                        if values[c] - top > _NOTHING:
                            total += math.exp(values[c] - top)
                    p = 1.0 / total
                sums[label, 0] += 1.0
                sums[label, 1] += p
                if logits.shape[3] > classes:
                    sums[label, 4] += values[classes]
                edge = (
                    (k > 0 and labels[k - 1, j, i] != label)
                    or (k < nz - 1 and labels[k + 1, j, i] != label)
                    or (j > 0 and labels[k, j - 1, i] != label)
                    or (j < ny - 1 and labels[k, j + 1, i] != label)
                    or (i > 0 and labels[k, j, i - 1] != label)
                    or (i < nx - 1 and labels[k, j, i + 1] != label)
                )
                if not edge:
                    continue
                if sigmoid:
                    for q in (p, 1.0 - p):
                        if q > 0.0:
                            entropy -= q * math.log(q)
                else:
                    for c in range(classes):
                        d = values[c] - values[label]
                        if d > _NOTHING:
                            entropy -= math.exp(d) * p * (d + math.log(p))
                sums[label, 2] += 1.0
                sums[label, 3] += entropy * scale
