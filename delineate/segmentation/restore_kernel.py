"""The loops that give every sample of an image the label of the interpolated logits.

A class that has the largest logit at all eight corners of a cell has it at every mean of them (and
a region that holds at all of them holds at every mean), so that logits are interpolated only in
cells whose corners differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["MIXED", "along_axes", "any_direction", "uniform_cells"]

MIXED = 255

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@kernel
def uniform_cells(code: Bytes) -> Bytes:
    """Code that all eight corners of each cell share, else 255; shape one less on each axis.

    An axis of one sample keeps one cell, between that sample and itself.
    """
    nz, ny, nx = code.shape
    out = np.empty((max(1, nz - 1), max(1, ny - 1), max(1, nx - 1)), np.uint8)
    for k in range(out.shape[0]):
        low = code[k]
        high = code[min(k + 1, nz - 1)]
        for j in range(out.shape[1]):
            e = min(j + 1, ny - 1)
            for i in range(out.shape[2]):
                f = min(i + 1, nx - 1)
                one = low[j, i]
                same = (
                    (low[j, f] == one)
                    & (low[e, i] == one)
                    & (low[e, f] == one)
                    & (high[j, i] == one)
                    & (high[j, f] == one)
                    & (high[e, i] == one)
                    & (high[e, f] == one)
                )
                out[k, j, i] = one if same else 255
    return out


@kernel
def along_axes(
    logits: Floats,
    cells: Bytes,
    z: Any,
    y: Any,
    x: Any,
    classes: int,
    sigmoid: bool,
    label_of: Bytes,
    out: Any,
) -> None:
    """Fill samples that lie along the axes of the logits.

    Parameters
    ----------
    logits
        ``(slice, row, column, class)``.
    cells
        From `uniform_cells`.
    z, y, x
        Places of the samples of ``out`` along each axis, in samples of the logits, within them.
    classes, sigmoid
        Channels that are classes; whether they are regions.
    label_of
        Label of each code.
    out
        ``(slice, row, column)``, filled.
    """
    nz, ny, nx, channels = logits.shape
    lines = logits.reshape(nz, ny, nx * channels)
    row = np.empty(nx * channels, np.float32)
    left = np.empty(out.shape[2], np.int64)
    share = np.empty(out.shape[2], np.float32)
    for i in range(out.shape[2]):
        left[i] = min(int(x[i]), max(0, nx - 2))
        share[i] = x[i] - left[i]
    for k in range(out.shape[0]):
        a = min(int(z[k]), max(0, nz - 2))
        fz = np.float32(z[k] - a)
        d = min(a + 1, nz - 1)
        for j in range(out.shape[1]):
            b = min(int(y[j]), max(0, ny - 2))
            fy = np.float32(y[j] - b)
            e = min(b + 1, ny - 1)
            line = cells[a, b]
            first, stop = len(line), 0
            for n in range(len(line)):
                if line[n] == 255:
                    first = min(first, n)
                    stop = n + 1
            if stop:  # logits between the four neighbouring rows, for all mixed cells of the row
                p, q, r, s = lines[a, b], lines[a, e], lines[d, b], lines[d, e]
                w00, w01 = (1 - fz) * (1 - fy), (1 - fz) * fy
                w10, w11 = fz * (1 - fy), fz * fy
                for m in range(first * channels, min(nx, stop + 1) * channels):
                    row[m] = w00 * p[m] + w01 * q[m] + w10 * r[m] + w11 * s[m]
            for i in range(out.shape[2]):
                code = line[left[i]]
                if code != 255:
                    out[k, j, i] = label_of[code]
                    continue
                fx = share[i]
                gx = 1 - fx
                at = left[i] * channels
                beside = min(left[i] + 1, nx - 1) * channels
                if sigmoid:
                    bits = 0
                    for m in range(classes):
                        if gx * row[at + m] + fx * row[beside + m] > 0.0:
                            bits |= 1 << m
                    out[k, j, i] = label_of[bits]
                else:
                    best = gx * row[at] + fx * row[beside]
                    chosen = 0
                    for m in range(1, classes):
                        value = gx * row[at + m] + fx * row[beside + m]
                        if value > best:
                            best = value
                            chosen = m
                    out[k, j, i] = label_of[chosen]


@kernel
def any_direction(
    logits: Floats,
    cells: Bytes,
    matrix: NDArray[np.float64],
    shift: float,
    low: float,
    high: float,
    bounds: NDArray[np.float64],
    first: int,
    classes: int,
    sigmoid: bool,
    label_of: Bytes,
    out: Any,
) -> None:
    """Fill samples of an image of any orientation.

    Parameters
    ----------
    logits, cells, classes, sigmoid, label_of
        As in `along_axes`.
    matrix
        ``(3, 4)``; maps indices of the image to indices of the whole working grid.
    shift
        Slice of the working grid at which ``logits`` begins.
    low, high
        Only samples whose place along the first axis is at least ``low`` and below ``high`` are
        filled.
    bounds
        ``(3, 2)``: places are held within these, on the whole working grid.
    first
        Number of the first slice of ``out`` in the image.
    out
        ``(slice, row, column)`` of the image.
    """
    nz, ny, nx = logits.shape[:3]
    weight = np.empty(8, np.float64)
    for k in range(out.shape[0]):
        start = matrix[0, 0] * (k + first) + matrix[0, 3]
        along, across = matrix[0, 1] * (out.shape[1] - 1), matrix[0, 2] * (out.shape[2] - 1)
        if start + max(along, 0.0) + max(across, 0.0) < low:
            continue
        if start + min(along, 0.0) + min(across, 0.0) >= high:
            continue
        for j in range(out.shape[1]):
            for i in range(out.shape[2]):
                z = matrix[0, 0] * (k + first) + matrix[0, 1] * j + matrix[0, 2] * i + matrix[0, 3]
                if not low <= z < high:
                    continue
                y = matrix[1, 0] * (k + first) + matrix[1, 1] * j + matrix[1, 2] * i + matrix[1, 3]
                x = matrix[2, 0] * (k + first) + matrix[2, 1] * j + matrix[2, 2] * i + matrix[2, 3]
                z = min(max(z, bounds[0, 0]), bounds[0, 1]) - shift
                y = min(max(y, bounds[1, 0]), bounds[1, 1])
                x = min(max(x, bounds[2, 0]), bounds[2, 1])
                a = max(0, min(int(z), nz - 2))
                b = max(0, min(int(y), ny - 2))
                c = max(0, min(int(x), nx - 2))
                code = cells[a, b, c]
                if code != 255:
                    out[k, j, i] = label_of[code]
                    continue
                fz, fy, fx = z - a, y - b, x - c
                for corner in range(8):
                    wz = fz if corner >> 2 else 1.0 - fz
                    wy = fy if (corner >> 1) & 1 else 1.0 - fy
                    wx = fx if corner & 1 else 1.0 - fx
                    weight[corner] = wz * wy * wx
                best = -np.inf
                chosen = 0
                for n in range(classes):
                    value = 0.0
                    for corner in range(8):
                        value += (
                            weight[corner]
                            * logits[
                                min(a + (corner >> 2), nz - 1),
                                min(b + ((corner >> 1) & 1), ny - 1),
                                min(c + (corner & 1), nx - 1),
                                n,
                            ]
                        )
                    if sigmoid:
                        if value > 0.0:
                            chosen |= 1 << n
                    elif value > best:
                        best = value
                        chosen = n
                out[k, j, i] = label_of[chosen]
