"""The command ``delineate train-points``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delineate.errors import OptionError

__all__ = ["train_points"]


def train_points(
    data: Annotated[Path, typer.Argument(help="Folder of pictures with points.csv.")],
    out: Annotated[Path, typer.Argument(help="Folder of the run; a run that is there goes on.")],
    base: Annotated[
        Path | None, typer.Option("--from", help="Model folder whose weights to begin with.")
    ] = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="Pictures without a point have nothing on them.")
    ] = False,
    size_px: Annotated[
        float | None,
        typer.Option(min=2, help="How long the things are. [half of them lie closer, 8 to 24]"),
    ] = None,
    within_px: Annotated[
        float | None, typer.Option(min=1, help="How far off a hit may be. [the size]")
    ] = None,
    zoom: Annotated[
        float, typer.Option(min=1, help="Things may be so many times larger or smaller.")
    ] = 1.25,
    levels: Annotated[
        int, typer.Option(min=1, max=4, help="Look also at a half, a quarter ... of the size.")
    ] = 1,
    folds: Annotated[int, typer.Option(min=0, help="Cross-validate with so many folds.")] = 0,
    validation: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the pictures kept back; not with folds.")
    ] = 0.2,
    traps: Annotated[int, typer.Option(min=0, help="Learn from generated traps as well.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Steps of training, each round.")] = 3000,
    rounds: Annotated[
        int,
        typer.Option(
            min=1, max=9, help="Learn again from points moved to where the network sees things."
        ),
    ] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Patches a step.")] = 12,
    patch: Annotated[int, typer.Option(min=32, help="Rows and columns of a patch.")] = 96,
    channels: Annotated[
        str, typer.Option(help="Width of each level of the network.")
    ] = "32,64,96,128",
    learning_rate: Annotated[float, typer.Option(min=0)] = 2e-3,
    seed: Annotated[int, typer.Option(min=0, help="Decides all that is drawn.")] = 1,
    name: Annotated[str | None, typer.Option(help="Of the model. [that of OUT]")] = None,
    title: Annotated[str, typer.Option(help="Of the detector, for people.")] = "",
    licence: Annotated[str, typer.Option(help="Of the weights, for the card.")] = "not stated",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw patches.")] = 1,
    parallel: Annotated[int, typer.Option(min=1, help="Folds that are trained at once.")] = 1,
) -> None:
    """Train a model that counts, on pictures with a point on each thing."""
    from rich.progress import Progress

    from delineate.detectors.counting.plan import Options
    from delineate.detectors.counting.training import train_points as run

    if out.resolve() == data.resolve() or data.resolve() in out.resolve().parents:
        raise OptionError(f"{out} lies in the data {data}; name a folder elsewhere for the run")
    options = Options(
        steps=steps,
        rounds=rounds,
        batch=batch,
        learning_rate=learning_rate,
        seed=seed,
        side=patch,
        channels=_widths(channels),
        zoom=zoom,
        levels=levels,
        size_px=size_px,
        within_px=within_px,
        validation=validation,
        folds=folds,
        traps=traps,
        base=None if base is None else str(base),
        name=name or out.resolve().name.lower().replace("_", "-").replace(" ", "-"),
        title=title,
        licence=licence,
    )
    with Progress() as bar:
        task = bar.add_task("reading", total=None)

        def report(what: str, done: int) -> None:
            total = traps if what == "making traps" else steps
            bar.update(task, description=what, completed=done, total=total)

        model = run(
            data,
            out,
            options,
            empty=empty,
            workers=workers,
            parallel=parallel,
            device=device,
            report=report,
        )
    measured = model.metrics["validation"]
    if not measured["pictures"]:
        typer.echo(f"{model.folder}: no picture was kept back, nothing was measured")
        return
    typer.echo(
        f"{model.folder}: F1 {measured['f1']} within {model.metrics['within_px']} px, count error "
        f"{measured['count_error']}, on {measured['pictures']} pictures"
    )


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"expected widths such as 16,32,64, got {text!r}") from error
