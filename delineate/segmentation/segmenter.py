"""Segment an image with a model: in the memory there is, on the device there is."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import ModelError, OptionError, UnsuitableImageError
from delineate.imaging import Image
from delineate.plugins import Monitor
from delineate.segmentation.cascade import PreviousLabels
from delineate.segmentation.confidence import Certainty, Confidence
from delineate.segmentation.engine import Plan, cropped, make_plan, slabs
from delineate.segmentation.memory import Estimate, available_bytes, estimate, smaller_tile
from delineate.segmentation.merge import Slab
from delineate.segmentation.model import Model
from delineate.segmentation.options import ModelOptions
from delineate.segmentation.pool import Pool
from delineate.segmentation.restore import Restorer, label_table
from delineate.segmentation.sampler import Sampler
from delineate.segmentation.working import Working

if TYPE_CHECKING:
    from delineate.segmentation.backends.choose import Chosen
    from delineate.segmentation.demands import Demands

__all__ = ["Review", "Segmented", "Segmenter"]

Triple = tuple[int, int, int]

Review = Callable[[NDArray[np.float32], NDArray[np.float32], Working], None]
"""Changes logits ``(class, slice, row, column)`` in place, given the image on the working grid."""


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


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    """One way to run: where, and with which tile."""

    device: str
    tile: Triple
    plan: Plan
    chosen: Chosen
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
        self.model = model
        self._pool = pool if pool is not None else Pool()
        self._previous = Segmenter(model.previous, self._pool) if model.previous else None

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
        extra_labels = None
        if self._previous is not None:
            earlier = self._previous.run(part, options, monitor.part(0.0, 0.3))
            extra_labels = earlier.labels
            monitor = monitor.part(0.3, 1.0)
        remarks: list[str] = []
        for attempt in self._attempts(part, options, review is not None, remarks):
            try:
                found = self._once(part, attempt, extra_labels, monitor, wanted, review)
            except (MemoryError, RuntimeError) as error:
                if not _out_of_memory(error):
                    raise
                remarks.append(f"memory ran out with {_described(attempt)}")
            else:
                labels = found[0]
                if part is not image:
                    labels = np.zeros(image.grid.shape, np.uint8)
                    labels[box] = found[0]
                if remarks:
                    cut = " Outlines may differ from those of whole tiles." * (
                        attempt.tile != self.model.tiles.shape
                    )
                    remarks = [
                        f"Stepped down for want of memory: {'; '.join(remarks)}; "
                        f"computed with {_described(attempt)}.{cut}"
                    ]
                return Segmented(
                    labels,
                    found[1],
                    f"{attempt.device}, {attempt.chosen.backend.name}",
                    tuple(remarks),
                    attempt.estimate,
                )
            self._let_go(attempt.device)
        raise UnsuitableImageError(
            f"no way to run model {self.model.name} on this image fits the memory: "
            f"{'; '.join(remarks)}. Close other programs, look at a region (region_mm), or use a "
            "machine with more"
        )

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
        for attempt in self._attempts(part, options, collected, []):
            return attempt.estimate
        raise UnsuitableImageError(f"model {self.model.name} does not fit the memory")

    def _attempts(
        self, image: Image, options: ModelOptions, collected: bool, remarks: list[str]
    ) -> Iterator[_Attempt]:
        """Ways to run, the best first; those that do not fit are told in ``remarks``."""
        model = self.model
        overlap = model.tiles.overlap if options.overlap is None else options.overlap
        outputs = model.classes + bool(options.mirror and model.mirror)
        channels = (model.channels, outputs)
        for device, tile in _ways(_devices(options.device), model.tiles.shape):
            plan = make_plan(
                image,
                model,
                tile,
                overlap=overlap,
                area=options.area,
                region_mm=options.region_mm,
            )
            demands = self._demands(plan, options)
            if demands is not None:
                need = estimate(plan, demands, channels, None, collected=collected).bytes
                free = available_bytes()
                if device == "cpu" and free is not None and need > free:
                    remarks.append(
                        f"tiles of {_size(tile)} need {need >> 20} MB of memory and "
                        f"{free >> 20} MB are free"
                    )
                    continue
                try:
                    chosen = self._chosen(plan, options, device, image)
                except (MemoryError, RuntimeError) as error:
                    if not _out_of_memory(error):
                        raise
                    remarks.append(f"memory ran out with tiles of {_size(tile)} on {device}")
                    self._let_go(device)
                    continue
                speed = chosen.seconds_per_tile
                expected = estimate(plan, demands, channels, speed, collected=collected)
                yield _Attempt(device, tile, plan, chosen, expected)

    def _once(
        self,
        image: Image,
        attempt: _Attempt,
        earlier: NDArray[np.uint8] | None,
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
        extra = None
        if earlier is not None:
            assert model.previous is not None
            extra = PreviousLabels(earlier, len(model.previous.structures), plan.working)
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
            found = iter([_reviewed(found, plan, sampler, model, review)])
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

    def _demands(self, plan: Plan, options: ModelOptions) -> Demands | None:
        """What a tile takes; ``None`` if the network cannot see tiles of that shape."""
        from delineate.segmentation.demands import demands

        shape = (self.model.channels, *plan.working.tile)
        key = ("demands", self.model.key, plan.working.order, shape, options.mirror)

        def make() -> tuple[Demands | None, int]:
            network = self._network(plan.working, options.mirror)
            try:
                return demands(network, shape), 0
            except ModelError:
                return None, 0

        found: Demands | None = self._pool.get(key, make)
        return found

    def _network(self, working: Working, mirror: bool) -> Any:
        """The network with its axes in the order of the working grid; kept in the pool."""
        from delineate.segmentation.weights import load_network
        from delineate.segmentation.wrappers import Permuted

        def make() -> tuple[Any, int]:
            network = load_network(self.model, mirror=mirror)
            if working.order != (0, 1, 2):
                network = Permuted(network, working.order).eval()
            size = sum(each.numel() * each.element_size() for each in network.parameters())
            return network, size

        return self._pool.get(("network", self.model.key, working.order, mirror), make)

    def _chosen(self, plan: Plan, options: ModelOptions, device: str, image: Image) -> Chosen:
        """What runs the network on tiles of this shape; kept in the pool."""
        import torch

        from delineate.segmentation.backends.choose import choose

        working, model = plan.working, self.model
        mirror = options.mirror and bool(model.mirror)
        key = f"{model.key}-{''.join(map(str, working.order))}{'-flips' if mirror else ''}"
        shape = (model.channels, *working.tile)

        def make() -> tuple[Chosen, int]:
            network = self._network(working, options.mirror)
            size = sum(each.numel() * each.element_size() for each in network.parameters())
            chosen = choose(
                network,
                key=key,
                tile=shape,
                device=device,
                name=options.backend,
                probe=_probe(plan, Sampler(image, working, model), model.channels),
                threads=torch.get_num_threads(),
                regions=model.activation == "sigmoid",
            )
            return chosen, size

        found: Chosen = self._pool.get(("backend", key, shape, device, options.backend), make)
        return found

    def _let_go(self, device: str) -> None:
        """Free what a failed attempt held."""
        import torch

        self._pool.clear()
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()


def _reviewed(
    found: Iterator[Slab], plan: Plan, sampler: Sampler, model: Model, review: Review
) -> Slab:
    """All slabs as one, after the review."""
    shape = plan.working.grid.shape
    logits = np.zeros((*shape, model.classes), np.float32)
    logits[..., 0] = 1.0
    for slab in found:
        rows, columns = (
            slice(start, start + size)
            for start, size in zip(slab.corner, slab.code.shape[1:], strict=True)
        )
        fresh = slab.logits[slab.fresh - slab.first :, ..., : model.classes]
        logits[slab.fresh : slab.stop, rows, columns] = fresh
    review(np.moveaxis(logits, -1, 0), sampler.raw(0, shape[0]), plan.working)
    code = logits.argmax(axis=-1).astype(np.uint8)
    return Slab(0, 0, (0, 0), logits, code, last=True)


def _probe(plan: Plan, sampler: Sampler, channels: int) -> Any:
    """A tile from the middle of the image, to try backends on."""
    import torch

    tile = plan.working.tile
    layer = plan.layers[len(plan.layers) // 2] if plan.layers else None
    start, (row, column) = (
        (layer.start, layer.corners[len(layer.corners) // 2]) if layer else (0, (0, 0))
    )
    seen = sampler.inputs(start, start + tile[0])[
        :, :, row : row + tile[1], column : column + tile[2]
    ]
    missing = np.zeros((channels - len(seen), *tile), np.float32)
    return torch.from_numpy(np.ascontiguousarray(np.concatenate([seen, missing])[None]))


def _ways(devices: Sequence[str], tile: Triple) -> Iterator[tuple[str, Triple]]:
    """Whole tiles on each device, then ever smaller ones on the last of them.

    A network that normalises over its tile says something else of a smaller one, and the same on
    another device: a slower device comes first.
    """
    yield from ((device, tile) for device in devices)
    smaller = smaller_tile(tile)
    while smaller is not None:
        yield devices[-1], smaller
        smaller = smaller_tile(smaller)


def _devices(name: str) -> tuple[str, ...]:
    import torch

    if name == "cpu":
        return ("cpu",)
    if torch.cuda.is_available():
        return ("cuda", "cpu")
    if name == "cuda":
        raise OptionError("device is cuda, but torch sees no CUDA device; use auto or cpu")
    return ("cpu",)


def _out_of_memory(error: Exception) -> bool:
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "allocate memory" in text or "bad_alloc" in text


def _described(attempt: _Attempt) -> str:
    return f"tiles of {_size(attempt.tile)} on {attempt.device}"


def _size(tile: Triple) -> str:
    return " x ".join(map(str, tile))
