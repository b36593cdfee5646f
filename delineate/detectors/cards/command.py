"""The commands ``delineate cards ...``: detectors without code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from delineate.detectors.cards.card import Card
from delineate.errors import DelineateError, ModelError

__all__ = ["cards"]

cards = typer.Typer(
    help="List, show, add, check and remove detectors without code.", no_args_is_help=True
)

_output = Console()
_errors = Console(stderr=True)

Name = Annotated[str, typer.Argument(help="Id of an installed card, see: delineate cards list.")]
AsJson = Annotated[bool, typer.Option("--json", help="Everything, for machines.")]


@cards.command("list")
def list_cards(as_json: AsJson = False) -> None:
    """List the installed cards."""
    from delineate.detectors.cards import store

    found = store.stored_cards()
    if as_json:
        listed = [
            {"id": each.name, "problem": each.problem, "card": _document(each.card)}
            for each in found
        ]
        _output.print_json(json.dumps(listed))
        return
    table = Table("id", "title", "gives", "runs")
    for each in found:
        if each.card is not None:
            row = (each.name, each.card.title, each.card.gives or "", _runs(each.card))
            table.add_row(*map(_plain, row))
    _output.print(table)
    for each in found:
        if each.card is None:
            _errors.print(_plain(f"{each.name}: {each.problem}"), style="yellow")


@cards.command()
def show(name: Name) -> None:
    """Show a card as it is installed: with hashes, and with what its server has told."""
    from delineate.detectors.cards import store

    found = store.find_card(name)
    if found.card is None:
        raise ModelError(found.problem)
    _output.print_json(json.dumps(_document(found.card)))


@cards.command()
def add(
    path: Annotated[
        Path, typer.Argument(help="A card (JSON), its folder, or a zip of that.", exists=True)
    ],
) -> None:
    """Install a card; its graph is run once, or its server asked once."""
    from delineate.detectors.cards import store

    found = store.add(path)
    assert found.card is not None
    text = f"{found.name}: gives {found.card.gives}, runs {_runs(found.card)}, in {found.folder}"
    _output.print(_plain(text), soft_wrap=True)
    if found.card.remote is not None:
        where = f"Images that it looks at are sent to {found.card.remote.url}"
        _errors.print(_plain(where), style="yellow", soft_wrap=True)


@cards.command()
def remove(name: Name) -> None:
    """Delete an installed card."""
    from delineate.detectors.cards import store

    store.remove(name)
    _output.print(_plain(f"{name} is removed"))


@cards.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Cards to check. [all]")] = None,
) -> None:
    """Check hashes and run the graph once, or ask the server whether it still tells the same."""
    from delineate.detectors.cards import store

    failed = []
    for name in names or [each.name for each in store.stored_cards()]:
        try:
            seconds = store.check(name)
            _output.print(_plain(f"{name} is as it was when it was added ({seconds:.1f} s)"))
        except DelineateError as error:
            failed.append(name)
            _errors.print(_plain(f"{name}: {error}"), style="yellow", soft_wrap=True)
    if failed:
        raise ModelError(f"{len(failed)} of the cards cannot be used: {', '.join(failed)}")


def _document(card: Card | None) -> object:
    return None if card is None else json.loads(card.text())


def _runs(card: Card) -> str:
    if card.onnx is not None:
        return card.onnx.file
    assert card.remote is not None
    return f"at {card.remote.url}"


def _plain(text: str) -> str:
    """Text of strangers: nothing in it styles or steers the terminal."""
    return escape("".join(each if each.isprintable() else " " for each in text))
