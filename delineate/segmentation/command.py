"""The commands ``delineate train`` and ``delineate train-organs``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from delineate.errors import OptionError

__all__ = ["train", "train_organs"]

Number = TypeVar("Number", int, float)


def train(
    data: Annotated[
        Path, typer.Argument(help="Folder of images and labels: plain, MSD or nnU-Net.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the run; a run that is there goes on.")],
    labels: Annotated[
        str | None, typer.Option(help='Names of the numbers in the labels: "1=liver,2=spleen".')
    ] = None,
    base: Annotated[
        Path | None, typer.Option("--from", help="Model folder whose weights to begin with.")
    ] = None,
    dimensions: Annotated[
        int | None, typer.Option(min=2, max=3, help="2: single slices. [by the images]")
    ] = None,
    spacing_mm: Annotated[
        str | None, typer.Option(help='Steps to work at: "1.5" or "3,1,1". [median]')
    ] = None,
    patch: Annotated[str | None, typer.Option(help='Samples seen at once: "64,64,64".')] = None,
    network: Annotated[str | None, typer.Option(help="UNet, DynUNet or SegResNet. [UNet]")] = None,
    channels: Annotated[
        str | None, typer.Option(help='Width of each level: "16,32,64,128".')
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(help='Axes to flip: none, all, or some of "slices,rows,columns".'),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of training. [5000]")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Patches a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0, help="[0.002]")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Decides all that is drawn. [1]")] = None,
    validation: Annotated[
        float | None, typer.Option(min=0, max=0.9, help="Share of the cases kept back. [0.2]")
    ] = None,
    validation_folder: Annotated[
        Path | None, typer.Option(help="Cases to measure on, instead of a share.")
    ] = None,
    validate_every: Annotated[
        int | None, typer.Option(min=0, help="Steps between measurements. [at the end alone]")
    ] = None,
    modality: Annotated[str | None, typer.Option(help="Of the model. [of the images]")] = None,
    name: Annotated[str | None, typer.Option(help="Of the model. [that of OUT]")] = None,
    licence: Annotated[str | None, typer.Option(help="Of the weights, for the card.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw patches.")] = 1,
) -> None:
    """Train a model on labelled images; started again with the same folder, a run goes on."""
    from rich.progress import Progress

    from delineate.segmentation.training.layouts import label_names
    from delineate.segmentation.training.plan import Options
    from delineate.segmentation.training.run import gathered, train_model

    if out.resolve() == data.resolve() or data.resolve() in out.resolve().parents:
        raise OptionError(f"{out} lies in the data {data}; name a folder elsewhere for the run")
    found = gathered(data, None if labels is None else label_names(labels), validation_folder)
    options = Options(
        dimensions=dimensions,
        spacing_mm=_numbers(spacing_mm, float),
        patch=_numbers(patch, int),
        network=network,
        channels=_numbers(channels, int),
        mirror=mirror,
        steps=steps,
        batch=batch,
        learning_rate=learning_rate,
        seed=seed,
        validation=validation,
        validate_every=validate_every,
        modality=modality,
        name=name,
        licence=licence,
        base=None if base is None else str(base.resolve()),
    )
    with Progress() as bar:
        model = train_model(found, out, options, workers=workers, device=device, progress=bar)
    measured = model.metrics["validation"]
    mean = f"mean Dice {measured['mean']}" if measured["cases"] else "no case was kept back"
    typer.echo(f"{model.folder}: {mean} ({measured['cases']} cases of validation)")


def _numbers(text: str | None, kind: Callable[[str], Number]) -> tuple[Number, ...] | None:
    if text is None:
        return None
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"expected numbers such as 64,64,64, got {text!r}") from error


def train_organs(
    out: Annotated[Path, typer.Argument(help="Folder of the run: checkpoint, log and models.")],
    seconds: Annotated[float, typer.Option(min=1, help="Time to learn in.")] = 7200.0,
    phantoms: Annotated[int, typer.Option(min=1, help="Bodies to paint.")] = 400,
    pool: Annotated[Path | None, typer.Option(help="Folder of painted bodies. [OUT/pool]")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder with labelled CTs: NPZ, abdomen_3mm, chest_cip.")
    ] = None,
    painters: Annotated[int, typer.Option(min=0, help="Processes that paint bodies.")] = 1,
    batch: Annotated[int | None, typer.Option(min=1, help="Patches a step.")] = None,
    start: Annotated[Path | None, typer.Option("--from", help="Organ model to begin with.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train the organ model by the clock; started again with the same folder, a run goes on."""
    import torch

    from delineate.segmentation.training.organ_run import train_organs as run
    from delineate.segmentation.training.organs import Plan

    card = device != "cpu" and torch.cuda.is_available()
    run(
        out,
        Plan.of(seconds, with_real=data is not None, on_a_card=card, batch=batch),
        pool=pool or out / "pool",
        phantoms=phantoms,
        data=data,
        painters=painters,
        device=device,
        start=start,
        report=typer.echo,
    )
