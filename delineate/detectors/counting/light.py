"""The same patch by another camera, in another light."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy import ndimage

__all__ = ["relit"]

Array = NDArray[np.float32]

_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of luminance, ITU-R BT.601


def relit(values: Array, rng: np.random.Generator) -> Array:
    """Colour, brightness, contrast, shade, blur, noise and JPEG, each now and then.

    Parameters
    ----------
    values
        float32 ``(3, row, column)`` from 0 to 1.
    rng
        Decides all.

    Returns
    -------
    ndarray
        A new one of the same shape and range.
    """
    out = values.astype(np.float32, copy=True)
    if rng.random() < 0.5:
        out = np.einsum("ij,jrc->irc", _colours(rng), out).astype(np.float32)
    if rng.random() < 0.8:
        out *= np.exp(rng.normal(0, 0.1, (3, 1, 1))).astype(np.float32)
        middle = np.float32(out.mean())
        contrast = np.float32(np.exp(rng.normal(0, 0.25)))
        out = (out - middle) * contrast + middle + np.float32(rng.normal(0, 0.08))
    if rng.random() < 0.4:
        np.clip(out, 0, 1, out=out)
        out **= np.float32(np.exp(rng.normal(0, 0.3)))
    if rng.random() < 0.3:
        out *= _shade(out.shape[1:], rng)
    if rng.random() < 0.3:
        out = _blurred(out, rng)
    if rng.random() < 0.5:
        out += rng.standard_normal(out.shape, np.float32) * np.float32(rng.uniform(0, 0.05))
    np.clip(out, 0, 1, out=out)
    return _compressed(out, int(rng.integers(25, 92))) if rng.random() < 0.25 else out


def _colours(rng: np.random.Generator) -> NDArray[np.float64]:
    """A matrix that turns hues, and takes colour away or adds to it; grey stays grey."""
    turn = rng.uniform(-np.pi, np.pi) if rng.random() < 0.3 else rng.normal(0, 0.2)
    axis = np.full(3, 3**-0.5)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) * 3**-0.5
    turned = np.cos(turn) * np.eye(3) + np.sin(turn) * cross
    turned += (1 - np.cos(turn)) * np.outer(axis, axis)
    strength = 0.0 if rng.random() < 0.15 else float(np.exp(rng.normal(0, 0.3)))
    grey = np.broadcast_to(_GREY, (3, 3)).astype(float)
    return np.asarray((strength * np.eye(3) + (1 - strength) * grey) @ turned)


def _shade(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """A ramp, or a shadow with a soft edge."""
    rows, columns = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    turn = rng.uniform(0, 2 * np.pi)
    along = np.cos(turn) * rows + np.sin(turn) * columns
    if rng.random() < 0.5:
        return np.asarray(1 + rng.uniform(0, 0.4) * along, np.float32)
    edge = 1 / (1 + np.exp(-(along - rng.uniform(-0.8, 0.8)) / rng.uniform(0.01, 0.2)))
    return np.asarray(1 - rng.uniform(0.2, 0.6) * edge, np.float32)


def _blurred(values: Array, rng: np.random.Generator) -> Array:
    """Out of focus, or moved."""
    if rng.random() < 0.7:
        sigma = rng.uniform(0.3, 1.4)
        return np.asarray(ndimage.gaussian_filter(values, (0, sigma, sigma)), np.float32)
    along = int(rng.integers(1, 3))
    return np.asarray(ndimage.uniform_filter1d(values, int(rng.integers(2, 6)), along), np.float32)


def _compressed(values: Array, quality: int) -> Array:
    stream = io.BytesIO()
    pixels = np.rint(values.transpose(1, 2, 0) * 255).astype(np.uint8)
    Pillow.fromarray(pixels).save(stream, "JPEG", quality=quality)
    back = np.asarray(Pillow.open(stream), np.float32) / 255
    return np.ascontiguousarray(back.transpose(2, 0, 1))
