"""Measure a network on cases kept back: Dice of each structure, over whole cases."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from delineate.segmentation.model import Model
from delineate.segmentation.tiles import tile_starts, tile_weights
from delineate.segmentation.training.organ_cases import IGNORED
from delineate.segmentation.training.precision import Precision
from delineate.segmentation.training.samples import Sample
from delineate.segmentation.wrappers import Slicewise

__all__ = ["COLUMNS", "Scores", "dice", "predicted", "summary", "validate"]

COLUMNS = ("step", "case", "structure", "dice")

Scores = list[dict[str, float | None]]
"""For each case the Dice of each structure; ``None`` where it is neither drawn nor found."""


def validate(
    network: nn.Module,
    model: Model,
    samples: Sequence[Sample],
    precision: Precision,
    table: Path,
    step: int,
) -> Scores:
    """Measure a network on prepared cases, and add the numbers to a table.

    Parameters
    ----------
    network
        The bare one, on ``precision.device``.
    model
        Says how it is tiled, and what its labels are.
    samples
        The cases kept back.
    precision
        Where and how to compute.
    table
        CSV with `COLUMNS`; cases are numbered from 1.
    step
        At which the network was.
    """
    scores: Scores = []
    for sample in samples:
        found = predicted(network, sample.inputs, model, precision)
        drawn = np.asarray(sample.labels)
        scores.append(
            {
                each.category.name: dice(drawn, found, label)
                for label, each in enumerate(model.structures, start=1)
            }
        )
    with table.open("a", newline="") as stream:
        writer = csv.writer(stream)
        for number, score in enumerate(scores, start=1):
            for name, value in score.items():
                writer.writerow([step, number, name, "" if value is None else f"{value:.5f}"])
    return scores


def predicted(
    network: nn.Module, inputs: NDArray[Any], model: Model, precision: Precision
) -> NDArray[np.uint8]:
    """Labels of a prepared case, layer of tiles by layer.

    Parameters
    ----------
    network
        In evaluation mode.
    inputs
        ``(channel, slice, row, column)``, normalised.
    model
        Says how tiles are placed and weighed.
    precision
        Where and how to compute.
    """
    tile, shape = model.tiles.shape, inputs.shape[1:]
    missing = [max(0, t - n) for t, n in zip(tile, shape, strict=True)]
    before = [m // 2 for m in missing]
    if any(missing):
        around = [(b, m - b) for b, m in zip(before, missing, strict=True)]
        how: Any = "edge" if model.tiles.padding == "edge" else "constant"
        inputs = np.pad(inputs, [(0, 0), *around], mode=how)
    starts = [
        tile_starts(n, t, model.tiles.overlap, model.tiles.placement)
        for n, t in zip(inputs.shape[1:], tile, strict=True)
    ]
    weight = torch.from_numpy(tile_weights(tile, model.tiles.weight)).to(precision.device)
    step = Slicewise(network) if model.dimensions == 2 else network
    rows, columns = inputs.shape[2:]
    open_layer = torch.zeros((model.classes, tile[0], rows, columns), device=precision.device)
    labels = np.empty(inputs.shape[1:], np.uint8)
    for start, following in zip(starts[0], [*starts[0][1:], inputs.shape[1]], strict=True):
        for row in starts[1]:
            for column in starts[2]:
                box = (slice(row, row + tile[1]), slice(column, column + tile[2]))
                part = inputs[(slice(None), slice(start, start + tile[0]), *box)]
                ready = torch.from_numpy(part.astype(np.float32))[None].to(precision.device)
                with torch.inference_mode(), precision.autocast():
                    logits = step(ready)[0]
                open_layer[(slice(None), slice(None), *box)] += logits.float() * weight
        done = following - start
        labels[start:following] = open_layer[:, :done].argmax(0).cpu().numpy()
        open_layer = torch.roll(open_layer, -done, dims=1)
        open_layer[:, tile[0] - done :] = 0
    inside = tuple(slice(b, b + n) for b, n in zip(before, shape, strict=True))
    return labels[inside]


def dice(drawn: NDArray[np.uint8], found: NDArray[np.uint8], label: int) -> float | None:
    """``2 |A and B| / (|A| + |B|)`` where labels are known; ``None`` if both are empty."""
    seen = drawn != IGNORED
    first, second = (drawn == label), (found == label) & seen
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    return 2 * int(np.count_nonzero(first & second)) / total if total else None


def summary(scores: Scores) -> dict[str, Any]:
    """Mean Dice of each structure over the cases that have one, for people and `model.json`."""
    if not scores:
        return {"cases": 0}
    structures = {}
    for name in scores[0]:
        values = [value for score in scores if (value := score[name]) is not None]
        mean = round(float(np.mean(values)), 4) if values else None
        structures[name] = {
            "mean": mean,
            "lowest": round(min(values), 4) if values else None,
            "cases": len(values),
        }
    means = [each["mean"] for each in structures.values() if each["mean"] is not None]
    return {
        "cases": len(scores),
        "mean": round(float(np.mean(means)), 4) if means else None,
        "dice": structures,
    }
