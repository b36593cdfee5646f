"""Samples as the page fetches them: gzipped, and beside them what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from delineate.imaging import Grid

__all__ = ["write"]

_BLOCK = 2**22


def write(array: np.ndarray[Any, Any], grid: Grid, modality: str, target: Path) -> None:
    """Write samples to ``target``, gzipped, and the headers that tell their form beside it.

    Parameters
    ----------
    array
        ``(slice, row, column)`` or ``(slice, row, column, channel)``.
    grid, modality
        Of the samples; those of a ``"CT"`` become int16.
    target
        Appears whole or not at all, after its headers (``.json``); its folder is made.
    """
    from isal import igzip

    array = _plain(array, modality)
    head = {
        "X-Shape": ",".join(map(str, array.shape)),
        "X-Dtype": array.dtype.name,
        "X-Affine": ",".join(f"{value:.10g}" for value in grid.affine.ravel()),
        "X-Unit": grid.unit,
        "X-Modality": modality,
    }
    target.parent.mkdir(exist_ok=True)
    partial = target.with_suffix(".part")
    with igzip.open(partial, "wb", compresslevel=1) as file:
        samples = memoryview(array.data).cast("B")
        for start in range(0, len(samples), _BLOCK):
            file.write(samples[start : start + _BLOCK])
    target.with_suffix(".json").write_text(json.dumps(head))
    partial.rename(target)


def _plain(array: np.ndarray[Any, Any], modality: str) -> np.ndarray[Any, Any]:
    """Samples in a dtype that every reader has: int16 for CT, else the nearest that holds all."""
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    elif modality == "CT" and array.dtype.itemsize > 1:
        array = np.clip(np.rint(array), -32768, 32767).astype(np.int16)
    elif array.dtype.kind == "f" or array.dtype.itemsize > 4:
        array = array.astype(np.float32)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
