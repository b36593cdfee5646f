"""Bodies to learn from, painted by other processes while the network already learns."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from types import TracebackType

import torch

from delineate.errors import InputError
from delineate.phantom.store import body_path, store_torso
from delineate.segmentation.training.organ_cases import PhantomCase

__all__ = ["Pool"]

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Pool:
    """A growing list of painted bodies; a context manager that ends its painters.

    Parameters
    ----------
    folder
        Holds the files; those that are there are used again.
    count
        Bodies in the end, of seeds from 0 on.
    painters
        Processes that paint. 0: `wait` paints here.
    device
        Where the bodies lie.

    Attributes
    ----------
    bodies
        Those that are ready.
    """

    def __init__(
        self, folder: Path, count: int, painters: int, device: torch.device | str = "cpu"
    ) -> None:
        self._folder, self._count, self._device = folder, count, device
        self._waiting = dict.fromkeys(range(count))
        self.bodies: list[PhantomCase] = []
        folder.mkdir(parents=True, exist_ok=True)
        surroundings = os.environ | dict.fromkeys(_ONE_THREAD, "1")
        self._painters = [
            subprocess.Popen(
                [sys.executable, "-m", "delineate.phantom.store"]
                + [str(each) for each in (folder, first, painters, count)],
                env=surroundings,
            )
            for first in range(painters)
        ]

    def gather(self, most: int = 4) -> int:
        """Read up to so many bodies that became ready, and say how many there are."""
        soon = islice(self._waiting, 4 * max(1, len(self._painters)) + most)
        ready = (seed for seed in soon if body_path(self._folder, seed).exists())
        for seed in list(islice(ready, most)):
            self._read(seed)
        return len(self.bodies)

    def wait(self, least: int) -> None:
        """Wait until there are so many bodies, or all.

        Raises
        ------
        InputError
            If the painters ended before.
        """
        least = min(least, self._count)
        while self.gather(least) < least:
            if not self._painters:
                seed = next(iter(self._waiting))
                store_torso(self._folder, seed)
            elif all(each.poll() is not None for each in self._painters):
                if self.gather(least) >= least:
                    return
                raise InputError(
                    f"expected {least} painted bodies in {self._folder}, found "
                    f"{len(self.bodies)} when the painters had ended; look above for their errors"
                )
            else:
                time.sleep(0.2)

    def _read(self, seed: int) -> None:
        del self._waiting[seed]
        self.bodies.append(PhantomCase.read(body_path(self._folder, seed), self._device))

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for painter in self._painters:
            painter.terminate()
        for painter in self._painters:
            painter.wait()
