"""What a round trip through a file loses, measured on the file itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from delineate.contour import Deviation, deviation
from delineate.imaging import Grid, LabelMap

__all__ = ["RoundTrip", "round_trip"]


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """How what was read back of a file differs from what was to be written.

    Parameters
    ----------
    structures
        The labels, by number.
    unit
        Of the distances, ``"mm"`` or ``"px"``.
    moved
        Outlines or surfaces in the file lie at most so far from the edges of the samples they
        enclose: what smoothing and the like were allowed.
    """

    structures: Mapping[int, Deviation]
    unit: str = "mm"
    moved: float = 0.0

    @property
    def dice(self) -> float:
        """Of the structure that has lost most; 1.0 where there is none."""
        return min((one.dice for one in self.structures.values()), default=1.0)

    @property
    def largest_distance(self) -> float | None:
        """Of all structures; ``None`` where one was lost, or came from nothing."""
        far = [one.largest_distance for one in self.structures.values()]
        known = [distance for distance in far if distance is not None]
        return None if len(known) < len(far) else max(known, default=0.0)

    @property
    def sentence(self) -> str:
        """For people, at most 64 characters; never better than it is."""
        dice = f"round trip: Dice {math.floor(self.dice * 1e6) / 1e6:.6f}"
        if self.largest_distance is None:
            return f"{dice}, a structure lost"
        far = math.ceil(max(self.largest_distance, self.moved) * 1e3 - 1e-9) / 1e3
        at_most = "at most " if self.moved else ""
        return f"{dice}, largest distance {at_most}{far:.3f} {self.unit}"

    def to_json(self) -> dict[str, Any]:
        """As the sidecar of exports has it."""
        return {
            "dice": self.dice,
            f"largest_distance_{self.unit}": self.largest_distance,
            f"outlines_moved_at_most_{self.unit}": self.moved,
            "sentence": self.sentence,
            "structures": {
                str(number): {
                    "dice": one.dice,
                    f"largest_distance_{self.unit}": one.largest_distance,
                }
                for number, one in sorted(self.structures.items())
            },
        }


def round_trip(
    written: Sequence[LabelMap], back: Sequence[LabelMap], grid: Grid, moved: float = 0.0
) -> RoundTrip:
    """Compare what was written with what was read back, structure by structure.

    Parameters
    ----------
    written, back
        Layers on ``grid``. A structure that is in ``back`` alone counts as well: nothing became
        something.
    moved
        As :class:`RoundTrip` has it.
    """
    found: dict[int, Deviation] = {}
    for layer in written:
        if any(np.array_equal(layer.array, other.array) for other in back):
            found.update(dict.fromkeys(layer.present(), Deviation(1.0, 0.0)))
    there = {number: layer for layer in back for number in layer.present()}
    meant = {number: layer for layer in written for number in layer.present()}
    looked_for = {number for layer in written for number in layer.categories}
    nothing = np.zeros(grid.shape, bool)
    for number in sorted((looked_for | there.keys() | meant.keys()) - found.keys()):
        one, other = (
            side[number].mask(number) if number in side else nothing for side in (meant, there)
        )
        found[number] = deviation(one, other, grid)
    return RoundTrip(dict(sorted(found.items())), grid.unit, moved)
