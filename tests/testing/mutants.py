"""For every law at least one detector that is ill in just that way."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from healthy import (
    ORIENTED,
    SPOT,
    TILES,
    Attentive,
    Finer,
    Labels,
    Points,
    bright,
    labelled,
    spec,
)
from pydantic import Field as Described
from pydantic import field_validator
from scipy import ndimage

from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins import (
    Detection,
    DetectorSpec,
    Instance,
    Instances,
    Monitor,
    Options,
    Wants,
)

CALLS = count(1)
SET_UP: list[str] = []  # what a script did before the detector ran


# Ill in what they declare.


class Undescribed(Options):
    depth: int = 3


class Demanding(Options):
    depth: int = Described(description="How deep.")


class Drifting(Options):
    depth: int = Described(3, description="How deep.")

    @field_validator("depth")
    @classmethod
    def one_more(cls, depth: int) -> int:
        return depth + 1


# Ill in what they answer.


class Blind(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap:
        return labelled(np.zeros(image.grid.shape), image)


class Inventive:
    def detect(self, image: Image, options: Options) -> LabelMap:
        return LabelMap(bright(image), image.grid, {1: Category("unheard of")})


class Misplaced(Finer):
    """Halves the step and forgets that the first sample moves by a quarter of it."""

    def detect(self, image: Image, options: Options) -> Image:
        affine = image.grid.affine.copy()
        affine[:3, :3] /= 2
        finer = super().detect(image, options)
        return Image(finer.array, Grid(finer.grid.shape, affine, image.grid.unit), image.modality)


class Fickle:
    def detect(self, image: Image, options: Options) -> LabelMap:
        mask = bright(image)
        mask.flat[: next(CALLS)] = True
        return labelled(mask, image)


class Remembering(Labels):
    """Takes the brightest of all images so far for white."""

    def __init__(self) -> None:
        self.seen = 0.0

    def detect(self, image: Image, options: Options) -> LabelMap:
        changed = float(image.array[0, 0].sum()) != self.seen
        self.seen = float(image.array[0, 0].sum())
        return labelled(bright(image) if changed else ~bright(image), image)


class SetUpElsewhere(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap:
        return labelled(bright(image) if SET_UP else ~bright(image), image)


class Meddler(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap | Detection:
        found = super().detect(image, options)
        if isinstance(image.array.base, np.ndarray):
            image.array.base[...] = 7
        return found


class Talkative(Labels):
    def detect(self, image: Image, options: Options) -> Detection:
        lines: Any = {1: (Path("not a string"),)}
        return Detection(labelled(bright(image), image), notes=lines)


# Ill in where they find things.


class Shifted(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap:
        return labelled(np.roll(bright(image), 1, axis=2), image)


class ShiftedPoints(Points):
    def detect(self, image: Image, options: Options) -> Instances:
        found = super().detect(image, options)
        items = [Instance(SPOT, i.score, point=tuple(np.add(i.point, 1))) for i in found.items]  # type: ignore[arg-type]
        return Instances(tuple(items), image.grid)


class Flipped(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap:
        return labelled(bright(image)[:, :, ::-1], image)


class Transposed(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap:
        return labelled(bright(image).transpose(0, 2, 1), image)


class ColumnsOnly(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap:
        return labelled(ndimage.binary_dilation(bright(image), np.ones((1, 1, 3))), image)


class Presuming(Labels):
    """Has learned where spots were."""

    def detect(self, image: Image, options: Options) -> LabelMap:
        mask = np.zeros(image.grid.shape)
        mask[:, 4:7, 5:9] = 1
        return labelled(mask, image)


class Worldly(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap:
        x = image.grid.to_world(np.indices(image.grid.shape).T)[..., 0].T
        return labelled(bright(image) & (x < 12), image)


class Rounding(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap:
        width = 3 // int(min(image.grid.spacing))
        return labelled(bright(image) & (width > 0), image)


class OwnGrid(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap:
        grid = Grid.regular(
            image.grid.shape, image.grid.spacing, tuple(image.grid.affine[:3, 3]), image.grid.unit
        )
        return LabelMap(bright(image), grid, {1: SPOT})


class Wary(Labels):
    """Leaves out what is near the edge of what it is given."""

    def detect(self, image: Image, options: Options) -> LabelMap:
        mask = bright(image)
        mask[:, :, :4] = mask[:, :, -4:] = False
        return labelled(mask, image)


# Ill in how they behave.


class Fragile(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap | Detection:
        if image.array.min() == image.array.max() and image.array.size > 1:
            raise ZeroDivisionError("nothing there")
        return super().detect(image, options)


class Wide(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap | Detection:
        np.gradient(image.array.astype(float), axis=1)
        return super().detect(image, options)


class Falling(Labels):
    def detect_monitored(self, image: Image, options: Options, monitor: Monitor) -> LabelMap:
        for share in (0.2, 0.8, 0.5):
            monitor.progress(share)
        return labelled(bright(image), image)


class PerCent(Labels):
    def detect_monitored(self, image: Image, options: Options, monitor: Monitor) -> LabelMap:
        for share in (20, 50, 100):
            monitor.progress(share)
        return labelled(bright(image), image)


class Deaf(Labels):
    def detect_monitored(self, image: Image, options: Options, monitor: Monitor) -> LabelMap:
        if image.array.size > 100_000:
            time.sleep(4)
        return labelled(bright(image), image)


class Stubborn(Attentive):
    """Takes the wish to stop for one of many things that can go wrong."""

    def detect_monitored(self, image: Image, options: Options, monitor: Monitor) -> LabelMap:
        for _ in range(200 if image.array.size > 100_000 else 1):
            try:
                monitor.checkpoint()
            except Exception:
                continue
            finally:
                time.sleep(0.02)
        return labelled(bright(image), image)


class Glutton(Labels):
    def detect(self, image: Image, options: Options) -> LabelMap:
        squares = np.square(np.stack([image.array.astype(np.float64)] * 24))
        return labelled(bright(image) & (squares.sum(axis=0) > 0), image)


def ill(factory: str, **declared: Any) -> DetectorSpec:
    """A detector of this module."""
    return spec(factory, "mutants", **declared)


# Which law catches which, and what that law's suite states.
ILL: tuple[tuple[DetectorSpec, str, dict[str, Any]], ...] = (
    (spec("Labels", options=Undescribed), "every_option_has_a_default_and_a_description", {}),
    (spec("Labels", options=Demanding), "every_option_has_a_default_and_a_description", {}),
    (spec("Labels", options=Drifting), "its_options_survive_json", {}),
    (ill("Blind"), "it_finds_something_in_the_sample", {}),
    (ill("Inventive"), "it_finds_only_what_it_declares", {}),
    (ill("Misplaced", gives="image"), "it_answers_on_the_grid_of_the_image", {}),
    (ill("Fickle"), "it_finds_the_same_twice", {}),
    (ill("Remembering"), "it_finds_the_same_twice", {}),
    (ill("SetUpElsewhere"), "it_finds_the_same_in_a_process_of_its_own", {}),
    (ill("Meddler"), "it_leaves_the_image_alone", {}),
    (ill("Talkative"), "its_result_is_json", {}),
    (ill("Shifted"), "it_finds_the_same_when_axes_run_backwards", {}),
    (
        ill("ShiftedPoints", gives="instances"),
        "it_finds_the_same_when_axes_run_backwards",
        {"equivariant": {"flips": 0.5}},
    ),
    (ill("Transposed"), "it_finds_the_same_when_axes_run_backwards", {}),
    (ill("ColumnsOnly"), "it_finds_the_same_when_axes_change_places", {}),
    (
        ill("Shifted", wants=ORIENTED),
        "it_finds_mirrored_things_where_they_are",
        {"equivariant": {"flips": 0.02}},
    ),
    (ill("Flipped"), "it_finds_the_same_when_a_border_is_added", {}),
    (ill("Presuming"), "it_finds_the_same_when_a_border_is_added", {}),
    (ill("Worldly"), "positions_move_along_with_the_origin", {}),
    (ill("Rounding"), "it_works_on_samples_that_are_no_cubes", {}),
    (ill("OwnGrid"), "it_works_on_slices_that_are_tilted", {}),
    (
        spec("Points", gives="instances", wants=Wants(tile=(8, 16, 16), overlap=1)),
        "no_seam_shows",
        {},
    ),
    (ill("Wary", wants=TILES), "no_seam_shows", {}),
    (ill("Fragile"), "it_survives_a_blank_image", {}),
    (ill("Wide"), "it_survives_an_image_of_one_sample", {}),
    (ill("Falling"), "its_progress_stays_between_0_and_1_and_never_falls", {}),
    (ill("PerCent"), "its_progress_stays_between_0_and_1_and_never_falls", {}),
    (ill("Deaf"), "it_stops_when_it_is_asked_to", {}),
    (ill("Stubborn"), "it_stops_when_it_is_asked_to", {}),
    (ill("Glutton", memory_mb=300), "its_memory_stays_within_its_estimate", {}),
)
