"""Processes that end when the one that started them ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

__all__ = ["die_with", "stopping"]

_PR_SET_PDEATHSIG = 1

# Set once this process was told to stop: what would go on for long ends then.
stopping = threading.Event()


def die_with(parent: int) -> None:
    """See to it that this process is killed once its parent is gone, however that went.

    Parameters
    ----------
    parent
        Process id of the parent, as the parent told it; if another has become the parent since,
        this process ends here and now.

    Notes
    -----
    Linux sends the signal when the *thread* that started this process ends; parents start
    children from threads that live as long as they do.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
