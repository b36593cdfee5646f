"""Laws of what a detector answers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from delineate.delineation import delineate, dumps, to_json
from delineate.imaging import Image
from delineate.plugins.host import Host
from delineate.testing.subject import Subject, comparable, hold, shows

__all__ = ["AnswerLaws"]

_FACES = 0.1  # of a sample; a grid that is half a sample off by halving the step is off by 0.25


class AnswerLaws(Subject):
    """It answers, always the same, as declared, on the grid it was given."""

    def test_it_finds_something_in_the_sample(self) -> None:
        """To mend: give a sample in which there is something to find; if there is, try the
        detector on it by hand.
        """
        hold(shows(self.found), "nothing is found in the sample")

    def test_it_finds_only_what_it_declares(self) -> None:
        """To mend: list every category that may be returned in ``categories``, and return those
        very ones.
        """
        declared = set(self.spec.categories)
        stray = {finding.category.name for finding in self.found.findings} - {
            category.name for category in declared
        }
        hold(not stray, f"it finds {sorted(stray)}, which it does not declare")

    def test_it_answers_on_the_grid_of_the_image(self) -> None:
        """To mend: hand on ``image.grid``. An enlarged image lies where the image did: the outer
        faces of its samples coincide, as those of ``image.grid.with_spacing(...)`` do.
        """
        output, grid = self.found.output, self.sample().grid
        if not isinstance(output, Image):
            own = getattr(output, "grid", grid)
            hold(own.matches(grid), f"it answers on a grid of shape {own.shape}")
            return
        low, high = np.full(3, -0.5), np.subtract(grid.shape, 0.5)
        step = np.divide(grid.shape, output.grid.shape)
        near = grid.to_index(output.grid.to_world(low)) - low
        far = grid.to_index(output.grid.to_world(np.subtract(output.grid.shape, 0.5))) - high
        off = max(np.abs(near).max(), (np.abs(far) - step / 2).max())
        hold(off <= _FACES, f"the restored image lies {off:.2f} samples beside the image")

    def test_it_finds_the_same_twice(self) -> None:
        """To mend: seed every random generator within ``detect``, and keep nothing of one image
        for the next.
        """
        first, image = comparable(self.found), self.sample()
        hold(
            image.content_hash == self.found.image.content_hash, "sample() is another at each call"
        )
        self.find_if_suitable(_upside_down(image), "another image")

        hold(comparable(self.find(image)) == first, "another result for the same image")

    def test_it_finds_the_same_in_a_process_of_its_own(self) -> None:
        """To mend: keep to what is imported or loaded by the factory; what a script has set up
        elsewhere is not there in the detector's own process.
        """
        with Host(self.spec) as host:
            hosted = delineate(self.sample(), self.spec, self.options, runner=host)

        hold(comparable(hosted) == comparable(self.found), "another result in its own process")

    def test_it_leaves_the_image_alone(self) -> None:
        """To mend: work on a copy: ``image.array.astype(...)`` makes one, a view does not."""
        image = self.sample()
        own = image.array.copy()

        self.find(replace(image, array=own))

        hold(np.array_equal(own, image.array, equal_nan=own.dtype.kind == "f"), "it was edited")

    def test_its_result_is_json(self) -> None:
        """To mend: return plain numbers and strings as scores, notes and measurements."""
        document = to_json(self.found)

        hold(json.loads(dumps(document)) == document, "the result changes on a way through JSON")


def _upside_down(image: Image) -> Image:
    return replace(image, array=np.ascontiguousarray(image.array[:, ::-1]))
