"""One closed planar ring in the world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Contour", "unchecked"]


@dataclass(frozen=True, slots=True, eq=False)
class Contour:
    """One closed planar ring; the last point joins the first.

    Parameters
    ----------
    points
        ``(n, 3)``, n >= 3: world positions ``(x, y, z)``, LPS mm (or px on a grid in pixels).
        The first point is not repeated at the end.
    is_hole
        Whether the ring bounds a hole of the ring before it that is no hole.
    """

    points: NDArray[np.float64]
    is_hole: bool = False

    def __post_init__(self) -> None:
        points = np.array(self.points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3 or len(points) < 3:
            raise ValueError(f"expected at least 3 points of shape (n, 3), got {points.shape}")
        if not np.isfinite(points).all():
            raise ValueError("a contour holds NaN or infinity")
        points.setflags(write=False)
        object.__setattr__(self, "points", points)

    def __reduce__(self) -> tuple[type[Contour], tuple[NDArray[np.float64], bool]]:
        return Contour, (self.points, self.is_hole)  # read-only after a pickle as well

    @property
    def area(self) -> float:
        """Enclosed area, mm² (or px²); positive for holes too."""
        steps = self.points - self.points[0]
        normal = np.cross(steps, np.roll(steps, -1, axis=0)).sum(axis=0)
        return float(np.linalg.norm(normal)) / 2


def unchecked(points: NDArray[np.float64], is_hole: bool) -> Contour:
    """Make a contour of points that are known to be good and already read-only.

    Checking each of the thousands of rings of a volume takes longer than tracing them.
    """
    contour = object.__new__(Contour)
    object.__setattr__(contour, "points", points)
    object.__setattr__(contour, "is_hole", is_hole)
    return contour
