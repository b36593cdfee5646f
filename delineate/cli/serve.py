"""``delineate serve``: the service and its page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.screen import output
from delineate.errors import MissingExtraError

__all__ = ["serve"]


def serve(
    host: Annotated[str, typer.Option(help="Address; a loopback one.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any free one.", min=0, max=65535)] = 8000,
    data: Annotated[Path, typer.Option(help="Folder for uploads, results and the job table.")] = (
        Path("delineate-data")
    ),
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1)] = 1,
) -> None:
    """Serve REST and the page until interrupted."""
    try:
        from delineate import jobs
    except ImportError as error:
        raise MissingExtraError(
            f"the service needs a package that is missing ({error.name}); "
            "install it with: pip install 'delineate[all]'"
        ) from error

    def ready(url: str) -> None:
        output.print(f"delineate listens on {url} (stop with Ctrl-C)", highlight=False)

    jobs.serve(host=host, port=port, data=data, workers=workers, on_ready=ready)
