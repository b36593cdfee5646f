"""Generated traps to learn from, beside photographs."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from delineate.detectors.counting.pictures import Picture
from delineate.phantom.traps import trap

__all__ = ["made_pictures"]

_SIDE = 384


def made_pictures(
    folder: Path,
    seeds: Sequence[int],
    workers: int = 1,
    done: Callable[[int], None] = lambda _number: None,
) -> list[Picture]:
    """Generated traps by seed; those that were not made before are kept in a folder.

    Parameters
    ----------
    folder
        A file a trap.
    seeds
        Which; each always gives the same.
    workers
        Processes that make them.
    done
        Told how many are there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not _path(folder, seed).exists()]
    if missing:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max(1, workers), mp_context=context) as pool:
            for number, _ in enumerate(pool.map(partial(_make, folder), missing, chunksize=4), 1):
                done(len(seeds) - len(missing) + number)
    return [_read(folder, seed) for seed in seeds]


def _path(folder: Path, seed: int) -> Path:
    return folder / f"trap_{seed:06d}.npz"


def _make(folder: Path, seed: int) -> None:
    made = trap(seed, (_SIDE, _SIDE))
    path = _path(folder, seed)
    partly = path.with_suffix(f".{os.getpid()}")
    with partly.open("wb") as stream:
        np.savez(stream, pixels=made.image.array[0], points=made.points, lengths=made.lengths)
    partly.replace(path)


def _read(folder: Path, seed: int) -> Picture:
    with np.load(_path(folder, seed)) as kept:
        points = kept["points"][:, 1:]
        kinds = np.zeros(len(points), np.int64)
        return Picture(f"trap {seed}", kept["pixels"], points, kinds, kept["lengths"])
