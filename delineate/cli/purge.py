"""``delineate purge``: make room."""

from __future__ import annotations

from typing import Annotated

import typer

from delineate.cli.screen import output
from delineate.cli.serve import Config, Data, Database, service_room

__all__ = ["purge"]


def purge(
    days: Annotated[
        float | None,
        typer.Option(min=0, help="Remove what was not used for so long; as configured without."),
    ] = None,
    pretend: Annotated[bool, typer.Option(help="Count only.")] = False,
    data: Data = None,
    database: Database = None,
    storage: Annotated[str | None, typer.Option(help="As for 'delineate serve'.")] = None,
    config: Config = None,
) -> None:
    """Remove results and images that were not used for long and that no open job needs.

    May run beside the service. Copies of what the storage has go where there are too many.
    """
    jobs = service_room()
    settings = jobs.Settings.load(config, data=data, database=database, storage=storage)
    from delineate.jobs import engine
    from delineate.jobs.retention import Retention
    from delineate.jobs.store import Store

    found = engine.prepare(settings)
    purged = Retention(settings, found, Store(settings)).purge(days, pretend=pretend)
    found.dispose()
    verb = "would remove" if pretend else "removed"
    output.print(
        f"{verb} {purged.jobs} jobs with their results, {purged.images} images, "
        f"{purged.orphans} remains, {purged.copies} copies",
        highlight=False,
    )
