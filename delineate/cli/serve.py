"""``delineate serve`` and ``delineate worker``: the service, its page, and more hands for it."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from delineate.cli.screen import output
from delineate.errors import MissingExtraError

__all__ = ["Config", "Data", "Database", "Storage", "serve", "service_room", "worker"]

Config = Annotated[
    Path | None, typer.Option(help="TOML file of settings.", exists=True, dir_okay=False)
]
Database = Annotated[
    str | None, typer.Option(help="postgresql://...; SQLite in the data folder without.")
]
Data = Annotated[Path | None, typer.Option(help="The service's folder.")]
Storage = Annotated[
    str | None, typer.Option(help="s3://bucket/prefix or file:///folder, for several machines.")
]
_Gpus = Annotated[int, typer.Option(help="Workers of the queue gpu, one a card.", min=0)]


def serve(
    host: Annotated[str, typer.Option(help="Address; beyond loopback only with keys.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="0: any free one.", min=0, max=65535)] = 8000,
    data: Annotated[
        Path | None, typer.Option(help="Folder for uploads, results and the job table.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Workers of the queue default.", min=0)] = 1,
    gpus: _Gpus = 0,
    config: Config = None,
    database: Database = None,
    storage: Storage = None,
    public_host: Annotated[
        list[str] | None, typer.Option(help="Name that the service is called by; may be repeated.")
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="https://... of another page that may call it; may be repeated."),
    ] = None,
    oidc: Annotated[str | None, typer.Option(help="Issuer of tokens: https://...")] = None,
    deidentify: Annotated[str | None, typer.Option(help="off or ps3.15.")] = None,
) -> None:
    """Serve REST and the page until interrupted.

    What is not said here is taken from variables such as DELINEATE_DATABASE, then from the file.
    """
    jobs = service_room()
    settings = jobs.Settings.load(
        config,
        data=data,
        database=database,
        storage=storage,
        hosts=public_host,
        origins=origin,
        oidc=oidc,
        deidentify=deidentify,
    )

    def ready(url: str) -> None:
        output.print(f"delineate listens on {url} (stop with Ctrl-C)", highlight=False)

    jobs.serve(
        host=host,
        port=port,
        workers=workers,
        gpus=jobs.cards(gpus),
        settings=settings,
        on_ready=ready,
    )


def worker(
    queue: Annotated[str, typer.Option(help="Where it takes jobs.")] = "default",
    name: Annotated[
        str | None, typer.Option(help="Unique in the cluster; made of this machine's without.")
    ] = None,
    workers: Annotated[int, typer.Option(help="How many processes.", min=1)] = 1,
    gpus: Annotated[int, typer.Option(help="One process a card instead.", min=0)] = 0,
    data: Annotated[Path | None, typer.Option(help="Folder of this machine's own.")] = None,
    config: Config = None,
    database: Database = None,
    storage: Storage = None,
) -> None:
    """Work for a service, on this machine or another, until interrupted.

    Settings are found as by 'delineate serve'.
    """
    jobs = service_room()
    settings = jobs.Settings.load(config, data=data, database=database, storage=storage)
    stem = name or re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()) + f"-{queue}"
    names = jobs.free_names(settings, stem, gpus or workers)
    output.print(f"worker {', '.join(names)} (stop with Ctrl-C)", highlight=False)
    jobs.work(settings, queue, names, jobs.cards(gpus))


def service_room() -> ModuleType:
    """The package ``delineate.jobs``, if what it needs is installed."""
    try:
        from delineate import jobs
    except ImportError as error:
        raise MissingExtraError(
            f"the service needs a package that is missing ({error.name}); "
            "install it with: pip install 'delineate[all]'"
        ) from error
    return jobs
