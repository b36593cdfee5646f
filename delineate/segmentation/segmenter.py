"""Segment an image with a model: in the memory there is, on the device there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.errors import UnsuitableImageError
from delineate.imaging import Grid, Image
from delineate.plugins import Monitor
from delineate.segmentation.attempts import Attempt, Attempts, is_out_of_memory
from delineate.segmentation.cascade import PreviousLabels
from delineate.segmentation.confidence import Certainty, Confidence
from delineate.segmentation.engine import Plan, RegionMm, cropped, slabs
from delineate.segmentation.memory import Estimate
from delineate.segmentation.merge import Slab
from delineate.segmentation.model import Model
from delineate.segmentation.options import ModelOptions
from delineate.segmentation.pool import Pool
from delineate.segmentation.restore import Restorer, label_table
from delineate.segmentation.sampler import Sampler
from delineate.segmentation.working import Working

__all__ = ["Review", "Segmented", "Segmenter"]

Review = Callable[[NDArray[np.float32], NDArray[np.float32], Working], None]
"""Changes logits ``(class, slice, row, column)`` in place, given the image on the working grid."""

_SLICES = 16  # are made ready before somebody is asked whether to stop


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """What a model found in an image.

    Parameters
    ----------
    labels
        uint8 ``(slice, row, column)`` on the image's grid.
    certainty
        By label, of what was found.
    device
        Where it was computed, and by what: ``"cpu, openvino"``.
    remarks
        What to know about the run: which step down was taken for want of memory.
    estimate
        What it was expected to take.
    """

    labels: NDArray[np.uint8]
    certainty: dict[int, Certainty]
    device: str
    remarks: tuple[str, ...]
    estimate: Estimate


class Segmenter:
    """A model that is ready to segment one image after another.

    Parameters
    ----------
    model
        What to run.
    pool
        Where networks stay loaded; one of its own by default.
    """

    def __init__(self, model: Model, pool: Pool | None = None) -> None:
        pool = pool if pool is not None else Pool()
        self.model = model
        self._attempts = Attempts(model, pool)
        self._previous = Segmenter(model.previous, pool) if model.previous else None

    def run(
        self,
        image: Image,
        options: ModelOptions,
        monitor: Monitor,
        *,
        wanted: Sequence[int] = (),
        review: Review | None = None,
    ) -> Segmented:
        """Segment an image.

        Parameters
        ----------
        image
            As the model wants it; read-only.
        options
            How to run.
        monitor
            Told of progress; may cancel between tiles.
        wanted
            Labels to return; none: all. Others are background in what is returned, but compete
            for samples as ever.
        review
            Called once with all logits of the working grid, before labels are restored; these are
            then kept in memory as a whole.

        Raises
        ------
        UnsuitableImageError
            If the image cannot be read by the model, or no way to run fits the memory.
        OptionError
            If CUDA or a backend is asked for and is not there.
        """
        part, box = cropped(image, self.model)
        earlier: Segmented | None = None
        if self._previous is not None:
            earlier = self._previous.run(part, options, monitor.part(0.0, 0.3))
            monitor = monitor.part(0.3, 1.0)
        remarks: list[str] = []
        for attempt in self._attempts.ways(part, options, review is not None, remarks):
            try:
                labels, certainty = self._once(part, attempt, earlier, monitor, wanted, review)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                remarks.append(f"memory ran out with {attempt.described}")
            else:
                whole = labels
                if part is not image:
                    whole = np.zeros(image.grid.shape, np.uint8)
                    whole[box] = labels
                if options.region_mm is not None:
                    _clear_outside(whole, image.grid, options.region_mm)
                told = self._told(attempt, remarks, options, image)
                return Segmented(
                    whole,
                    certainty,
                    f"{attempt.device}, {attempt.chosen.backend.name}",
                    told if earlier is None else tuple(dict.fromkeys((*earlier.remarks, *told))),
                    attempt.estimate,
                )
            self._attempts.let_go(attempt.device)
        raise UnsuitableImageError(
            f"no way to run model {self.model.name} on this image fits the memory: "
            f"{'; '.join(remarks)}. Close other programs, look at a region (region_mm), or use a "
            "machine with more"
        )

    def _told(
        self, attempt: Attempt, short: Sequence[str], options: ModelOptions, image: Image
    ) -> tuple[str, ...]:
        """What a reader of the result has to know about the run."""
        told = []
        if options.region_mm is not None:
            box = ", ".join(f"{end:g}" for end in options.region_mm)
            told.append(
                f"Only the region {box} (x, y, z from and to, LPS mm) was looked at; what crosses "
                "its border is cut off there."
            )
        if options.mirror and not self.model.mirror:
            told.append(f"Model {self.model.name} may not be mirrored, so that it was not.")
        if not attempt.plan.layers and image.modality == "CT":
            told.append("No body was found in this scan, so that nothing was looked for.")
        if short:
            told.append(
                f"Stepped down for want of memory: {'; '.join(short)}; computed with "
                f"{attempt.described}."
                + " Outlines may differ from those of whole tiles."
                * (attempt.tile != self.model.tiles.shape)
            )
        return tuple(told)

    def estimate(self, image: Image, options: ModelOptions, *, collected: bool = False) -> Estimate:
        """What a run would take; loads the network, computes nothing.

        Parameters
        ----------
        image, options
            As of `run`.
        collected
            Whether all logits are kept, as a review needs them.
        """
        part, _ = cropped(image, self.model)
        for attempt in self._attempts.ways(part, options, collected, []):
            return attempt.estimate
        raise UnsuitableImageError(f"model {self.model.name} does not fit the memory")

    def _once(
        self,
        image: Image,
        attempt: Attempt,
        earlier: Segmented | None,
        monitor: Monitor,
        wanted: Sequence[int],
        review: Review | None,
    ) -> tuple[NDArray[np.uint8], dict[int, Certainty]]:
        import torch

        model, plan = self.model, attempt.plan
        sigmoid, threads = model.activation == "sigmoid", torch.get_num_threads()
        table = label_table(model.activation, model.region_labels)
        if wanted:
            table = np.where(np.isin(table, wanted), table, np.uint8(0)).astype(np.uint8)
        restorer = Restorer(plan.working, model.classes, sigmoid, table, threads)
        confidence = Confidence(plan.working, model.classes, sigmoid, threads)
        monitor.progress(0.0, "resampling")
        sampler = Sampler(image, plan.working, model)
        monitor.checkpoint()
        extra = None
        if earlier is not None:
            assert model.previous is not None
            extra = PreviousLabels(earlier.labels, len(model.previous.structures), plan.working)
        found = slabs(
            plan,
            sampler,
            model,
            attempt.chosen.backend,
            monitor.part(0.02, 0.95),
            threads=threads,
            extra=extra,
        )
        if review is not None:
            found = iter([_reviewed(found, plan, sampler, model, review, monitor)])
        for slab in found:
            restorer.add(slab)
            confidence.add(slab)
            monitor.checkpoint()
        monitor.progress(1.0, "restoring")
        certainty = {}
        for number in range(1, 256):
            # Classes are numbered as labels, of regions each output stands for one.
            label = (
                model.region_labels[number - 1] if sigmoid and number <= model.classes else number
            )
            if (sure := confidence.of(number)) is not None:
                certainty[label] = sure
        return restorer.labels, certainty


def _clear_outside(labels: NDArray[np.uint8], grid: Grid, region_mm: RegionMm) -> None:
    """Make all samples background whose centres lie outside of a region; in place."""
    lines = [np.arange(n)[:, None] * grid.affine[:3, axis] for axis, n in enumerate(grid.shape)]
    for number in np.flatnonzero(labels.any(axis=(1, 2))).tolist():
        inside = np.ones(labels.shape[1:], bool)
        for world in range(3):
            place = lines[1][:, None, world] + lines[2][None, :, world]
            place = place + (lines[0][number, world] + grid.affine[world, 3])
            inside &= (place >= region_mm[2 * world]) & (place <= region_mm[2 * world + 1])
        labels[number][~inside] = 0


def _reviewed(
    found: Iterator[Slab],
    plan: Plan,
    sampler: Sampler,
    model: Model,
    review: Review,
    monitor: Monitor,
) -> Slab:
    """All slabs as one, after the review."""
    shape = plan.working.grid.shape
    logits = np.zeros((*shape, model.classes), np.float32)
    for first in range(0, shape[0], _SLICES):  # of a large grid it takes as long as some tiles
        monitor.checkpoint()
        logits[first : first + _SLICES, ..., 0] = 1.0
    for slab in found:
        rows, columns = (
            slice(start, start + size)
            for start, size in zip(slab.corner, slab.code.shape[1:], strict=True)
        )
        fresh = slab.logits[slab.fresh - slab.first :, ..., : model.classes]
        logits[slab.fresh : slab.stop, rows, columns] = fresh
    monitor.checkpoint()
    review(np.moveaxis(logits, -1, 0), sampler.raw(0, shape[0]), plan.working)
    monitor.checkpoint()
    code = logits.argmax(axis=-1).astype(np.uint8)
    return Slab(0, 0, (0, 0), logits, code, last=True)
