"""Networks that stay loaded between images, within a budget of memory."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

__all__ = ["Pool"]

_VARIABLE = "DELINEATE_MODEL_MEMORY_MB"
_DEFAULT_MB = 4096


class Pool:
    """Keeps what was made last; what was not used for longest goes first.

    Parameters
    ----------
    budget_bytes
        What all that is kept may take. One thing larger than that is kept alone. By default what
        the environment variable ``DELINEATE_MODEL_MEMORY_MB`` says, or 4096 MB.
    """

    def __init__(self, budget_bytes: int | None = None) -> None:
        if budget_bytes is None:
            budget_bytes = int(os.environ.get(_VARIABLE, _DEFAULT_MB)) << 20
        self._budget = budget_bytes
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.RLock()  # what is made may need what is kept

    def get(self, key: Hashable, make: Callable[[], tuple[Any, int]]) -> Any:
        """What is kept under a key; made first where nothing is.

        Parameters
        ----------
        key
            Says all that it depends on.
        make
            Returns the thing and the bytes that it takes.
        """
        with self._lock:
            if key not in self._kept:
                made = make()
                self._kept[key] = made
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and self.bytes > self._budget:
                self._kept.popitem(last=False)
            return self._kept[key][0]

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._kept.clear()

    @property
    def bytes(self) -> int:
        """What all that is kept takes."""
        return sum(size for _, size in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)
