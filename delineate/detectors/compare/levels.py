"""Two levels of brightness, copper and board, whatever the illumination."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label, regionprops
from skimage.segmentation import watershed
from skimage.transform import resize

from delineate.errors import UnsuitableImageError
from delineate.imaging import Image

__all__ = ["copper_is_bright", "greys", "levelled"]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_THIN = 1024  # samples of the longer side on which levels are measured
_PRIOR = 0.02  # of a window: how much the level of the whole picture counts
_SEPARATE = 0.7  # of the variance between two levels; a single bell-shaped one has 0.64
_STRONG = 0.25  # of the steepest slopes: what is an edge
_ROUNDS = 2
_SAMPLED = 50_000
_DARKEST = 0.1  # light, as a share of the usual
_MARGIN = 2  # pieces or holes: by one more a level is not taken for copper
_SPECK = 5  # samples; narrower things are not counted as conductors or holes
_CONDUCTOR = 0.001  # of the picture
_HOLE, _SMALL = 0.1, 30  # of the longer side across, at most; samples, at least
_ROUND = 0.75  # of the circle around it


def greys(picture: Image, template: Image) -> tuple[Floats, Floats]:
    """Both as grey ``(row, column)``.

    Two colour pictures are laid onto the colour axis along which the template varies most, so that
    green board and brown copper of one brightness are told apart; otherwise by luminance.

    Raises
    ------
    UnsuitableImageError
        If one is blank or not finite.
    """
    one, other = _samples(picture), _samples(template)
    if one.ndim == other.ndim == 3:
        few = other[:: max(1, other.shape[0] // 256), :: max(1, other.shape[1] // 256)]
        values, vectors = np.linalg.eigh(np.cov(few.reshape(-1, 3), rowvar=False))
        axis = vectors[:, -1] if values[-1] > 0 else _LUMINANCE
        axis = axis * (1.0 if axis @ _LUMINANCE >= 0 else -1.0)
    else:
        axis = _LUMINANCE
    return _along(one, axis, "picture"), _along(other, axis, "template")


def levelled(picture: Floats, bright: Mask | None, name: str) -> Floats:
    """The picture as 0 where it is at the level of what is dark around it, 1 at that of the bright.

    Parameters
    ----------
    picture
        ``(row, column)``; NaN where it is unknown.
    bright
        Which samples are bright; ``None`` to find out.
    name
        What the picture is called in an error.

    Raises
    ------
    UnsuitableImageError
        If there are no two levels.
    """
    step = -(-max(picture.shape) // _THIN)
    thin = picture[::step, ::step]
    known = np.isfinite(thin)
    if bright is not None:
        mask = bright[::step, ::step]
        low, high = _fields(thin, mask, known, name)
    else:
        mask = _sides_of_edges(thin, name)
        for _ in range(_ROUNDS):
            low, high = _fields(thin, mask, known, name)
            mask = thin > (low + high) / 2
        _demand_two_levels((thin - low) / (high - low), mask, known, name)
    low, high = (
        resize(field, picture.shape, order=1, mode="edge", anti_aliasing=False).astype(np.float32)
        for field in (low, high)
    )
    high -= low
    low = picture - low
    low /= high
    return np.asarray(low, np.float32)


def copper_is_bright(levels: Floats) -> bool | None:
    """Which level of a template is copper; ``None`` if it does not show.

    Copper comes in more separate pieces than the board between them, and small round things
    enclosed by a level are holes drilled through it.

    Parameters
    ----------
    levels
        As :func:`levelled` returns them.
    """
    votes = 0
    for top in _starts(levels.shape[0]):
        for left in _starts(levels.shape[1]):
            part = levels[top : top + _THIN, left : left + _THIN] > 0.5
            bright = ndimage.median_filter(part, _SPECK)
            pieces, holes = zip(_pieces_and_holes(bright), _pieces_and_holes(~bright), strict=True)
            more = np.clip((pieces[0] - pieces[1], holes[1] - holes[0]), -_MARGIN, _MARGIN)
            votes += int(more.sum())
    return None if abs(votes) < _MARGIN else votes > 0


def _starts(size: int) -> list[int]:
    """Where the parts begin in which copper is looked for: one, or the two ends."""
    return [0] if size <= _THIN else [0, size - _THIN]


def _pieces_and_holes(level: Mask) -> tuple[int, int]:
    """How many pieces a level has, and how many small round ones within a piece of the other."""
    others = label(~level, connectivity=1)
    area = np.bincount(others.ravel())
    pieces = holes = 0
    for each in regionprops(label(level, connectivity=2)):
        top, left, bottom, right = each.bbox
        across = max(bottom - top, right - left)
        inside = top > 0 and left > 0 and bottom < level.shape[0] and right < level.shape[1]
        is_round = each.area > _ROUND * np.pi / 4 * across**2
        if inside and is_round and across < _HOLE * max(level.shape):
            row, column = each.coords[0]
            around = area[others[row - 1, column]]
            holes += int(each.area >= _SMALL and around < level.size / 2)
        elif each.area > _CONDUCTOR * level.size:
            pieces += 1
    return pieces, holes


def _samples(image: Image) -> NDArray[Any]:
    """``(row, column)``, or with three colours ``(row, column, 3)``, in their own type."""
    array = image.array[0]
    if array.ndim == 3:
        array = array[..., :3] if array.shape[-1] >= 3 else array[..., 0]
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UnsuitableImageError("a picture holds NaN or infinity; expected finite samples")
    return np.asarray(array)


def _along(array: NDArray[Any], axis: NDArray[np.float64], name: str) -> Floats:
    if array.ndim == 2:
        grey = array.astype(np.float32)
    else:
        grey = np.zeros(array.shape[:2], np.float32)
        for channel, share in enumerate(axis):
            grey += np.float32(share) * array[..., channel]
    if grey.min() == grey.max():
        raise UnsuitableImageError(
            f"the {name} is blank: all its samples are alike; expected copper and board"
        )
    return grey


def _sides_of_edges(thin: Floats, name: str) -> Mask:
    """Bright and dark sides of the edges, and what lies beyond up to the next edge.

    So a large bright part in the shade is bright, though darker than a dark one in the light.
    """
    smooth = ndimage.gaussian_filter(thin, 1.5)
    slope = np.hypot(*np.gradient(smooth))
    side = smooth - ndimage.gaussian_filter(thin, 5.0)
    strong = slope > _STRONG * np.quantile(slope, 0.995)
    markers = np.where(side > 0, 2, 1) * strong
    if not ((markers == 1).any() and (markers == 2).any()):
        raise UnsuitableImageError(f"the {name} shows no edges; expected copper and board")
    return np.asarray(watershed(slope, markers) == 2)


def _fields(thin: Floats, bright: Mask, known: Mask, name: str) -> tuple[Floats, Floats]:
    """Levels of the dark and of the bright around each sample.

    First the light, by which both levels are multiplied, then each level by itself; where there
    is no copper near, or no board, its level is that of the whole picture in this light.
    """
    size = max(9, max(thin.shape) // 4)
    dark, bright = ~bright & known, bright & known
    if not (dark.any() and bright.any()):
        raise UnsuitableImageError(f"the {name} shows copper or board alone; expected both")
    filled = np.where(known, thin, 0)
    light = np.ones_like(filled)
    for _ in range(_ROUNDS):
        level = np.zeros_like(filled)
        for mask in (dark, bright):
            level[mask] = (filled[mask] * light[mask]).sum() / (light[mask] ** 2).sum()
        light = _light(filled, level)
    low, high = (light * _local(filled / light, mask, size) for mask in (dark, bright))
    step = float(np.mean(high - low))
    if step <= 0:
        raise UnsuitableImageError(
            f"what is bright on the template is dark on the {name}; expected both of one polarity"
        )
    return low, np.maximum(high, low + 0.2 * step)


def _light(values: Floats, level: Floats) -> Floats:
    """The cubic surface which, multiplied by the levels, comes closest to the values."""
    rows, columns = (np.linspace(-1, 1, n, dtype=np.float32) for n in values.shape)
    powers = [(i, j) for i in range(4) for j in range(4 - i)]
    terms = [np.outer(rows**i, columns**j) for i, j in powers]
    chosen = np.flatnonzero(level)[:: max(1, level.size // _SAMPLED)]
    system = np.stack([(term * level).ravel()[chosen] for term in terms], axis=1)
    weights = np.linalg.lstsq(system, values.ravel()[chosen], rcond=None)[0]
    surface = sum(weight * term for weight, term in zip(weights, terms, strict=True))
    return np.asarray(np.maximum(surface, _DARKEST * np.median(surface)), np.float32)


def _local(values: NDArray[Any], mask: Mask, size: int) -> Floats:
    """Mean over the mask around each sample, drawn a little to that of the whole picture."""
    share, total = _smooth(mask.astype(np.float32), size), _smooth(np.where(mask, values, 0), size)
    return np.asarray((total + _PRIOR * values[mask].mean()) / (share + _PRIOR))


def _smooth(a: Floats, size: int) -> Floats:
    """Mean over a window, twice."""
    return np.asarray(ndimage.uniform_filter(ndimage.uniform_filter(a, size), size))


def _demand_two_levels(levels: Floats, bright: Mask, known: Mask, name: str) -> None:
    values, share = levels[known], float(bright[known].mean())
    gap = values[bright[known]].mean() - values[~bright[known]].mean()
    between = share * (1 - share) * gap**2 / max(float(values.var()), 1e-12)
    if between < _SEPARATE:
        raise UnsuitableImageError(
            f"the {name} does not show two levels of brightness, copper and board: they explain "
            f"{between:.0%} of its variance, expected at least {_SEPARATE:.0%}; take the picture "
            "with more contrast"
        )
