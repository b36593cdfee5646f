"""``delineate ohif``: the OHIF viewer on the series and results of a service."""

from __future__ import annotations

import secrets
import socket
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from delineate.cli import ohif_files
from delineate.cli.remote import KeyFile, Server, connected, key_of
from delineate.cli.screen import errors, output
from delineate.cli.serve import service_room
from delineate.errors import AccessError

__all__ = ["ohif", "serving"]


def ohif(
    server: Server = None,
    key_file: KeyFile = None,
    data: Annotated[
        Path | None, typer.Option(help="Without --server: folder of the service that is started.")
    ] = None,
    port: Annotated[int, typer.Option(help="0: any free one.", min=0, max=65535)] = 3000,
    study: Annotated[
        str | None, typer.Option(help="StudyInstanceUID to open; else the list of studies.")
    ] = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="Download the viewer, and end.")] = False,
    package: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Install the viewer from what 'npm pack' wrote, and end.", dir_okay=False
        ),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the viewer in a browser.")] = True,
) -> None:
    """Show studies in the OHIF viewer, from this machine, until interrupted.

    The viewer is not part of delineate: fetch it once with --fetch. Without --server a service is
    started. A key stays here; the browser never has it.
    """
    if fetch or package is not None:
        with errors.status(f"getting {ohif_files.PACKAGE}"):
            folder = ohif_files.install(package) if package is not None else ohif_files.fetch()
        output.print(f"the OHIF viewer is in {folder}", highlight=False, soft_wrap=True)
        return
    files = ohif_files.viewer()
    jobs = service_room()
    with ExitStack() as stack:
        key = None
        if server is None:
            settings = jobs.Settings.load(None, data=data)
            server = stack.enter_context(jobs.running(settings=settings))
        else:
            key = key_of(key_file)
            stack.enter_context(connected(server, key_file)).detectors()  # does it let us in?
        address = stack.enter_context(serving(files, server, port, key, study))
        output.print(f"OHIF shows what {server} has: {address}", highlight=False, soft_wrap=True)
        if browser:
            webbrowser.open(address)
        output.print("Stop with Ctrl-C.")
        while True:
            time.sleep(3600)


@contextmanager
def serving(
    files: Path, server: str, port: int = 0, key: str | None = None, study: str | None = None
) -> Iterator[str]:
    """Serve the viewer on this machine for the time of a block; gives the address to open.

    Parameters
    ----------
    files
        Folder of OHIF's files.
    server
        Address of the service.
    port
        To listen on; 0: any free one.
    key
        For the service, if it asks for one.
    study
        StudyInstanceUID to open.

    Raises
    ------
    AccessError
        If the key would travel for all to read.
    """
    import uvicorn

    from delineate.cli.ohif_site import site
    from delineate.client.transport import stays_secret

    if key is not None and not stays_secret(server):
        raise AccessError(
            f"the key is not sent to {server}, where everybody on the way could read it; use https"
        )
    secret = secrets.token_urlsafe(32) if key is not None else ""
    with socket.create_server(("127.0.0.1", port)) as listening:
        port = listening.getsockname()[1]
        app = site(files, server, port, key, secret)
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, args=([listening],), name="ohif")
        thread.start()
        try:
            path = f"enter/{secret}" if secret else "viewer" if study else ""
            query = f"?{urlencode({'StudyInstanceUIDs': study})}" if study else ""
            yield f"http://127.0.0.1:{port}/{path}{query}"
        finally:
            running.should_exit = True
            thread.join()
