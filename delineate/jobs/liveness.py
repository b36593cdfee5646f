"""Which workers are alive: each holds a lock that the system drops when it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["alive", "held", "hold"]


@contextmanager
def hold(folder: Path, name: str, patience: float = 20.0) -> Iterator[None]:
    """Hold the lock of the worker ``name`` for the time of the block.

    Raises
    ------
    TimeoutError
        If another process still holds it after ``patience`` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _locked(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise TimeoutError(f"another process runs as worker {name!r}")
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def held(folder: Path, name: str) -> bool:
    """Whether some process holds the lock of the worker ``name``."""
    try:
        descriptor = os.open(folder / f"{name}.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        # A shared lock: two that look at once do not take each other for the worker.
        return not _locked(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def alive(folder: Path) -> tuple[str, ...]:
    """Names of the workers that live, in order."""
    names = sorted(path.stem for path in folder.glob("*.lock"))
    return tuple(name for name in names if held(folder, name))


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
