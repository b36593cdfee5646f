"""The API process: uvicorn on a socket that the supervisor has bound.

The socket outlives the process, so that a restart refuses no connection. The application is named
by a string: this room does not import the one above it.
"""

from __future__ import annotations

import socket
import sys
from types import FrameType

import uvicorn

from delineate.jobs.lifeline import die_with, stopping
from delineate.jobs.log import configure
from delineate.jobs.settings import Settings

__all__ = ["main"]

_DRAIN_SECONDS = 15


class _Server(uvicorn.Server):
    """Tells streams that would go on for long that it is about to stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """See `uvicorn.Server`."""
        stopping.set()
        super().handle_exit(sig, frame)


def main(descriptor: int, parent: int) -> None:
    """Serve until told to stop; calls that are being answered then are answered to their end.

    Those that take longer than some seconds are cut off: an upload is sent again, or goes on.
    """
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
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        h11_max_incomplete_event_size=65536,
    )
    _Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
