"""Train, calibrate and measure: ``python -m delineate_classify.train``.

Writes ``weights.safetensors`` and ``card.json`` into the package and prints the tables of the
README. The same machine gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from scipy.optimize import minimize

from delineate_classify.phantom import phantoms

__all__ = ["calibrated", "expected_calibration_error", "fit", "train"]

_TRAIN, _CALIBRATE, _TEST = 11, 12, 13  # seeds
_BATCH = 50
_RIGHT = 0.9  # of what is decided
_BINS = 10

Scores = NDArray[np.float64]


def fit(count: int, epochs: int) -> torch.nn.Module:
    """A network trained on so many phantoms, mirrored at random."""
    from delineate_classify.classifier import network, prepared

    torch.manual_seed(0)
    torch.set_num_threads(1)  # the order of sums, and so the bytes, depend on it
    torch.use_deterministic_algorithms(True)
    pictures, truth = phantoms(count, _TRAIN)
    inputs, targets = prepared(pictures), torch.from_numpy(truth)
    model = network()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    steps = epochs * -(-count // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(epochs):
        for batch in torch.randperm(count).split(_BATCH):
            part = inputs[batch]
            mirrored = torch.rand(len(batch)) < 0.5
            part = torch.where(mirrored[:, None, None, None], part.flip(-1), part)
            logits = model(part)[:, 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def _logits(model: torch.nn.Module, pictures: NDArray[np.uint8]) -> Scores:
    from delineate_classify.classifier import prepared

    with torch.inference_mode():
        parts = [model(part)[:, 0] for part in prepared(pictures).split(200)]
    return torch.cat(parts).double().numpy()


def calibrated(logits: Scores, slope: float, offset: float) -> Scores:
    """Probabilities of malignant (Platt, 1999)."""
    return np.asarray(1 / (1 + np.exp(-(slope * logits + offset))))


def _platt(logits: Scores, truth: NDArray[np.float32]) -> tuple[float, float]:
    """Slope and offset of the greatest likelihood on phantoms that were not trained on."""

    def loss(line: Scores) -> float:
        value = line[0] * logits + line[1]
        return float(np.mean(np.logaddexp(0, value) - truth * value))

    slope, offset = minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    return float(slope), float(offset)


def _band(probability: Scores, truth: NDArray[np.float32]) -> tuple[float, float]:
    """The narrowest band around 0.5 outside of which enough are right."""
    for half in np.arange(0.0, 0.5, 0.005):
        decided = np.abs(probability - 0.5) >= half
        right = (probability > 0.5) == (truth > 0.5)
        if right[decided].mean() >= _RIGHT:
            return round(0.5 - half, 3), round(0.5 + half, 3)
    raise RuntimeError(f"no band leaves {_RIGHT:.0%} right; train longer")


def _widened(values: list[float]) -> tuple[float, float]:
    """From the lowest to the highest, and a quarter of that beyond both."""
    low, high = min(values), max(values)
    margin = (high - low) / 4
    return round(low - margin, 3), round(high + margin, 3)


def reliability(probability: Scores, truth: NDArray[np.float32]) -> list[dict[str, float]]:
    """Ten bins of equal width: how many, their mean probability, their share of malignant."""
    place = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    return [
        {
            "from": number / _BINS,
            "count": int(there.sum()),
            "predicted": round(float(probability[there].mean()), 3),
            "observed": round(float(truth[there].mean()), 3),
        }
        for number in range(_BINS)
        if (there := place == number).any()
    ]


def expected_calibration_error(table: list[dict[str, float]]) -> float:
    """Mean distance of predicted and observed, weighted by count (Naeini et al., 2015)."""
    total = sum(row["count"] for row in table)
    return sum(row["count"] * abs(row["predicted"] - row["observed"]) for row in table) / total


def train(folder: Path, count: int = 6000, epochs: int = 10) -> dict[str, Any]:
    """Train, calibrate on 2000 other phantoms, measure on 4000 more; write both files."""
    from delineate_classify.classifier import speckle

    model = fit(count, epochs)
    pictures, truth = phantoms(2000, _CALIBRATE)
    logits = _logits(model, pictures)
    slope, offset = _platt(logits, truth)
    low, high = _band(calibrated(logits, slope, offset), truth)
    grains = [speckle(picture) for picture in pictures]
    content = save({name: value.contiguous() for name, value in model.state_dict().items()})

    pictures, truth = phantoms(4000, _TEST)
    logits = _logits(model, pictures)
    plain, probability = calibrated(logits, 1.0, 0.0), calibrated(logits, slope, offset)
    right = (probability > 0.5) == (truth > 0.5)
    decided = (probability <= low) | (probability >= high)
    table = reliability(probability, truth)
    before = expected_calibration_error(reliability(plain, truth))
    card = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "slope": slope,
        "offset": offset,
        "abstains": [low, high],
        "speckle": {name: _widened([one[name] for one in grains]) for name in grains[0]},
        "measured": {
            "phantoms": len(truth),
            "accuracy": round(float(right.mean()), 3),
            "decided": round(float(decided.mean()), 3),
            "accuracy_decided": round(float(right[decided].mean()), 3),
            "ece_before": round(before, 3),
            "ece": round(expected_calibration_error(table), 3),
            "reliability": table,
        },
    }
    (folder / "weights.safetensors").write_bytes(content)
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return card


def main() -> None:
    """Train into the package, or into another folder."""
    parser = argparse.ArgumentParser(description="Train the classifier on synthetic speckle.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    card = train(parser.parse_args().out)
    print(json.dumps(card, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
