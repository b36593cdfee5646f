"""``delineate keys`` and ``delineate audit``: who may use a service, and who did what with it."""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from delineate.cli.screen import errors, output
from delineate.cli.serve import Config, Data, Database, service_room
from delineate.errors import OptionError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from delineate.jobs.audit import Head

__all__ = ["audit", "keys"]

keys = typer.Typer(help="API keys of a service.", no_args_is_help=True)

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@keys.command()
def add(
    name: Annotated[str, typer.Argument(help="What the audit calls its holder.")],
    tenant: Annotated[str, typer.Option(help="Whose images and jobs it opens.")] = "local",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, upload, run, delete, identify or admin; the first three without."),
    ] = None,
    expires: Annotated[str | None, typer.Option(help="After how long: 12h, 90d, 52w.")] = None,
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """Make a key and print it: this once, since only its hash is kept."""
    lifetime = None if expires is None else _lifetime(expires)
    with _opened(data, database, config) as found:
        from delineate.jobs.keys import KeyRing

        key, secret = KeyRing(found).add(name, tenant, scope or ["read", "upload", "run"], lifetime)
        _note(found, f"keys add {key.name}", tenant)
    errors.print(
        f"key {key.name} of tenant {key.tenant}: {', '.join(sorted(key.scopes))}, "
        f"{f'until {key.expires}' if key.expires else 'without end'}. It is shown only now:",
        highlight=False,
    )
    output.print(secret, highlight=False, soft_wrap=True)
    errors.print(
        "A service that runs without keys asks for them from its next start on.", style="dim"
    )


@keys.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """Name all keys there ever were, with what they open and when they were last used."""
    with _opened(data, database, config) as found:
        from delineate.jobs.keys import KeyRing

        known = KeyRing(found).all()
    columns = ("name", "tenant", "scopes", "state", "created", "expires", "used")
    rows = [
        {name: getattr(key, name) for name in columns} | {"scopes": sorted(key.scopes)}
        for key in known
    ]
    if as_json:
        output.print(json.dumps(rows, indent=2), highlight=False, soft_wrap=True)
        return
    table = Table(*columns)
    for row in rows:
        shown = {**row, "scopes": " ".join(row["scopes"])}
        table.add_row(*(str(shown[name] or "-") for name in columns))
    output.print(table)


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Of the key.")],
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """Make a key worth nothing, at once, and the sessions that were opened with it."""
    with _opened(data, database, config) as found:
        from delineate.jobs.keys import KeyRing

        key = KeyRing(found).revoke(name)
        _note(found, f"keys revoke {key.name}", key.tenant)
    output.print(f"key {key.name} was revoked {key.revoked}", highlight=False)


def audit(
    tenant: Annotated[str | None, typer.Option(help="Of this tenant only.")] = None,
    last: Annotated[int, typer.Option(help="So many entries.", min=1)] = 100,
    verify: Annotated[bool, typer.Option(help="Check that none was changed or removed.")] = False,
    head: Annotated[
        str | None, typer.Option(help="With --verify: NUMBER:DIGEST that was noted before.")
    ] = None,
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """Print who did what, an entry a line as JSON; or check the chain of entries."""
    with _opened(data, database, config) as found:
        from dataclasses import asdict

        from delineate.jobs.audit import AuditTrail

        trail = AuditTrail(found)
        if verify:
            output.print(
                str(trail.verify(None if head is None else _head(head))),
                highlight=False,
                soft_wrap=True,
            )
            return
        for entry in trail.entries(tenant=tenant, last=last):
            output.print(json.dumps(asdict(entry)), highlight=False, soft_wrap=True, markup=False)


def _head(told: str) -> Head:
    from delineate.jobs.audit import Head

    if not re.fullmatch(r"\d+:[0-9a-f]{64}", told):
        raise OptionError(f"expected NUMBER:DIGEST as --verify prints it, got {told[:100]!r}")
    number, _, digest = told.partition(":")
    return Head(int(number), digest)


def _lifetime(told: str) -> timedelta:
    if not (found := re.fullmatch(r"([1-9]\d{0,4})([hdw])", told)):
        raise OptionError(f"expected a time such as 12h, 90d or 52w, got {told[:20]!r}")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@contextmanager
def _opened(data: Path | None, database: str | None, config: Path | None) -> Iterator[sa.Engine]:
    """The database of a service, with its tables."""
    settings = service_room().Settings.load(config, data=data, database=database)
    from delineate.jobs import engine

    found = engine.prepare(settings)
    try:
        yield found
    finally:
        found.dispose()


def _note(database: sa.Engine, action: str, tenant: str) -> None:
    from delineate.jobs.audit import AuditTrail, Deed

    AuditTrail(database).add(
        [Deed(who=f"user {getpass.getuser()}"[:64], tenant=tenant, action=action)]
    )
