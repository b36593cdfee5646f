"""``delineate doctor``: what is installed here, and what of a service is broken."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from delineate.cli.screen import output
from delineate.cli.serve import Config, Data, Database, Storage, service_room

__all__ = ["doctor"]

_COLOURS = {"ok": "green", "absent": "dim", "warning": "yellow", "broken": "bold red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = None,
    database: Database = None,
    storage: Storage = None,
    config: Config = None,
) -> None:
    """Look at what is installed, the GPU, the disk, and a service's database, keys and audit.

    Changes nothing. The exit code is 1 if something is broken.
    """
    settings = service_room().Settings.load(config, data=data, database=database, storage=storage)
    from delineate.jobs.checkup import checkup

    findings = list(checkup(settings))
    if as_json:
        told = json.dumps([asdict(one) for one in findings], indent=2)
        output.print(told, highlight=False, soft_wrap=True, markup=False)
    else:
        table = Table("part", "state", "", show_edge=False)
        for one in findings:
            colour = _COLOURS[one.state]
            table.add_row(one.part, f"[{colour}]{one.state}[/]", one.told.replace("[", r"\["))
        output.print(table)
    if any(one.state == "broken" for one in findings):
        raise typer.Exit(1)
