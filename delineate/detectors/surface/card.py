"""The model card of a model that learned from good pictures."""

from __future__ import annotations

from delineate.segmentation.model import Model
from delineate.segmentation.training.card import opening

__all__ = ["good_card"]


def good_card(model: Model) -> str:
    """Write the card as Markdown; it names no picture."""
    settings, training = model.settings, model.training
    count, rate = training["pictures"], settings["false_alarms"]
    scores = ", ".join(f"{score:g}" for score in training["highest_scores_kept_back"])
    arguments = ", ".join(f"{key} {value}" for key, value in model.arguments.items())
    rows = [
        (
            "Input",
            f"photographs, {len(model.inputs)} channel(s), of what was learned from, by the same "
            "camera, at the same size",
        ),
        (
            "Output",
            "a score for each sample: how far its texture is from the nearest one of good pictures",
        ),
        ("Network", f"`{model.network}` ({arguments}); nothing is pretrained"),
        ("Threshold", f"{settings['threshold']:g}"),
    ]
    lines = [
        *opening(model, rows),
        "## What it learned from",
        "",
        f"{count} pictures, {training['samples']:,} samples.",
        "",
        "## How well it does",
        "",
        f"Each picture was scored once by a model that had not seen it; highest scores: {scores}. "
        f"The threshold lies where a new good picture shows something about {rate:.0%} of the time "
        f"({training['asked_false_alarms']:.0%} were asked for; {count} pictures bear out no less "
        f"than 1 in {count + 1}). That holds for pictures of the same size, light and make alone.",
        "",
        "**How many defects it finds is not known**: no defect was shown to it. Try it on some.",
    ]
    return "\n".join(lines) + "\n"
