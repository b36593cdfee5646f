"""Small servers for tests: an application in a thread, on a port of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp


class _Quiet(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """A thread has none."""


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve an application; its address."""
    server = _Quiet(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


def card_file(folder: Path, **said: Any) -> Path:
    """A card as somebody writes it by hand."""
    document = {"schema": "delineate/card/1", "id": "test.remote", "title": "Elsewhere", **said}
    path = folder / "remote.json"
    path.write_text(json.dumps(document))
    return path
