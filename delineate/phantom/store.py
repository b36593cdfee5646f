"""Paint many bodies into files: ``python -m delineate.phantom.store FOLDER FIRST STEP COUNT``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from delineate.phantom.torso import paint_torso

__all__ = ["body_path", "store_torso"]

SPACING_MM = (4.0, 3.0, 3.0)
_TRUNK_MM = (-480.0, 300.0)
_WHOLE_MM = (-700.0, 550.0)
_HEAD_MM = (100.0, 580.0)
_KINDS = (_TRUNK_MM, _TRUNK_MM, _HEAD_MM, _TRUNK_MM, _TRUNK_MM, _WHOLE_MM)


def body_path(folder: Path, seed: int) -> Path:
    """The file of a seed."""
    return folder / f"body_{seed:06d}.npz"


def store_torso(
    folder: Path,
    seed: int,
    spacing_mm: tuple[float, float, float] = SPACING_MM,
    extent_mm: tuple[float, float] | None = None,
) -> Path:
    """Paint the body of a seed into a file, unless it is there.

    Parameters
    ----------
    folder
        Made if it is missing.
    seed
        Of the body.
    spacing_mm
        Distances between slices, rows and columns.
    extent_mm
        Lowest and highest z. ``None``: the trunk, of every sixth body all there is, and of another
        sixth the head and the neck.

    Returns
    -------
    Path
        NPZ of ``tissue``, ``affine`` and ``osteopenia``; appears only when it is whole.
    """
    path = body_path(folder, seed)
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    if extent_mm is None:
        extent_mm = _KINDS[seed % len(_KINDS)]
    body = paint_torso(seed, spacing_mm, extent_mm)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as stream:
        np.savez(
            stream,
            tissue=body.tissue,
            affine=body.grid.affine,
            osteopenia=body.anatomy.osteopenia,
        )
    partial.replace(path)
    return path


def main() -> None:
    """Paint every STEP-th body from FIRST to below COUNT, as long as the parent process lives."""
    folder, first, step, count = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    parent = os.getppid()
    if hasattr(os, "nice"):
        os.nice(10)  # whatever learns from the bodies goes first
    for seed in range(first, count, step):
        if os.getppid() != parent:
            return
        store_torso(folder, seed)


if __name__ == "__main__":
    main()
