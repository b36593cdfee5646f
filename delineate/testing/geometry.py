"""Laws of where things are found: the same picture, stored or placed otherwise."""

from __future__ import annotations

import math
from dataclasses import replace
from unittest import SkipTest

import numpy as np
from numpy.typing import NDArray

from delineate.delineation import Delineation, Finding, delineate
from delineate.imaging import Image
from delineate.plugins import Instances, Output, Wants
from delineate.testing.difference import compare
from delineate.testing.moves import Move, enlarged, with_affine
from delineate.testing.subject import TOLERANCE, Subject, hold

__all__ = ["GeometryLaws"]

_APART = 0.5  # samples that things may lie apart, whatever share may differ
_SAME = 0.005  # share that rounding may change
_OFFSET = (10.25, -7.5, 33.0)  # in mm or px
_STRETCH = (2.0, 0.5, 1.25)  # of the steps along slice, row, column
_SHEAR = 0.3  # rows that one slice lies further than the one before
_BORDER = (1, 3, 5)  # samples


class GeometryLaws(Subject):
    """What is found stays where it is, however the picture is stored."""

    def test_it_finds_the_same_when_axes_run_backwards(self) -> None:
        """To mend: look for an index that is off by one, or rows taken for columns. If things
        look different in a mirror (letters, organs), say so: ``equivariant = {"flips": None}``,
        or how large a share may differ.
        """
        allowed = self._stored("flips")
        for flips in ((False, False, True), (True, True, False)):
            self._hold_moved(Move(flips=flips), allowed, "stored with axes backwards")

    def test_it_finds_the_same_when_axes_change_places(self) -> None:
        """To mend: take shapes and spacings from ``image.grid`` axis by axis. A detector that
        looks at slices one by one wants an ``orientation``, or says
        ``equivariant = {"permutations": None}``.
        """
        if self.sample().grid.unit == "px":
            raise SkipTest("a picture in pixels has its rows and columns in one order")
        move = Move(order=(1, 2, 0))
        self._hold_moved(move, self._stored("permutations"), "stored with axes in another order")

    def test_it_finds_mirrored_things_where_they_are(self) -> None:
        """To mend: look for an index that is off by one. The law is about detectors that want an
        orientation, and only if ``equivariant`` has a number for ``"flips"``.
        """
        if self.spec.wants.orientation is None:
            raise SkipTest("it wants no orientation; axes that run backwards show the same")
        if self.equivariant.get("flips") is None:
            raise SkipTest("things may look different in a mirror unless equivariant has flips")
        image, move = self.sample(), Move(flips=(True, True, True))
        mirrored = replace(move.image(image), grid=image.grid)
        found = self.find_if_suitable(mirrored, "a mirrored image")
        self._hold(found, move, self.allowed("flips"), "mirrored")

    def test_it_finds_the_same_when_a_border_is_added(self) -> None:
        """To mend: look for indices counted from the end or the middle, and for positions that are
        taken for granted. For a network whose strides show, state the share that may differ:
        ``equivariant = {"shift": 0.1}``.
        """
        shape = self.sample().grid.shape
        slices, rows, columns = (
            more if size > 1 else 0 for more, size in zip(_BORDER, shape, strict=True)
        )
        move = Move(border=(slices, rows, columns))
        self._hold_moved(move, self.allowed("shift"), "given a border before its first samples")

    def test_positions_move_along_with_the_origin(self) -> None:
        """To mend: compute on array indices, not on positions in the world."""
        image = self.sample()
        affine = image.grid.affine.copy()
        affine[:3, 3] += _OFFSET
        moved = self.find(with_affine(image, affine, image.grid.unit))
        difference = compare(_output(moved, image), self.found.output)
        hold(
            difference.share <= _SAME,
            f"{difference.share:.1%} of what is found differs when the origin moves",
        )
        for here, there in zip(self.found.findings, moved.findings, strict=False):
            a, b = _middle(here), _middle(there)
            if a is None or b is None:
                continue
            off = float(np.abs(b - a - _OFFSET).max())
            hold(
                off <= _APART * max(image.grid.spacing),
                f"finding {here.id} lies {off:.2f} {image.grid.unit} off when the origin moves",
            )

    def test_it_works_on_samples_that_are_no_cubes(self) -> None:
        """To mend: take lengths from ``image.grid.spacing`` along each axis; a step may be 0.5 or
        5 mm, so round up what must be at least one sample.
        """
        image = self._of_known_scale()
        affine = image.grid.affine.copy()
        affine[:3, :3] *= _STRETCH
        stretched = with_affine(image, affine, "mm")
        found = self.find_if_suitable(stretched, "samples that are no cubes")
        self._hold_on_grid(found, stretched)
        for finding in found.findings:
            voxels, volume = (finding.measurements.get(n) for n in ("voxels", "volume_ml"))
            if voxels is None or volume is None:
                continue
            expected = voxels * stretched.grid.voxel_size / 1000
            hold(
                abs(volume - expected) <= 1e-3 * expected,
                f"finding {finding.id} of {voxels} samples has {volume} ml, not {expected:.4g}",
            )

    def test_it_works_on_slices_that_are_tilted(self) -> None:
        """To mend: hand on ``image.grid``; one made anew of shape and spacing loses the tilt."""
        image = self._of_known_scale()
        affine = image.grid.affine.copy()
        affine[:3, 0] += _SHEAR * affine[:3, 1]
        tilted = with_affine(image, affine, "mm")
        self._hold_on_grid(self.find_if_suitable(tilted, "tilted slices"), tilted)

    def test_no_seam_shows(self) -> None:
        """To mend: make ``overlap`` larger than the largest thing looked for, and ``tile`` large
        enough to judge by; take nothing from a tile as a whole (its mean, its largest value).
        """
        spec = self.spec
        if spec.wants.tile is None:
            raise SkipTest("it wants no tiles")
        allowed = self.allowed("tiles")
        image = _with_a_seam(self.found, spec.wants, 4 * self.large_samples)
        whole = replace(spec, wants=replace(spec.wants, tile=None, overlap=0))
        expected = delineate(image, whole, self.options, runner=self.runner(whole)).output
        came = self.find(image).output
        difference = compare(came, expected)
        hold(
            difference.share <= allowed and difference.samples <= _APART,
            f"{difference.share:.1%} of what is found in tiles differs from what is found at once "
            f"({allowed:.1%} may), {difference.samples:.2f} samples apart{_counts(came, expected)}",
        )

    def _stored(self, name: str) -> float:
        """Share that may differ; the framework sees to it where an orientation is wanted."""
        if self.spec.wants.orientation is not None and self.equivariant.get(name, 0.0) is None:
            return TOLERANCE
        return self.allowed(name)

    def _of_known_scale(self) -> Image:
        image = self.sample()
        if image.grid.unit == "px" and self.spec.wants.unit == "px":
            raise SkipTest("it wants pictures in pixels")
        return image

    def _hold_moved(self, move: Move, allowed: float, how: str) -> None:
        found = self.find_if_suitable(move.image(self.sample()), f"the image {how}")
        self._hold(found, move, allowed, how)

    def _hold(self, found: Delineation, move: Move, allowed: float, how: str) -> None:
        came = move.output(found.output, self.sample().grid)
        difference = compare(came, self.found.output)
        hold(
            difference.share <= allowed and difference.samples <= _APART,
            f"{difference.share:.1%} of what is found differs when the image is {how} "
            f"({allowed:.1%} may), {difference.samples:.2f} samples apart",
        )

    def _hold_on_grid(self, found: Delineation, image: Image) -> None:
        grid = getattr(found.output, "grid", image.grid)
        if self.spec.gives != "image":
            hold(grid.matches(image.grid), f"it answers on a grid of shape {grid.shape}")


def _output(found: Delineation, image: Image) -> Output:
    """An output with the grid of another image of the same shape."""
    return Move().output(found.output, image.grid)


def _middle(finding: Finding) -> NDArray[np.float64] | None:
    """World position of a finding's middle, if it has one."""
    if finding.point is not None:
        return np.array(finding.point)
    if finding.box is not None:
        return np.asarray(np.mean(finding.box, axis=0))
    if finding.contours:
        middles = [contour.points.mean(axis=0) for contour in finding.contours]
        return np.asarray(np.mean(middles, axis=0))
    return None


def _counts(came: Output, expected: Output) -> str:
    """How many instances there are, in words; nothing for other outputs."""
    if not (isinstance(came, Instances) and isinstance(expected, Instances)):
        return ""
    return f"; it counts {len(came.items)} in tiles and {len(expected.items)} at once"


def _largest(finding: Finding) -> Finding:
    """The finding with the longest of its contours alone."""
    longest = max(finding.contours, key=lambda contour: len(contour.points), default=None)
    return finding if longest is None else replace(finding, contours=(longest,))


def _with_a_seam(found: Delineation, wants: Wants, most: int) -> Image:
    """The picture again and again over whole tiles, rolled so that a seam cuts a thing found.

    Along the last axis, and along others while there are no more than ``most`` samples.
    """
    image, overlap = found.image, wants.overlap
    assert wants.tile is not None
    place = next((m for one in found.findings if (m := _middle(_largest(one))) is not None), None)
    middle = image.grid.shape if place is None else np.rint(image.grid.to_index(place)).astype(int)
    shape, by = list(image.grid.shape), [0, 0, 0]
    for axis in (2, 1, 0):
        size, tile = shape[axis], wants.tile[axis]
        shared = min(overlap, tile // 2)
        step = tile - shared
        wide = max(2, math.ceil((size - shared) / step)) * step + shared
        if size > 1 and (axis == 2 or math.prod(shape) // size * wide <= most):
            shape[axis], by[axis] = wide, tile - shared // 2 - int(middle[axis])
    rolled = replace(image, array=np.roll(image.array, by, axis=(0, 1, 2)))
    return enlarged(rolled, (shape[0], shape[1], shape[2]))
