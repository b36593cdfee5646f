"""``delineate detectors``: what is installed."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from delineate.cli.screen import errors, output
from delineate.plugins import registry

__all__ = ["detectors"]


def detectors(
    as_json: Annotated[bool, typer.Option("--json", help="Everything, for machines.")] = False,
) -> None:
    """List the installed detectors."""
    found = registry.installed()
    if as_json:
        described = [registry.describe(spec) for spec in found.specs]
        output.print_json(json.dumps(described))
    else:
        table = Table("id", "title", "reads", "gives", "options")
        for spec in found.specs:
            fields = ", ".join(spec.options.model_fields)
            table.add_row(
                spec.id, spec.title, " ".join(spec.wants.modalities) or "any", spec.gives, fields
            )
        output.print(table)
    for problem in found.problems:
        errors.print(str(problem), markup=False, style="yellow")
