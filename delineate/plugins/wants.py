"""What images a detector reads."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

from delineate.imaging import axis_order

__all__ = ["Wants"]

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What images a detector reads; the framework brings them to this form or refuses.

    Parameters
    ----------
    modalities
        Modalities accepted, such as ``("CT",)``; empty for any.
    unit
        ``"mm"``: refuse pictures of unknown scale. ``None``: either.
    dimensions
        3: a volume. 2: a single slice; a volume is refused. ``None``: either.
    min_slices
        Fewest slices that make sense.
    min_size, max_size
        ``(slice, row, column)``: fewest and most samples, in the orientation wanted and before
        any resampling; ``None`` for any.
    refuses
        What else it refuses, in words for people, such as ``"scans of the head"``; ``detect``
        raises :class:`~delineate.errors.UnsuitableImageError` then.
    spacing_mm
        ``(slice, row, column)`` to resample to before ``detect``; ``None`` for native.
    orientation
        Axis order and sense wanted, such as ``"SPL"``; ``None`` for native.
    channels
        Number of channels (0: grey without a channel axis); ``None`` for any. Photographs are
        converted: grey to colour by repeating, colour to grey by luminance, opacity left out.
    window
        ``(low, high)``: samples are clipped to it and scaled to 0 to 1, float32. ``None``: as
        they are.
    tile
        Most ``(slice, row, column)`` that ``detect`` is given at once. Larger images are cut; what
        is found in the parts is merged so that no seam shows and nothing counts twice.
    overlap
        Samples that neighbouring tiles share along each axis that is cut, at most half of them:
        more than the largest thing looked for.
    """

    modalities: tuple[str, ...] = ()
    unit: Literal["mm", "px"] | None = None
    dimensions: Literal[2, 3] | None = None
    min_slices: int = 1
    min_size: Triple | None = None
    max_size: Triple | None = None
    refuses: tuple[str, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None
    orientation: str | None = None
    channels: int | None = None
    window: tuple[float, float] | None = None
    tile: Triple | None = None
    overlap: int = 0

    def __post_init__(self) -> None:
        if self.orientation is not None:
            axis_order("SPL", self.orientation)  # raises if it is none
        steps = self.spacing_mm
        if steps is not None and not (len(steps) == 3 and all(0 < step < inf for step in steps)):
            raise ValueError(
                f"expected spacing_mm as three positive numbers (slice, row, column), got {steps}"
            )
        for name in ("min_size", "max_size", "tile"):
            size = getattr(self, name)
            if size is not None and not (len(size) == 3 and min(size) >= 1):
                raise ValueError(
                    f"expected {name} as three numbers of samples (slice, row, column), got {size}"
                )
        if self.window is not None and not -inf < self.window[0] < self.window[1] < inf:
            raise ValueError(f"expected a window (low, high), low below high, got {self.window}")
        if self.overlap < 0 or (self.tile is None and self.overlap):
            raise ValueError(f"expected an overlap of tiles from 0 on, got {self.overlap}")
        if self.tile is not None and 2 * self.overlap > max(self.tile):
            raise ValueError(
                f"expected an overlap of at most half a tile, got {self.overlap} of {self.tile}"
            )

    def tile_shape(self, shape: Triple) -> Triple:
        """The most of an image of that shape that ``detect`` is given at once."""
        if self.tile is None:
            return shape
        a, b, c = (min(size, most) for size, most in zip(shape, self.tile, strict=True))
        return a, b, c
