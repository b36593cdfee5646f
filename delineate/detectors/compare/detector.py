"""The detector: register, level, compare, name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from delineate.contour import trace
from delineate.detectors.compare import CompareOptions
from delineate.detectors.compare.changes import Change, changes
from delineate.detectors.compare.faults import fault
from delineate.detectors.compare.levels import copper_is_bright, greys, levelled
from delineate.detectors.compare.registration import Registration, register, warped
from delineate.errors import OptionError, UnsuitableImageError
from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins import Detection, Instance, Instances, Monitor

__all__ = ["TemplateComparison"]

Floats = NDArray[np.float32]

_AGREE = 0.75  # correlation below which the pictures are not of the same board
_COVER = 0.5  # share of the picture that the template has to cover
_STRETCH = 1.25  # by how much registration may scale one picture
_SAME_ASPECT = 0.02  # relative
_SAME_SIZE = 0.1  # relative
_CHANGED = 0.2  # share of the picture above which it is another board
_SMALLEST = 32  # samples a side


class TemplateComparison:
    """Faults of a board: what differs from a template of the same board without any.

    The template is laid over the picture, both are brought to two levels (0 board, 1 copper)
    whatever the illumination, and what differs by more than edges wander is outlined and named by
    what it touches.
    """

    def detect_monitored(
        self, image: Image, options: CompareOptions, monitor: Monitor
    ) -> Detection:
        """Find the faults, from the highest score to the lowest."""
        if options.template is None:
            raise OptionError(
                "defects.compare needs option 'template': a picture of the same board without a "
                "fault, such as --option template=board.jpg"
            )
        picture, template = greys(image, _demand_photograph(options.template.image))
        monitor.progress(0.05, "registering")
        placed = register(
            picture,
            template,
            _start(picture.shape, template.shape),
            options.max_shift * max(picture.shape),
            monitor.checkpoint,
        )
        _demand_same_board(placed)
        monitor.checkpoint()
        monitor.progress(0.5, "comparing")
        template = levelled(template, None, "template")
        monitor.checkpoint()
        is_bright, remarks = _polarity(template, options)
        template = warped(template, placed.matrix, picture.shape)
        monitor.checkpoint()
        unknown = np.isnan(template)
        picture = levelled(np.where(unknown, np.nan, picture), template > 0.5, "picture")
        if not is_bright:
            picture, template = 1 - picture, 1 - template
        monitor.checkpoint()
        monitor.progress(0.7, "comparing")
        found = list(
            changes(picture, template, options.contrast, options.tolerance, options.min_area)
        )
        _demand_few(found, picture.size)
        if unknown.any():
            remarks.append(f"{unknown.mean():.1%} of the picture lies beyond the template")
        monitor.progress(0.9, "naming")
        copper = template > 0.5
        named = [(fault(each, copper, options.tolerance), each) for each in found]
        return _detection(named, image.grid, options, remarks)


def _demand_photograph(template: Image) -> Image:
    if template.grid.shape[0] != 1:
        raise UnsuitableImageError(
            f"expected a template of one slice, got {template.grid.shape[0]}; give a photograph"
        )
    return template


def _start(picture: Sequence[int], template: Sequence[int]) -> NDArray[np.float64]:
    """The first guess: the template scaled to the picture, or centre upon centre."""
    if min(*picture, *template) < _SMALLEST:
        raise UnsuitableImageError(
            f"expected pictures of at least {_SMALLEST} x {_SMALLEST} samples, got "
            f"{_size(picture)} and a template of {_size(template)}"
        )
    ratio = np.array(template) / np.array(picture)
    if abs(ratio[0] / ratio[1] - 1) <= _SAME_ASPECT:
        scale, shift = ratio, (ratio - 1) / 2
    elif abs(ratio - 1).max() <= _SAME_SIZE:
        scale, shift = np.ones(2), (np.array(template) - np.array(picture)) / 2
    else:
        raise UnsuitableImageError(
            f"the picture is {_size(picture)} samples, the template {_size(template)}: they do not "
            "show the same part of a board; cut both to the same view"
        )
    return np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]], [0, 0, 1.0]])


def _size(shape: Sequence[int]) -> str:
    return f"{shape[1]} x {shape[0]}"


def _demand_same_board(placed: Registration) -> None:
    if placed.agreement < _AGREE or placed.covered < _COVER:
        raise UnsuitableImageError(
            "the two pictures do not show the same board: laid upon each other as well as can be "
            f"they correlate by {placed.agreement:.2f} (expected at least {_AGREE}) and overlap by "
            f"{placed.covered:.0%} (expected at least {_COVER:.0%}); choose the template of this "
            "board, the same way up and by the same kind of light, or allow a larger max_shift"
        )


def _demand_few(found: Sequence[Change], size: int) -> None:
    share = sum(each.area for each in found) / size
    if share > _CHANGED:
        raise UnsuitableImageError(
            f"the two pictures do not show the same board: {share:.0%} of it differs, expected at "
            f"most {_CHANGED:.0%}; choose the template of this board"
        )


def _polarity(template: Floats, options: CompareOptions) -> tuple[bool, list[str]]:
    if options.copper != "auto":
        return options.copper == "bright", []
    is_bright = copper_is_bright(template)
    if is_bright is None:
        return False, [
            "whether copper is bright or dark does not show; it was taken to be dark, which bears "
            "on what faults are called: say copper=bright if it is not"
        ]
    level, other = ("bright", "dark") if is_bright else ("dark", "bright")
    return is_bright, [f"copper was taken to be {level}; say copper={other} if it is not"]


def _detection(
    named: Sequence[tuple[Category, Change]],
    grid: Grid,
    options: CompareOptions,
    remarks: Sequence[str],
) -> Detection:
    scored = [(_score(change, options), category, change) for category, change in named]
    scored.sort(key=lambda each: (-each[0], each[2].row, each[2].column))
    return Detection(
        Instances(
            tuple(
                Instance(
                    category,
                    score,
                    box=_box(change, grid, options.margin),
                    polygon=_polygon(change),
                )
                for score, category, change in scored
            ),
            grid,
        ),
        measurements={
            number: {"changed_samples": change.area, "contrast": change.contrast}
            for number, (_, _, change) in enumerate(scored, 1)
        },
        remarks=tuple(remarks),
    )


def _score(change: Change, options: CompareOptions) -> float:
    """Higher for what is larger and has more contrast; no probability."""
    return change.contrast * change.area / (change.area + 4 * options.min_area)


def _box(
    change: Change, grid: Grid, margin: float
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    rows, columns = change.mask.shape
    _, height, width = grid.shape
    low = (-0.5, max(change.row - margin, 0) - 0.5, max(change.column - margin, 0) - 0.5)
    high = (
        0.5,
        min(change.row + rows + margin, height) - 0.5,
        min(change.column + columns + margin, width) - 0.5,
    )
    return low, high


def _polygon(change: Change) -> NDArray[np.float64]:
    """The outer ring of its largest piece; index ``(slice, row, column)``."""
    grid = Grid.regular((1, *change.mask.shape), unit="px")
    rings = trace(LabelMap(change.mask[None].astype(np.uint8), grid, {}), 1)
    outer = max((each for each in rings if not each.is_hole), key=lambda each: each.area)
    x, y, _ = outer.points.T
    return np.column_stack([np.zeros(len(x)), y + change.row, x + change.column])
