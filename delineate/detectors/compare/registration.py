"""Lay a template over a picture: shift, rotation, scale and perspective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

__all__ = ["Registration", "register", "warped"]

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

_COARSEST, _FINEST = 400, 2048  # samples of the longer side where the search starts and ends
_ANGLES = np.deg2rad(np.linspace(-3.0, 3.0, 13))
_SURE = 0.97  # agreement that needs no search
_POINTS = 40_000
_STEPS, _STILL = 30, 0.01  # iterations; samples by which the last one moved a corner
_STRIP = 1 << 22  # samples warped at a time


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """Where a picture's samples lie on its template.

    Parameters
    ----------
    matrix
        ``(3, 3)`` homography from ``(row, column, 1)`` of the picture to that of the template.
    agreement
        Correlation of the two where they overlap, -1 to 1.
    covered
        Share of the picture that the template covers.
    """

    matrix: Matrix
    agreement: float
    covered: float


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """Both pictures at one resolution, free of illumination."""

    factor: int
    picture: Floats
    template: Floats


def register(
    picture: Floats,
    template: Floats,
    start: Matrix,
    max_shift: float,
    checkpoint: Callable[[], None] = lambda: None,
) -> Registration:
    """Find the homography that lays a template over a picture.

    Rotation up to 3 degrees and shift are searched for by correlation in the frequency domain [1]_;
    from there the sum of robustly weighted squared differences at edges is minimised by
    Gauss-Newton steps, from coarse to fine [2]_. Both pictures are divided by their local mean and
    deviation before, so that illumination does not matter.

    Parameters
    ----------
    picture, template
        ``(row, column)``.
    start
        First guess of the matrix, such as the identity.
    max_shift
        In samples of the picture.
    checkpoint
        Called now and then; may raise to stop.

    References
    ----------
    .. [1] Lewis, "Fast normalized cross-correlation", Vision Interface 1995
    .. [2] Baker and Matthews, "Lucas-Kanade 20 years on", IJCV 56(3), 2004,
       doi:10.1023/B:VISI.0000011205.11775.fd
    """
    levels = _pyramid(picture, template)
    found = _refined(levels, start, checkpoint)
    if found.agreement >= _SURE:
        return found
    searched = _refined(levels, _searched(levels[0], start, max_shift, checkpoint), checkpoint)
    return max(found, searched, key=lambda each: each.agreement)


def warped(template: Floats, matrix: Matrix, shape: tuple[int, int]) -> Floats:
    """The template as the picture sees it, linear between samples; NaN where it does not reach."""
    result = np.empty(shape, np.float32)
    columns = np.arange(shape[1], dtype=np.float64)
    high = np.array(template.shape)[:, None, None] - 0.5
    for first in range(0, shape[0], max(1, _STRIP // shape[1])):
        rows = np.arange(first, min(first + max(1, _STRIP // shape[1]), shape[0]), dtype=np.float64)
        places = _mapped(matrix, rows[:, None], columns[None, :])
        strip = ndimage.map_coordinates(template, places, order=1, mode="nearest")
        strip[((places < -0.5) | (places > high)).any(axis=0)] = np.nan
        result[first : first + len(rows)] = strip
    return result


def _mapped(matrix: Matrix, rows: Any, columns: Any) -> Matrix:
    """Homography of points: ``(2, ...)``."""
    m = matrix
    depth = m[2, 0] * rows + m[2, 1] * columns + m[2, 2]
    return np.stack([(m[i, 0] * rows + m[i, 1] * columns + m[i, 2]) / depth for i in range(2)])


def _pyramid(picture: Floats, template: Floats) -> list[_Level]:
    """From coarse to fine."""
    levels = []
    factor = 1
    while True:
        side = max(picture.shape)
        if side <= _FINEST:
            levels.append(_Level(factor, _flat(picture), _flat(template)))
        if side <= _COARSEST:
            return levels[::-1]
        picture, template = _halved(picture), _halved(template)
        factor *= 2


def _halved(a: Floats) -> Floats:
    rows, columns = (n // 2 * 2 for n in a.shape)
    a = a[:rows, :columns]
    mean = (a[::2, ::2] + a[1::2, ::2] + a[::2, 1::2] + a[1::2, 1::2]) / 4
    return mean.astype(np.float32, copy=False)


def _flat(a: Floats) -> Floats:
    """Less its local mean, by its local deviation; blurred a little, so that edges have slopes."""
    a = ndimage.gaussian_filter(a, 1.0)
    size = max(9, max(a.shape) // 8)
    mean = ndimage.uniform_filter(a, size)
    a = a - mean
    variance = ndimage.uniform_filter(a * a, size)
    return np.asarray(a / np.sqrt(variance + 0.5 * variance.mean() + 1e-12), np.float32)


def _at(matrix: Matrix, factor: float) -> Matrix:
    """A matrix between two pictures as one between pictures ``factor`` times smaller."""
    half = (factor - 1) / 2
    up: Matrix = np.array([[factor, 0.0, half], [0.0, factor, half], [0.0, 0.0, 1.0]])
    return np.asarray(np.linalg.inv(up) @ matrix @ up)


def _full(matrix: Matrix, factor: int) -> Matrix:
    """Inverse of :func:`_at`."""
    return _at(matrix, 1 / factor)


def _searched(
    level: _Level, start: Matrix, max_shift: float, checkpoint: Callable[[], None]
) -> Matrix:
    """The best rotation and shift at the coarsest level."""
    shape = level.picture.shape
    size = [fft.next_fast_len(2 * n, real=True) for n in shape]
    picture = fft.rfft2(level.picture, size)
    reach = [min(int(np.ceil(max_shift / level.factor)), n // 2) for n in shape]
    centre = (np.array(shape) - 1) / 2
    best, found = -np.inf, _at(start, level.factor)
    for angle in _ANGLES:
        checkpoint()
        turn = np.eye(3)
        turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        turn[:2, 2] = centre - turn[:2, :2] @ centre
        matrix = _at(start, level.factor) @ turn
        seen = np.nan_to_num(warped(level.template, matrix, shape))
        scores = fft.irfft2(picture * np.conj(fft.rfft2(seen, size)), size)
        rows, columns = (np.arange(-r, r + 1) for r in reach)
        near = scores[np.ix_(rows, columns)]
        near = near / np.outer(shape[0] - abs(rows), shape[1] - abs(columns))
        i, j = np.unravel_index(near.argmax(), near.shape)
        if near[i, j] > best:
            best = near[i, j]
            shift = np.eye(3)
            shift[:2, 2] = -rows[i], -columns[j]
            found = matrix @ shift
    return _full(found, level.factor)


def _refined(levels: list[_Level], matrix: Matrix, checkpoint: Callable[[], None]) -> Registration:
    for number, level in enumerate(levels):
        checkpoint()
        last = number == len(levels) - 1
        matrix = _full(_stepped(level, _at(matrix, level.factor), 8 if last else 6), level.factor)
    return _judged(levels[0], matrix)


def _judged(level: _Level, matrix: Matrix) -> Registration:
    seen = warped(level.template, _at(matrix, level.factor), level.picture.shape)
    inside = np.isfinite(seen)
    covered = float(inside.mean())
    one, other = level.picture[inside], seen[inside]
    if covered < 0.01 or one.std() == 0 or other.std() == 0:
        return Registration(matrix, 0.0, covered)
    return Registration(matrix, float(np.corrcoef(one, other)[0, 1]), covered)


def _stepped(level: _Level, matrix: Matrix, free: int) -> Matrix:
    """Gauss-Newton from ``matrix``; ``free`` is 6 for an affine change, 8 for a homography."""
    shape = level.picture.shape
    rows, columns = _edges(level.picture)
    if len(rows) < 50:
        return matrix
    scale = max(shape) / 2
    unit = np.array([[scale, 0, shape[0] / 2], [0, scale, shape[1] / 2], [0, 0, 1.0]])
    back = np.linalg.inv(unit)
    y, x = (rows - shape[0] / 2) / scale, (columns - shape[1] / 2) / scale
    slopes = np.gradient(level.template)
    wanted = level.picture[rows, columns]
    current = back @ matrix @ unit
    for _ in range(_STEPS):
        v, u = _mapped(current, y, x)
        places = np.stack([v * scale + shape[0] / 2, u * scale + shape[1] / 2])
        inside = ((places >= 0) & (places <= np.array(level.template.shape)[:, None] - 1)).all(0)
        if inside.sum() < 50:
            return matrix
        values, dv, du = (
            ndimage.map_coordinates(a, places, order=1, mode="nearest")
            for a in (level.template, *slopes)
        )
        miss = values - wanted
        spread = 1.4826 * np.median(abs(miss[inside])) + 0.05
        weight = inside / (1 + (miss / (2 * spread)) ** 2) ** 2
        depth = scale / (current[2, 0] * y + current[2, 1] * x + current[2, 2])
        dv, du = dv * depth, du * depth
        both = -(dv * v + du * u)
        jacobian = np.stack([dv * y, dv * x, dv, du * y, du * x, du, both * y, both * x], 1)
        jacobian = jacobian[:, :free]
        normal = (jacobian * weight[:, None]).T @ jacobian
        normal[np.diag_indices(free)] += 1e-4 * np.trace(normal) / free + 1e-9
        step = np.linalg.solve(normal, -jacobian.T @ (weight * miss))
        current = current + np.append(step, np.zeros(9 - free)).reshape(3, 3)
        if abs(step).max() * scale < _STILL:
            break
    return np.asarray(unit @ current @ back)


def _edges(picture: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of samples on edges, at most 40 000, the same at every call."""
    slope = np.hypot(*np.gradient(picture))
    places = np.flatnonzero(slope > 0.25 * np.quantile(slope, 0.99))
    if len(places) > _POINTS:
        places = np.random.default_rng(0).choice(places, _POINTS, replace=False)
    rows, columns = np.unravel_index(np.sort(places), picture.shape)
    return rows, columns
