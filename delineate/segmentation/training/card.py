"""The model card of a run: what was learned from, how, and how well it does."""

from __future__ import annotations

from collections.abc import Sequence

from delineate.segmentation.intensity import Affine, Clip, MinMax, Step, ZScore
from delineate.segmentation.model import Model
from delineate.segmentation.training.plan import Plan

__all__ = ["model_card", "opening"]

_AXES = ("slices", "rows", "columns")


def opening(model: Model, rows: Sequence[tuple[str, str]]) -> list[str]:
    """How every card begins: title, intended use, and a table of what the model does.

    Parameters
    ----------
    model
        As it was written.
    rows
        Name and text of each line; those of weights and licence follow.

    Returns
    -------
    list of str
        Lines of Markdown, the last one empty.
    """
    weights = ", ".join(f"`{file.name}` (sha256 {file.sha256[:16]}...)" for file in model.weights)
    licence = f"{model.licence} (state the licence of the data and of these weights here)"
    table = [*rows, ("Weights", weights), ("Licence", licence)]
    return [
        f"# Model card: {model.name}",
        "",
        f"**{model.intended_use}**",
        "",
        "## What it does",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in table),
        "",
    ]


def model_card(plan: Plan, model: Model) -> str:
    """Write the card as Markdown; it names no case and no file.

    Parameters
    ----------
    plan
        Of the run.
    model
        As it was written, with what was done and measured.
    """
    names = ", ".join(each.category.name for each in model.structures)
    rows = [
        ("Input", f"{model.modality or 'any modality'}, {len(model.inputs)} channel(s)"),
        ("Output", names),
        ("Network", f"MONAI `{model.network}`, {model.dimensions}-D"),
        ("Works at", _works_at(model)),
        ("Intensities", "; ".join(_steps(steps) for _, steps in model.inputs)),
    ]
    lines = [
        *opening(model, rows),
        "## What it learned from",
        "",
        *_learned(plan, model),
        "",
        "## How well it does",
        "",
        *_measured(model),
        "",
        "![Curves of the run](curves.png)",
        "",
        "## What was not tried",
        "",
        "Say here where the images came from, whom they show, and what the model must not be used "
        "for.",
    ]
    return "\n".join(lines) + "\n"


def _works_at(model: Model) -> str:
    unit = "mm" if model.sampling.orientation else "px"
    steps = " x ".join(
        "as it comes" if step is None else f"{step:g} {unit}" for step in model.sampling.spacing_mm
    )
    size = " x ".join(map(str, model.tiles.shape))
    return f"{steps} (slice, row, column), tiles of {size}, overlap {model.tiles.overlap:g}"


def _steps(steps: tuple[Step, ...]) -> str:
    words = []
    for step in steps:
        if isinstance(step, Clip):
            words.append(f"clipped to {step.low:g} to {step.high:g}")
        elif isinstance(step, Affine):
            words.append(f"minus {step.subtract:g}, divided by {step.divide:g}")
        elif isinstance(step, ZScore):
            words.append("mean 0 and deviation 1 of each image")
        elif isinstance(step, MinMax):
            words.append(f"each image from {step.low:g} to {step.high:g}")
    return ", ".join(words)


def _learned(plan: Plan, model: Model) -> list[str]:
    schedule = plan.schedule
    axes = ", ".join(_AXES[axis] for axis in model.mirror) or "no axis"
    counts = model.training["cases_with_label"]
    lines = [
        f"{len(plan.training)} cases; {len(plan.validation)} more were kept back.",
        "",
        *(f"- {name}: in {count} cases" for name, count in counts.items()),
        "",
        f"{model.training['steps']} steps of {schedule.batch} patches, AdamW at "
        f"{schedule.learning_rate:g}, seed {schedule.seed}, cross-entropy and Dice. Patches are "
        "turned, scaled, bent, blurred, made noisy, brighter and darker, and flipped along "
        f"{axes}. What is kept is the running mean of the weights (decay {schedule.average:g}).",
    ]
    kept = model.training["began_with"]
    return [*lines, "", kept] if kept else lines


def _measured(model: Model) -> list[str]:
    validation, steps = model.metrics["validation"], model.training["steps"]
    if not validation["cases"]:
        return [
            "**Not measured: no case was kept back.** Nothing is known of how well it does on "
            "images it has not seen."
        ]
    rows = [
        f"| {name} | {_number(each['mean'])} | {_number(each['lowest'])} | {each['cases']} |"
        for name, each in validation["dice"].items()
    ]
    return [
        f"Dice on {validation['cases']} whole case(s) that were kept back, on the images' own "
        "samples. A structure that is neither drawn nor found does not count. With few cases "
        "small differences mean nothing.",
        "",
        "| structure | mean Dice | lowest | cases |",
        "|---|---|---|---|",
        *rows,
        "",
        f"Mean over the structures: {_number(validation['mean'])}, after {steps} steps.",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
