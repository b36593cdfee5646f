"""Logs that cannot hold patient data: only the keys listed here get through."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import MutableMapping
from typing import Any

import structlog

__all__ = ["configure", "log"]

# Ids that we made, numbers, and names of our own classes, routes and processes. No file names, no
# text of exceptions, nothing that a request or a file brought along.
_KEYS = frozenset(
    {
        *("event", "level", "timestamp", "process", "pid", "worker", "url"),
        *("job", "image", "detector", "state", "attempt", "error", "where"),
        *("images", "jobs", "orphans", "copies"),
        *("method", "route", "status", "seconds", "files", "bytes", "code", "request"),
    }
)

log = structlog.get_logger("delineate")


def configure(process: str, quiet: bool = False) -> None:
    """Write JSON lines to stderr, and nothing else: what libraries say may quote a file.

    Parameters
    ----------
    process
        Name of this process, in every line.
    quiet
        Leave out what is neither a warning nor an error.
    """
    warnings.simplefilter("ignore")
    logging.lastResort = None
    logging.getLogger().handlers[:] = [logging.NullHandler()]
    structlog.configure(
        processors=[
            lambda _logger, _method, event: {"process": process, **event},
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _allowed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.WARNING if quiet else logging.INFO
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _allowed(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key in _KEYS}
