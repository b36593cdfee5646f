"""The ways to run a model on an image: where, with which tile, by what."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from delineate.errors import ModelError, OptionError
from delineate.imaging import Image
from delineate.segmentation.engine import Plan, make_plan
from delineate.segmentation.memory import Estimate, available_bytes, estimate, smaller_tile
from delineate.segmentation.model import Model
from delineate.segmentation.options import ModelOptions
from delineate.segmentation.pool import Pool
from delineate.segmentation.sampler import Sampler
from delineate.segmentation.working import Working

if TYPE_CHECKING:
    from delineate.segmentation.backends.choose import Chosen
    from delineate.segmentation.demands import Demands

__all__ = ["Attempt", "Attempts", "is_out_of_memory"]

Triple = tuple[int, int, int]

_PLENTY, _MOST_ON_CARD = 16, 8


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """One way to run: where, and with which tile."""

    device: str
    tile: Triple
    plan: Plan
    chosen: Chosen
    estimate: Estimate

    @property
    def described(self) -> str:
        """For people."""
        return f"tiles of {_size(self.tile)} on {self.device}"


class Attempts:
    """Finds ways to run a model, and keeps what they need warm.

    Parameters
    ----------
    model
        What to run.
    pool
        Where networks stay loaded.
    """

    def __init__(self, model: Model, pool: Pool) -> None:
        self.model, self._pool = model, pool

    def ways(
        self, image: Image, options: ModelOptions, collected: bool, remarks: list[str]
    ) -> Iterator[Attempt]:
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
            if demands is None and tile == model.tiles.shape:
                raise ModelError(
                    f"the network of model {model.name} does not take its own tiles of "
                    f"{_size(tile)}; its description is wrong"
                )
            if demands is None:
                continue
            need = estimate(plan, demands, channels, None, collected=collected).bytes
            free = available_bytes()
            if device == "cpu" and free is not None and need > free:
                remarks.append(
                    f"tiles of {_size(tile)} need {need >> 20} MB of memory and "
                    f"{free >> 20} MB are free"
                )
                continue
            batch = _batch(plan, demands, device, free)
            try:
                chosen = self._chosen(plan, options, device, image, batch, demands.weight_bytes)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                remarks.append(f"memory ran out with tiles of {_size(tile)} on {device}")
                self.let_go(device)
                continue
            expected = estimate(
                plan,
                demands,
                channels,
                chosen.seconds_per_tile,
                collected=collected,
                batch=batch,
            )
            yield Attempt(device, tile, plan, chosen, expected)

    def _demands(self, plan: Plan, options: ModelOptions) -> Demands | None:
        """What a tile takes; ``None`` if the network cannot see tiles of that shape."""
        from delineate.segmentation.demands import demands, keep_demands, kept_demands
        from delineate.segmentation.weights import verify_weights

        shape = (self.model.channels, *plan.working.tile)
        key = ("demands", self.model.key, plan.working.order, shape, options.mirror)

        def make() -> tuple[Demands | None, int]:
            verify_weights(self.model)  # what was made of them is kept; they may have changed since
            name = self._name(plan.working, options)
            if (known := kept_demands(name, shape)) is not None:
                return known, 0
            network = self._network(plan.working, options.mirror)
            try:
                found = demands(network, shape)
            except ModelError:
                return None, 0
            keep_demands(found, name, shape)
            return found, 0

        found: Demands | None = self._pool.get(key, make)
        return found

    def _name(self, working: Working, options: ModelOptions) -> str:
        """Of the network with its wrappers: two of one name are the same."""
        flips = "-flips" if options.mirror and self.model.mirror else ""
        return f"{self.model.key}-{''.join(map(str, working.order))}{flips}"

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

    def _chosen(
        self,
        plan: Plan,
        options: ModelOptions,
        device: str,
        image: Image,
        batch: int,
        weight_bytes: int,
    ) -> Chosen:
        """What runs the network on tiles of this shape; kept in the pool."""
        import torch

        from delineate.segmentation.backends.choose import choose

        working, model = plan.working, self.model
        key = self._name(working, options)
        shape = (model.channels, *working.tile)

        def make() -> tuple[Chosen, int]:
            chosen = choose(
                partial(self._network, working, options.mirror),
                key=key,
                tile=shape,
                device=device,
                name=options.backend,
                probe=_probe(plan, Sampler(image, working, model), model.channels),
                threads=torch.get_num_threads(),
                regions=model.activation == "sigmoid",
                batch=batch,
            )
            return chosen, weight_bytes

        found: Chosen = self._pool.get(
            ("backend", key, shape, device, options.backend, batch), make
        )
        return found

    def let_go(self, device: str) -> None:
        """Free what a failed attempt held; all that was warm is loaded anew."""
        import torch

        self._pool.clear()
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()


def _batch(plan: Plan, demands: Demands, device: str, free: int | None) -> int:
    """Tiles to compute side by side.

    On a CPU two, if no layer has an odd one, which would be left to half of the threads, and
    memory is plenty. On a card as many as an eighth of its free memory holds, up to eight.
    """
    if device == "cpu":
        even = all(len(layer.corners) % 2 == 0 for layer in plan.layers)
        plenty = free is not None and _PLENTY * demands.peak_bytes < free
        return 2 if even and plenty and plan.layers else 1
    import torch

    free_on_card, _ = torch.cuda.mem_get_info()
    return max(1, min(_MOST_ON_CARD, free_on_card // (8 * max(1, demands.peak_bytes))))


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


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "allocate memory" in text or "bad_alloc" in text


def _size(tile: Triple) -> str:
    return " x ".join(map(str, tile))
