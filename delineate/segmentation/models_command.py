"""The commands ``delineate models ...``: which models there are, and how others come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn
from rich.table import Table

from delineate.errors import ModelError
from delineate.segmentation.model import Model

__all__ = ["models"]

models = typer.Typer(
    help="List, show, add, fetch, check and remove segmentation models.", no_args_is_help=True
)

_output = Console()
_errors = Console(stderr=True)

Name = Annotated[str, typer.Argument(help="Of an installed model, see: delineate models list.")]
AsJson = Annotated[bool, typer.Option("--json", help="Everything, for machines.")]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A value that the model leaves open; may be repeated."
    ),
]


@models.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the installed models."""
    from delineate.segmentation import store

    found = store.installed_models()
    if as_json:
        _output.print_json(json.dumps([store.described(each) for each in found]))
        return
    table = Table("name", "title", "reads", "labels", "step", "licence")
    for each in found:
        if each.model is not None:
            table.add_row(each.name, *map(_plain, _row(each.model)))
    _output.print(table)
    for each in found:
        if each.model is None:
            _errors.print(_plain(f"{each.name}: {each.problem}"), style="yellow")


def _row(model: Model) -> tuple[str, ...]:
    step = " x ".join("any" if each is None else f"{each:g}" for each in model.sampling.spacing_mm)
    return (
        model.title,
        f"{model.modality or 'any'}, {model.dimensions}-D",
        str(len(model.structures)),
        f"{step} mm",
        model.licence,
    )


@models.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show what a model declares: images, network, tiles, labels, licence, intended use."""
    from delineate.segmentation import store

    model = store.find_model(name)
    if as_json:
        found = next(each for each in store.installed_models() if each.name == name)
        _output.print_json(json.dumps(store.described(found)))
        return
    facts = Table(show_header=False, box=None)
    for key, value in _facts(model):
        facts.add_row(f"[bold]{key}[/]", _plain(value))
    _output.print(facts)
    labels = Table("label", "name", "code", "meaning")
    for number, structure in enumerate(model.structures, 1):
        code = structure.category.code
        labels.add_row(
            str(number),
            _plain(structure.category.name),
            f"{code.value} {code.scheme}" if code else "",
            code.meaning if code else "",
        )
    _output.print(labels)


def _facts(model: Model) -> list[tuple[str, str]]:
    sampling, tiles = model.sampling, model.tiles
    shape = " x ".join(map(str, tiles.shape))
    steps = ", ".join("as the image" if s is None else f"{s:g}" for s in sampling.spacing_mm)
    return [
        ("title", model.title),
        ("version", model.version),
        ("licence", model.licence),
        ("intended use", model.intended_use),
        ("source", model.source),
        ("reads", f"{model.modality or 'any modality'}, {len(model.inputs)} channels"),
        ("axes and steps", f"{sampling.orientation or 'as stored'}, {steps} mm"),
        ("network", f"{model.network}, {len(model.weights)} file(s) of weights"),
        ("tiles", f"{shape}, overlap {tiles.overlap:g}, {tiles.weight}"),
        ("may be mirrored", ", ".join(map(str, model.mirror)) or "no"),
        ("sees before", model.previous.name if model.previous else "nothing"),
        ("measured", json.dumps(dict(model.metrics)) if model.metrics else "nothing"),
        ("folder", str(model.folder)),
    ]


def _plain(text: str) -> str:
    """Text of strangers: nothing in it styles or steers the terminal."""
    return escape("".join(each if each.isprintable() else " " for each in text))


@models.command()
def estimate(
    name: Name,
    image: Annotated[list[Path], typer.Argument(help="A folder, a zip, or one or more files.")],
    backend: Annotated[str, typer.Option(help="What would run the network.")] = "auto",
) -> None:
    """Foretell the memory and the time that a model takes for an image."""
    from delineate import formats
    from delineate.segmentation import store
    from delineate.segmentation.memory import available_bytes
    from delineate.segmentation.options import ModelOptions
    from delineate.segmentation.segmenter import Segmenter

    model = store.find_model(name)
    read = formats.read(image if len(image) > 1 else image[0])
    reviewed = any(each.name == name and each.shipped for each in store.installed_models())
    options = ModelOptions.model_validate({"backend": backend})
    found = Segmenter(model).estimate(read, options, collected=reviewed)
    free = available_bytes()
    memory = f"{found.bytes / 1e6:.0f} MB of memory above the model and the image"
    _output.print(
        f"{found.tiles} tiles, {found.flop / 1e9:.0f} GFLOP, {found.seconds or 0.0:.1f} s in the "
        f"network, {memory}" + ("" if free is None else f"; {free / 1e6:.0f} MB are free"),
        soft_wrap=True,
    )


@models.command()
def add(
    path: Annotated[
        Path,
        typer.Argument(
            help="Model folder, MONAI bundle or result folder of nnU-Net v2; each also as a zip."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="To install it by. [its own]")] = None,
    values: Values = None,
) -> None:
    """Install a model from a folder or a zip; nothing in it is run."""
    from delineate.segmentation import store
    from delineate.segmentation.imports.settings import parsed

    _say_installed(store.add(path, name, parsed(values or [])))


@models.command()
def fetch(
    name: Annotated[str | None, typer.Argument(help="In the list. [show the list]")] = None,
    sources: Annotated[
        Path | None, typer.Option(help="A list of your own: addresses, sizes and hashes.")
    ] = None,
) -> None:
    """Download a listed model, check its hash and install it."""
    from delineate.segmentation import fetch as fetching

    if name is None:
        table = Table("name", "kind", "MB", "licence", "address")
        for source in fetching.read_sources(sources).values():
            size = f"{source.size / 1e6:.1f}"
            row = (source.name, source.kind, size, source.licence, source.address)
            table.add_row(*map(_plain, row))
        _output.print(table)
        return
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_errors, transient=True) as bar:
        task = bar.add_task(name, total=None)
        model = fetching.fetch(
            name, sources, lambda done, whole: bar.update(task, completed=done, total=whole)
        )
    _say_installed(model)


def _say_installed(model: Model) -> None:
    text = f"{model.name}: {len(model.structures)} labels, licence {model.licence}"
    _output.print(_plain(f"{text}, in {model.folder}"), soft_wrap=True)


@models.command()
def remove(name: Name) -> None:
    """Delete an installed model."""
    from delineate.segmentation import store

    store.remove(name)
    _output.print(_plain(f"{name} is removed"))


@models.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Models to check. [all]")] = None,
) -> None:
    """Check hashes, load the weights and run one small tile."""
    from delineate.segmentation import store

    failed = []
    for name in names or [each.name for each in store.installed_models()]:
        try:
            for each in store.check(name):
                tile = " x ".join(map(str, each.tile))
                size = f"{each.weights_bytes / 1e6:.1f} MB"
                text = f"{name}: {each.name} is whole, {size}; a tile of {tile} took"
                _output.print(_plain(f"{text} {each.seconds:.2f} s"), soft_wrap=True)
        except ModelError as error:
            failed.append(name)
            _errors.print(_plain(f"{name}: {error}"), style="yellow")
    if failed:
        raise ModelError(f"{len(failed)} of the models cannot be used: {', '.join(failed)}")
