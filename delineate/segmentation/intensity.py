"""Intensities as a network sees them: steps that a model declares, applied in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Affine",
    "Clip",
    "MinMax",
    "Step",
    "ZScore",
    "applied",
    "fixed",
    "step_from_json",
    "step_json",
    "window",
]

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clip:
    """Values below ``low`` and above ``high`` become these."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"expected low below high, got {self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class Affine:
    """``(value - subtract) / divide``."""

    subtract: float
    divide: float

    def __post_init__(self) -> None:
        if not (isfinite(self.subtract) and isfinite(self.divide) and self.divide != 0):
            raise ValueError(f"expected finite numbers, got {self.subtract} and {self.divide}")


@dataclass(frozen=True, slots=True)
class ZScore:
    """Mean 0 and standard deviation 1 over the image; ``nonzero``: over, and of, what is not 0."""

    nonzero: bool = False


@dataclass(frozen=True, slots=True)
class MinMax:
    """The image's smallest value becomes ``low``, its largest ``high``."""

    low: float = 0.0
    high: float = 1.0


Step = Clip | Affine | ZScore | MinMax
_KINDS: dict[str, type[Step]] = {
    "clip": Clip,
    "affine": Affine,
    "zscore": ZScore,
    "minmax": MinMax,
}


def step_json(step: Step) -> dict[str, Any]:
    """As a model description has it: ``{"step": "clip", "low": -1000, "high": 800}``."""
    name = next(name for name, kind in _KINDS.items() if isinstance(step, kind))
    return {"step": name} | {key: getattr(step, key) for key in type(step).__slots__}


def step_from_json(content: dict[str, Any]) -> Step:
    """Inverse of `step_json`; ValueError for what is no step."""
    kind = _KINDS.get(content.get("step", ""))
    if kind is None:
        raise ValueError(f"expected a step of {', '.join(_KINDS)}, got {content.get('step')!r}")
    return kind(**{key: value for key, value in content.items() if key != "step"})


def window(low: float, high: float) -> tuple[Step, ...]:
    """Clip to a window and bring it to [-1, 1]."""
    return Clip(low, high), Affine((high + low) / 2, (high - low) / 2)


def fixed(steps: Sequence[Step], parts: Callable[[], Iterable[Array]]) -> tuple[Step, ...]:
    """The same steps with numbers in place of what depends on the whole image.

    Parameters
    ----------
    steps
        As a model declares them.
    parts
        Gives the image, slab by slab; called once for each step that needs to know all of it.

    Returns
    -------
    tuple of Step
        `Clip`, `Affine` and `_NonzeroAffine` alone.
    """
    known: list[Any] = []
    for step in steps:
        if isinstance(step, (Clip, Affine)):
            known.append(step)
        elif isinstance(step, ZScore):
            known.append(_standardised(step, known, parts()))
        else:
            known.append(_stretched(step, known, parts()))
    return tuple(known)


@dataclass(frozen=True, slots=True)
class _NonzeroAffine:
    """As `Affine`, of what is not 0."""

    subtract: float
    divide: float


def applied(steps: Sequence[Any], values: NDArray[Any]) -> Array:
    """Values after `fixed` steps: float32, a new array."""
    out = np.array(values, np.float32)
    for step in steps:
        if isinstance(step, Clip):
            np.clip(out, step.low, step.high, out=out)
        elif isinstance(step, Affine):
            out -= np.float32(step.subtract)
            out /= np.float32(step.divide)
        else:
            there = out != 0
            out[there] = (out[there] - np.float32(step.subtract)) / np.float32(step.divide)
    return out


def _standardised(
    step: ZScore, before: Sequence[Any], parts: Iterable[Array]
) -> Affine | _NonzeroAffine:
    count, total, squares = 0, 0.0, 0.0
    for part in parts:
        values = applied(before, part)
        values = values[values != 0] if step.nonzero else values.ravel()
        count += values.size
        total += float(values.sum(dtype=np.float64))
        squares += float(np.square(values, dtype=np.float64).sum())
    mean = total / max(1, count)
    deviation = max(0.0, squares / max(1, count) - mean**2) ** 0.5
    kind = _NonzeroAffine if step.nonzero else Affine
    return kind(mean, max(deviation, 1e-8))


def _stretched(step: MinMax, before: Sequence[Any], parts: Iterable[Array]) -> Affine:
    low, high = np.inf, -np.inf
    for part in parts:
        values = applied(before, part)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    if not low < high:  # a flat image becomes `low`
        return Affine(low - step.low, 1.0)
    divide = (high - low) / (step.high - step.low)
    return Affine(low - step.low * divide, divide)
