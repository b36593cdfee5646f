"""The API process: uvicorn on a socket that the supervisor has bound.

The socket outlives the process, so that a restart refuses no connection. The application is named
by a string: this room does not import the one above it.
"""

from __future__ import annotations

import socket
import sys

import uvicorn

from delineate.jobs.lifeline import die_with
from delineate.jobs.log import configure
from delineate.jobs.settings import Settings

__all__ = ["main"]


def main(descriptor: int, parent: int) -> None:
    """Serve until told to stop."""
    die_with(parent)
    configure("api", Settings.from_environment().quiet)
    config = uvicorn.Config(
        "delineate.api.app:create",
        factory=True,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=65536,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
