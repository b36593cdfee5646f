"""The suite that comes with delineate, and one case counted by hand."""

import numpy as np

from delineate import Grid, Image, delineate
from delineate.testing import DetectorTests


class TestBrightSpots(DetectorTests):
    detector_id = "bright-spots"

    def sample(self) -> Image:
        array = np.zeros((1, 40, 60, 3), np.uint8)
        array[0, 5:9, 10:15] = 250
        array[0, 20:30, 30:34] = 200
        array[0, 35, 50] = 255  # one sample: too small
        grid = Grid.regular((1, 40, 60), unit="px")
        return Image(array, grid, "photo", ("red", "green", "blue"))

    def test_it_counts_two_spots_of_60_samples_together(self) -> None:
        found = delineate(self.sample(), "bright-spots")

        assert found.notes == ("2 spots",)
        assert found.findings[0].measurements["area_px"] == 4 * 5 + 10 * 4
