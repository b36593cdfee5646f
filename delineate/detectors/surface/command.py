"""The command ``delineate train-good``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from delineate.errors import InputError, OptionError

__all__ = ["train_good"]

_PICTURE = re.compile(r"\.(png|jpe?g|tiff?)$", re.IGNORECASE)


def train_good(
    good: Annotated[Path, typer.Argument(help="Folder of pictures with nothing wrong on them.")],
    out: Annotated[Path, typer.Argument(help="Folder of the model; must be new or empty.")],
    false_alarms: Annotated[
        float,
        typer.Option(min=0.001, max=0.9, help="Share of good pictures that may show something."),
    ] = 0.1,
    levels: Annotated[
        int, typer.Option(min=1, max=6, help="Sizes of texture that are looked at, each doubled.")
    ] = 4,
    kept: Annotated[int, typer.Option(min=10, help="Textures that are remembered.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Decides what is looked at.")] = 1,
    name: Annotated[str | None, typer.Option(help="Of the model. [that of OUT]")] = None,
    title: Annotated[str, typer.Option(help="Of the model.")] = "Unlike good pictures",
    licence: Annotated[str, typer.Option(help="Of the model, for the card.")] = "not stated",
) -> None:
    """Learn from a few good pictures what is normal; the model marks what is unlike them."""
    from rich.progress import Progress

    from delineate import formats
    from delineate.detectors.surface.card import good_card
    from delineate.detectors.surface.learning import Plan, learn_good

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OptionError(f"expected a new or empty folder, {out} holds something; name another")
    if not good.is_dir():
        raise InputError(f"expected a folder of good pictures, there is none at {good}")
    paths = sorted(path for path in good.iterdir() if _PICTURE.search(path.name))
    plan = Plan(
        name=name or re.sub(r"[^a-z0-9]+", "-", out.resolve().name.lower()).strip("-") or "good",
        title=title,
        licence=licence,
        false_alarms=false_alarms,
        levels=levels,
        kept=kept,
        seed=seed,
    )
    with Progress() as bar:
        task = bar.add_task("learning", total=1.0)
        pictures = [formats.read(path) for path in paths]
        model = learn_good(pictures, out, plan, lambda done: bar.update(task, completed=done))
    (out / "README.md").write_text(good_card(model), "utf-8")
    settings = model.settings
    typer.echo(
        f"{out}: threshold {settings['threshold']:g}; of good pictures about "
        f"{settings['false_alarms']:.0%} show something. Add it with: delineate models add {out}"
    )
