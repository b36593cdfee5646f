"""Whole phantoms: a tissue map, and the CT and labels made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.phantom.abdomen import paint_abdomen
from delineate.phantom.anatomy import Anatomy, draw_anatomy
from delineate.phantom.attenuation import Phase, draw_attenuation, draw_phase
from delineate.phantom.canvas import Bend, Canvas
from delineate.phantom.chest import paint_chest
from delineate.phantom.diaphragm import Diaphragm
from delineate.phantom.head import paint_head
from delineate.phantom.pelvis import paint_pelvis
from delineate.phantom.scanner import Scanner
from delineate.phantom.skeleton import paint_ribs, paint_shoulders, paint_spine
from delineate.phantom.tissue import STRUCTURE_OF_TISSUE, STRUCTURES, Tissue
from delineate.phantom.wall import paint_body

_AUXILIARY = ("vena_cava", "bowel", "pancreas", "gallbladder")


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A painted body.

    Attributes
    ----------
    tissue
        uint8, shape (slice, row, column), `Tissue` values, read-only.
    grid
        LPS, slices towards the head, rows towards the back, columns towards the left.
    anatomy
        The measures it was painted from.
    """

    tissue: NDArray[np.uint8]
    grid: Grid
    anatomy: Anatomy


def paint_torso(
    seed: int | np.random.Generator,
    spacing_mm: tuple[float, float, float] = (4.0, 4.0, 4.0),
    extent_mm: tuple[float, float] = (-420.0, 260.0),
) -> Body:
    """Paint a body.

    Parameters
    ----------
    seed
        Seed or generator. One seed gives the same body on every grid.
    spacing_mm
        Distances between slices, rows and columns.
    extent_mm
        Lowest and highest z; the whole range of the phantom is from the knees at -700 to the
        crown at 550, with the xiphoid process at 0.

    Returns
    -------
    Body
        In the patient's LPS millimetres; x = 0 is the middle of the body.
    """
    rng = np.random.default_rng(seed)
    anatomy = draw_anatomy(rng)
    bend = Bend.draw(rng, amplitude_mm=float(rng.uniform(3, 9)))
    half_width = anatomy.half_width_mm + (95 if anatomy.arms < 0.3 else 40)
    half_depth = anatomy.half_depth_mm + 55
    axes = (
        np.arange(extent_mm[0], extent_mm[1], spacing_mm[0]),
        np.arange(-half_depth, half_depth, spacing_mm[1]),
        np.arange(-half_width, half_width, spacing_mm[2]),
    )
    canvas = Canvas(axes, bend)
    frame = paint_body(canvas, anatomy, rng)
    paint_ribs(canvas, anatomy, frame, rng)
    diaphragm = Diaphragm.draw(canvas, anatomy, frame, rng)
    heart = paint_chest(canvas, anatomy, frame, diaphragm, rng)
    paint_pelvis(canvas, anatomy, frame, rng)
    paint_abdomen(canvas, anatomy, frame, diaphragm, heart, rng)
    paint_spine(canvas, anatomy, frame, rng)
    paint_shoulders(canvas, anatomy, frame)
    if extent_mm[1] > 300:
        paint_head(canvas, np.random.default_rng(rng.integers(2**32)))
    tissue = canvas.tissue
    tissue.setflags(write=False)
    origin = (float(axes[2][0]), float(axes[1][0]), float(axes[0][0]))
    return Body(tissue, Grid.regular(canvas.tissue.shape, spacing_mm, origin), anatomy)


def scan(
    body: Body,
    seed: int | np.random.Generator,
    phase: Phase | None = None,
    scanner: Scanner | None = None,
) -> Image:
    """Scan a body: HU of its tissues in a contrast phase, table, blur and noise.

    Parameters
    ----------
    body
        What lies on the table.
    seed
        Seed or generator of everything that differs between two scans of one body.
    phase, scanner
        Drawn where not given.
    """
    rng = np.random.default_rng(seed)
    phase = draw_phase(rng) if phase is None else phase
    scanner = Scanner.draw(rng) if scanner is None else scanner
    hu = draw_attenuation(rng, phase, body.anatomy.osteopenia)[_with_table(body)]
    array = scanner.acquire(hu, body.grid.spacing, rng)
    return Image(array, body.grid, modality="CT")


def torso(
    seed: int | np.random.Generator,
    spacing_mm: tuple[float, float, float] = (4.0, 2.5, 2.5),
    extent_mm: tuple[float, float] = (-420.0, 260.0),
    phase: Phase | None = None,
) -> tuple[Image, LabelMap]:
    """Draw a patient and scan him or her.

    Parameters
    ----------
    seed
        Seed or generator.
    spacing_mm
        Distances between slices, rows and columns.
    extent_mm
        Lowest and highest z; see `paint_torso`.
    phase
        Contrast phase, drawn where not given.

    Returns
    -------
    Image
        CT in HU, int16.
    LabelMap
        The true structures on the same grid; labels are places in `tissue.STRUCTURES`.

    Examples
    --------
    >>> image, labels = torso(1, spacing_mm=(12, 8, 8))
    >>> image.array.dtype, labels.categories[3].name
    (dtype('int16'), 'liver')
    """
    rng = np.random.default_rng(seed)
    body = paint_torso(rng, spacing_mm, extent_mm)
    return scan(body, rng, phase), label(body)


def label(body: Body) -> LabelMap:
    """The true structures of a body."""
    array = STRUCTURE_OF_TISSUE[body.tissue]
    categories = {
        number: Category(name)
        for number, name in enumerate(STRUCTURES)
        if number and name not in _AUXILIARY
    }
    array[np.isin(array, [STRUCTURES.index(name) for name in _AUXILIARY])] = 0
    return LabelMap(array, body.grid, categories)


def _with_table(body: Body) -> NDArray[np.uint8]:
    """The tissue map with the table top below the back."""
    anatomy, grid = body.anatomy, body.grid
    shape = grid.shape
    y = grid.affine[1, 3] + grid.affine[1, 1] * np.arange(shape[1])
    x = grid.affine[0, 3] + grid.affine[0, 2] * np.arange(shape[2])
    sag = anatomy.half_depth_mm + 14 - 0.0006 * x**2
    plate = np.abs(y[:, None] - sag - 8) < 7
    tissue = body.tissue.copy()
    tissue[(tissue == Tissue.AIR) & plate] = Tissue.TABLE
    return tissue
