"""The commands ``delineate train`` and ``delineate train-organs``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["train_organs"]


def train_organs(
    out: Annotated[Path, typer.Argument(help="Folder of the run: checkpoint, log and model.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 12_000,
    phantoms: Annotated[int, typer.Option(min=1, help="Phantoms to paint.")] = 220,
    pool: Annotated[Path | None, typer.Option(help="Folder of painted phantoms.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder with labelled CTs: abdomen_3mm, chest_cip.")
    ] = None,
    real_after: Annotated[int, typer.Option(min=0, help="First step with labelled CTs.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw patches.")] = 1,
) -> None:
    """Train the organ model; started again with the same folder, a run goes on."""
    from delineate.segmentation.training import organs, trainer

    organs.train_organs(
        out,
        organs.Plan(schedule=trainer.Schedule(steps=steps), real_after=real_after),
        pool=pool or out / "pool",
        phantoms=phantoms,
        data=data,
        workers=workers,
    )
