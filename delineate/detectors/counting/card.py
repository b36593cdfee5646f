"""The model card of a model that finds points."""

from __future__ import annotations

from typing import Any

from delineate.segmentation.model import Model
from delineate.segmentation.training.card import opening

__all__ = ["model_card"]


def model_card(model: Model) -> str:
    """Write the card as Markdown; it names no picture and no file of the data."""
    options, settings = model.training["options"], model.settings
    learned = model.metrics["learned"]
    rows = [
        ("Input", "photographs, red, green and blue; grey is repeated"),
        ("Output", f"a point each: {', '.join(each.category.name for each in model.structures)}"),
        ("Network", f"MONAI `{model.network}`, 2-D, channels {options['channels']}"),
        ("Things it learned from", f"about {settings['size_px']:g} px long"),
        ("Shown", f"up to {settings['zoom']:g} times larger and smaller"),
        ("Looks at", f"{settings['levels']} size(s) of a picture, each half the one before"),
        ("Least score", f"{settings['threshold']:g}"),
    ]
    made = learned["generated"]
    lines = [
        *opening(model, rows),
        "## What it learned from",
        "",
        f"{learned['pictures']} pictures of a set with {learned['points']} points"
        + (f", and {made} generated traps." if made else "."),
        "",
        f"{options['steps']} steps of {options['batch']} patches of {options['side']} x "
        f"{options['side']}, AdamW at {options['learning_rate']:g}, seed {options['seed']}.",
        "",
        "## How well it does",
        "",
        *_measured(model.metrics),
        "",
        "## What was not tried",
        "",
        "Say here where the pictures came from and what the model must not be used for.",
    ]
    return "\n".join(lines) + "\n"


def _measured(metrics: Any) -> list[str]:
    if not metrics["validation"]["pictures"]:
        return [
            "**Not measured: no picture was kept back.** Nothing is known of how well it counts "
            "on pictures it has not seen, and its counts have no interval."
        ]
    how = (
        f"{metrics['folds']} folds: each picture was counted by a network that had not seen it, "
        "with the threshold that the other folds chose"
        if metrics["folds"] > 1
        else "pictures that were kept back, and that also chose the threshold"
    )
    sets = [("photographs", metrics["validation"])]
    if "generated" in metrics:
        sets.append(("generated traps", metrics["generated"]))
    return [
        f"Photographs: {how}. A point is a hit within {metrics['within_px']:g} px of one that was "
        "set, each used once. Count error: mean over the pictures of |found - there| / there. "
        "Brackets: 95 % of bootstrap draws of the pictures.",
        "",
        "| | pictures | there | found | F1 | precision | recall | count error | total error |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_row(name, values) for name, values in sets),
    ]


def _row(name: str, values: Any) -> str:
    cells = [
        name,
        values["pictures"],
        values["there"],
        values["found"],
        _ranged(values["f1"], values["f1_interval"]),
        _plain(values["precision"]),
        _plain(values["recall"]),
        _ranged(values["count_error"], values["count_error_interval"]),
        _plain(values["total_error"]),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _ranged(value: float | None, interval: list[float] | None) -> str:
    if value is None or interval is None:
        return "-"
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
