"""Two levels of brightness, copper and board, whatever the illumination."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops
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
_ROUNDS = 3
_SPECK = 5  # samples; narrower things are not counted as conductors or holes
_CONDUCTOR = 0.005  # of the picture
_HOLE, _HOLE_LEAST = 0.1, 30  # of the longer side across, at most; samples, at least
_ROUND = 0.75  # of the circle around it


def greys(picture: Image, template: Image) -> tuple[Floats, Floats]:
    """Both as grey ``(row, column)``.

    Two colour pictures are laid onto the colour axis along which the template varies most, so that
    green board and brown copper of one brightness are told apart; otherwise by luminance.
    """
    one, other = _samples(picture), _samples(template)
    if one.ndim == other.ndim == 3:
        few = other[:: max(1, other.shape[0] // 256), :: max(1, other.shape[1] // 256)]
        values, vectors = np.linalg.eigh(np.cov(few.reshape(-1, 3), rowvar=False))
        axis = vectors[:, -1] if values[-1] > 0 else _LUMINANCE
        axis = axis * (1.0 if axis @ _LUMINANCE >= 0 else -1.0)
    else:
        axis = _LUMINANCE
    return _along(one, axis), _along(other, axis)


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
        low, high = _fields(thin, bright[::step, ::step], known, name)
    else:
        mask = thin > _otsu(thin[known], name)
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
    step = -(-max(levels.shape) // _THIN)
    bright = ndimage.median_filter(levels[::step, ::step] > 0.5, _SPECK)
    conductors, holes = zip(_pieces_and_holes(bright), _pieces_and_holes(~bright), strict=True)
    votes = np.sign(conductors[0] - conductors[1]) - np.sign(holes[0] - holes[1])
    return None if votes == 0 else bool(votes > 0)


def _pieces_and_holes(level: Mask) -> tuple[int, int]:
    """How many large pieces a level has, and how many small round ones inside the picture."""
    pieces = holes = 0
    for each in regionprops(label(level, connectivity=2)):
        top, left, bottom, right = each.bbox
        across = max(bottom - top, right - left)
        inside = top > 0 and left > 0 and bottom < level.shape[0] and right < level.shape[1]
        is_round = each.area > _ROUND * np.pi / 4 * across**2
        if inside and is_round and across < _HOLE * max(level.shape):
            holes += int(each.area >= _HOLE_LEAST)
        elif each.area > _CONDUCTOR * level.size:
            pieces += 1
    return pieces, holes


def _samples(image: Image) -> Floats:
    array = image.array[0]
    if array.ndim == 3:
        array = array[..., :3] if array.shape[-1] >= 3 else array[..., 0]
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise UnsuitableImageError("a picture holds NaN or infinity; expected finite samples")
    return np.asarray(array)


def _along(array: Floats, axis: NDArray[np.float64]) -> Floats:
    return array if array.ndim == 2 else np.asarray(array @ axis.astype(np.float32))


def _otsu(values: Floats, name: str) -> float:
    if values.size == 0 or values.min() == values.max():
        raise UnsuitableImageError(
            f"the {name} is blank: all its samples are alike; expected copper and board"
        )
    return float(threshold_otsu(values))


def _fields(thin: Floats, bright: Mask, known: Mask, name: str) -> tuple[Floats, Floats]:
    """Levels of the dark and of the bright around each sample."""
    size = max(9, max(thin.shape) // 4)
    filled = np.where(known, thin, 0)
    fields = []
    for mask in (~bright & known, bright & known):
        if not mask.any():
            raise UnsuitableImageError(
                f"the {name} shows either copper or board alone; expected both"
            )
        share, total = mask.astype(np.float32), np.where(mask, filled, 0)
        for _ in range(2):
            share, total = (ndimage.uniform_filter(a, size) for a in (share, total))
        fields.append((total + _PRIOR * thin[mask].mean()) / (share + _PRIOR))
    low, high = fields
    step = float(np.mean(high - low))
    if step <= 0:
        raise UnsuitableImageError(
            f"what is bright on the template is dark on the {name}; expected both of one polarity"
        )
    return low, np.maximum(high, low + 0.2 * step)


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
