"""F1 and count error of `pests.count`: by cross-validation, on new generated traps, on the bees.

``python benchmarks/counting.py`` scores the models that ship, by the public road with its tiles
and its choice between them, and repeats what was measured on pictures kept back when they were
trained. ``--train RUN`` trains the folds and the model of scenes anew (`delineate train-points`,
with the options of the one that ships, beginning with the one of cards) and reports those; an hour
on a processor, minutes on a graphics card. The bees lie in ``../shared/data``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from measure import report
from numpy.typing import NDArray

from delineate import Image, delineate, formats
from delineate.detectors.counting.calibrate import scores
from delineate.detectors.counting.matching import Tally, matched
from delineate.detectors.counting.pests import MODELS
from delineate.detectors.counting.pictures import read_folder
from delineate.detectors.counting.plan import Options
from delineate.detectors.counting.training import train_points
from delineate.phantom.trap_cards import CARDS
from delineate.phantom.traps import trap
from delineate.segmentation.model import Model
from delineate.segmentation.model_file import read_model

BEES = Path(__file__).resolve().parents[2] / "shared" / "data" / "counting" / "bees"
WITHIN_PX = 20.0
FIRST_SEED = 2_000_000  # training takes seeds from 0, validation from 1 000 000 on
TOLD = ("f1", "f1_interval", "precision", "recall", "count_error", "total_error")


def tally(image: Image, there: NDArray[np.float64], within: float) -> Tally:
    """Hits of one picture; ``there`` is ``(n, 2)``, row and column."""
    found = delineate(image, "pests.count").findings
    points = np.array([each.point for each in found]).reshape(-1, 3)[:, 1::-1]
    hits = len(matched(points, there, within))
    return Tally(hits, len(points) - hits, len(there) - hits)


def on_traps(card: str) -> Iterable[Tally]:
    """Eight traps of each colour, insects of 8 to 60 pixels; a hit within half a length."""
    for number, length in enumerate(np.geomspace(8, 60, 8)):
        made = trap(
            FIRST_SEED + number, (512, 512), background=card, length_px=float(length), count=25
        )
        yield tally(made.image, made.points[:, 1:], max(6.0, float(length) / 2))


def on_bees() -> Iterable[Tally]:
    """All pictures of bees; the model that ships has learned from them."""
    for picture in read_folder(BEES)[0]:
        yield tally(formats.read(BEES / picture.name), picture.points, WITHIN_PX)


def trained(run: Path, workers: int, parallel: int) -> Model:
    """Train as the model of scenes was."""
    stored = read_model(MODELS["scene"]).training["options"]
    options = Options(**stored | {"base": str(MODELS["card"])})
    return train_points(BEES, run, options, workers=workers, parallel=parallel)


def main() -> None:
    """Score and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=1)
    asked = parser.parse_args()
    figures: dict[str, Any] = {}
    if asked.train is not None:
        models = {"scene": trained(asked.train, asked.workers, asked.parallel)}
    else:
        models = {surface: read_model(folder) for surface, folder in MODELS.items()}
        for card in CARDS:
            told = scores(list(on_traps(card)))
            figures |= {f"new traps, {card}: {key}": told[key] for key in ("f1", "count_error")}
        if BEES.is_dir():
            told = scores(list(on_bees()))
            figures |= {f"bees (training data): {key}": told[key] for key in TOLD}
    for surface, model in models.items():
        told = model.metrics["validation"]
        figures |= {f"{surface}, kept back: {key}": told[key] for key in TOLD}
        figures[f"{surface}, weights"] = model.weights[0].sha256[:12]
    report("counting", figures, {})


if __name__ == "__main__":
    main()
