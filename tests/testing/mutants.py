"""Healthy detectors, and for every law at least one that is ill in just that way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Described
from pydantic import field_validator
from scipy import ndimage

from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins import (
    Classes,
    Detection,
    DetectorSpec,
    Field,
    Instance,
    Instances,
    Masks,
    Monitor,
    Options,
    Wants,
)

SPOT, RIM = Category("spot"), Category("rim")
CALLS = count(1)
SET_UP: list[str] = []  # what a script did before the detector ran


def bright(image: Image) -> NDArray[np.bool_]:
    return np.asarray(image.array > 100)


def labelled(mask: NDArray[Any], image: Image) -> LabelMap:
    return LabelMap(mask.astype(np.uint8), image.grid, {1: SPOT})


# Healthy, one of each kind.


class Labels:
    def detect(self, image: Image, options: Options) -> LabelMap | Detection:
        return labelled(bright(image), image)


class Layers:
    def detect(self, image: Image, options: Options) -> Masks:
        spots = bright(image)
        return Masks(np.stack([spots, ndimage.binary_dilation(spots)]), image.grid, (SPOT, RIM))


class Points:
    """The middles of bright things, at most four samples wide."""

    def detect(self, image: Image, options: Options) -> Instances:
        pieces, number = ndimage.label(bright(image))
        middles = ndimage.center_of_mass(pieces > 0, pieces, range(1, number + 1))
        items = (Instance(SPOT, 0.9, point=tuple(place)) for place in middles)
        return Instances(tuple(items), image.grid)


class Whole:
    def detect(self, image: Image, options: Options) -> Classes:
        return Classes({SPOT: float(image.array.max()) / 255})


class Scores:
    def detect(self, image: Image, options: Options) -> Field:
        smooth = ndimage.gaussian_filter(image.array.astype(np.float32), 1.0)
        return Field(smooth / 255, image.grid, SPOT, "brightness", 0.3)


class Finer:
    def detect(self, image: Image, options: Options) -> Image:
        grid = image.grid.with_spacing(tuple(step / 2 for step in image.grid.spacing))  # type: ignore[arg-type]
        array = image.array.repeat(2, 0).repeat(2, 1).repeat(2, 2)
        return Image(array, grid, image.modality)


class Attentive:
    """Works for a while on what is large, and listens."""

    def detect_monitored(self, image: Image, options: Options, monitor: Monitor) -> LabelMap:
        rounds = 200 if image.array.size > 100_000 else 4
        for number in range(rounds):
            monitor.checkpoint()
            monitor.progress(number / rounds, "looking")
            time.sleep(0.02)
        return labelled(bright(image), image)


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


def spec(factory: str, **declared: Any) -> DetectorSpec:
    """A detector of this module."""
    categories = declared.pop("categories", (SPOT, RIM))
    return DetectorSpec(
        id=declared.pop("id", factory.lower()),
        title=factory,
        factory=f"mutants:{factory}",
        categories=categories,
        **declared,
    )


TILES = Wants(tile=(8, 16, 16), overlap=6)
ORIENTED = Wants(orientation="SPL")

HEALTHY = {
    one.id: one
    for one in (
        spec("Labels"),
        spec("Labels", id="labels.oriented", wants=ORIENTED),
        spec("Labels", id="labels.tiled", wants=TILES),
        spec("Layers", gives="masks"),
        spec("Layers", id="layers.tiled", gives="masks", wants=TILES),
        spec("Points", gives="instances"),
        spec("Points", id="points.tiled", gives="instances", wants=TILES),
        spec("Whole", gives="classes"),
        spec("Scores", gives="field", memory_bytes_per_sample=8),
        spec("Finer", gives="image", memory_bytes_per_sample=16),
        spec("Attentive"),
    )
}

# Which law catches which, and what that law's suite states.
ILL: tuple[tuple[DetectorSpec, str, dict[str, Any]], ...] = (
    (spec("Labels", options=Undescribed), "every_option_has_a_default_and_a_description", {}),
    (spec("Labels", options=Demanding), "every_option_has_a_default_and_a_description", {}),
    (spec("Labels", options=Drifting), "its_options_survive_json", {}),
    (spec("Blind"), "it_finds_something_in_the_sample", {}),
    (spec("Inventive"), "it_finds_only_what_it_declares", {}),
    (spec("Misplaced", gives="image"), "it_answers_on_the_grid_of_the_image", {}),
    (spec("Fickle"), "it_finds_the_same_twice", {}),
    (spec("Remembering"), "it_finds_the_same_twice", {}),
    (spec("SetUpElsewhere"), "it_finds_the_same_in_a_process_of_its_own", {}),
    (spec("Meddler"), "it_leaves_the_image_alone", {}),
    (spec("Talkative"), "its_result_is_json", {}),
    (spec("Shifted"), "it_finds_the_same_when_axes_run_backwards", {}),
    (
        spec("ShiftedPoints", gives="instances"),
        "it_finds_the_same_when_axes_run_backwards",
        {"equivariant": {"flips": 0.5}},
    ),
    (spec("Transposed"), "it_finds_the_same_when_axes_run_backwards", {}),
    (spec("ColumnsOnly"), "it_finds_the_same_when_axes_change_places", {}),
    (
        spec("Shifted", wants=ORIENTED),
        "it_finds_mirrored_things_where_they_are",
        {"equivariant": {"flips": 0.02}},
    ),
    (spec("Flipped"), "it_finds_the_same_when_a_border_is_added", {}),
    (spec("Presuming"), "it_finds_the_same_when_a_border_is_added", {}),
    (spec("Worldly"), "positions_move_along_with_the_origin", {}),
    (spec("Rounding"), "it_works_on_samples_that_are_no_cubes", {}),
    (spec("OwnGrid"), "it_works_on_slices_that_are_tilted", {}),
    (
        spec("Points", gives="instances", wants=Wants(tile=(8, 16, 16), overlap=1)),
        "no_seam_shows",
        {},
    ),
    (spec("Wary", wants=TILES), "no_seam_shows", {}),
    (spec("Fragile"), "it_survives_a_blank_image", {}),
    (spec("Wide"), "it_survives_an_image_of_one_sample", {}),
    (spec("Falling"), "its_progress_stays_between_0_and_1_and_never_falls", {}),
    (spec("PerCent"), "its_progress_stays_between_0_and_1_and_never_falls", {}),
    (spec("Deaf"), "it_stops_when_it_is_asked_to", {}),
    (spec("Stubborn"), "it_stops_when_it_is_asked_to", {}),
    (spec("Glutton", memory_mb=300), "its_memory_stays_within_its_estimate", {}),
)


def installed() -> Iterator[DetectorSpec]:
    """For the entry point."""
    return iter(HEALTHY.values())
