"""Labels on the scan's own grid, from logits on the working grid."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Grid

if TYPE_CHECKING:
    from delineate.plugins import Monitor


def restore(
    logits: NDArray[np.float32], working: Grid, source: Grid, monitor: Monitor
) -> NDArray[np.uint8]:
    """Give each sample of a scan the class with the largest trilinearly interpolated logit.

    Outlines follow the interpolated boundary, not the steps of the working grid. Logits are
    interpolated only where neighbouring working samples disagree, one sample at a time, so that
    no logits of the scan's size ever exist.

    Parameters
    ----------
    logits
        Shape (class, slice, row, column) on the working grid; at most 255 classes.
    working, source
        Both in mm.
    monitor
        Asked between slabs whether to stop.

    Returns
    -------
    ndarray of uint8, shape of the source grid
        Classes. At a tie the smaller one.
    """
    from delineate.segmentation.restore_kernel import cell_labels, interpolated_labels

    cells = cell_labels(logits.argmax(axis=0).astype(np.uint8))
    by_sample = np.ascontiguousarray(np.moveaxis(logits, 0, -1))
    matrix = np.ascontiguousarray((working.inverse @ source.affine)[:3])
    out = np.empty(source.shape, np.uint8)
    thick = max(1, 4_000_000 // max(1, source.shape[1] * source.shape[2]))
    starts = range(0, source.shape[0], thick)

    def fill(start: int) -> None:
        interpolated_labels(by_sample, cells, matrix, start, out[start : start + thick])

    with ThreadPoolExecutor(max_workers=max(1, os.cpu_count() or 1)) as pool:
        for number, _ in enumerate(pool.map(fill, starts)):
            monitor.checkpoint()
            monitor.progress((number + 1) / len(starts), "restoring")
    return out
