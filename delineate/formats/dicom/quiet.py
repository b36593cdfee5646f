"""Keep pydicom's remarks on odd files to ourselves."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["quiet_pydicom"]

_LOGGERS = ("pydicom", "pydicom.pixels.decoders.base", "pydicom.pixels.utils")
_quiet: ContextVar[bool] = ContextVar("delineate_quiet_pydicom", default=False)


class _Mute(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _quiet.get()


_MUTE = _Mute()


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Drop pydicom's warnings and log records in this thread: they quote values, names included.

    What is wrong with a file is said in the report instead.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_MUTE)  # does nothing the second time
    token = _quiet.set(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _quiet.reset(token)
