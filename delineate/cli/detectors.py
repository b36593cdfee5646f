"""``delineate detectors``: what is installed."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from delineate.cli.remote import KeyFile, Server, connected
from delineate.cli.screen import errors, output
from delineate.plugins import registry

__all__ = ["detectors"]


def detectors(
    as_json: Annotated[bool, typer.Option("--json", help="Everything, for machines.")] = False,
    server: Server = None,
    key_file: KeyFile = None,
) -> None:
    """List the installed detectors, here or on a service."""
    problems: list[str] = []
    if server is not None:
        with connected(server, key_file) as service:
            described = service.detectors()
    else:
        found = registry.installed()
        described = [registry.describe(spec) for spec in found.specs]
        problems = [str(problem) for problem in found.problems]
    if as_json:
        output.print_json(json.dumps(described))
    else:
        table = Table("id", "title", "reads", "gives", "options")
        for one in described:
            reads = " ".join(one["wants"]["modalities"]) or "any"
            options = ", ".join(one["options_schema"].get("properties", {}))
            table.add_row(one["id"], one["title"], reads, one["gives"], options)
        output.print(table)
    for problem in problems:
        errors.print(problem, markup=False, style="yellow")
