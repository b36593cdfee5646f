"""From an image to settled logits: against MONAI, and against laws."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import Run, Thresholds, described
from strategies import grids
from torch import nn

from delineate.errors import Cancelled, OptionError, UnsuitableImageError
from delineate.imaging import Grid, Image
from delineate.plugins import Monitor
from delineate.segmentation.engine import cropped, make_plan, slabs
from delineate.segmentation.intensity import window
from delineate.segmentation.model import Model, Sampling, Tiles
from delineate.segmentation.networks import build_network
from delineate.segmentation.restore import Restorer, label_table
from delineate.segmentation.sampler import Sampler
from delineate.segmentation.wrappers import Permuted, Slicewise


class _Listener(Monitor):
    def __init__(self, stop_at: float = 2.0) -> None:
        self.told: list[float] = []
        self._stop_at = stop_at

    def progress(self, fraction: float, stage: str = "") -> None:
        self.told.append(fraction)

    @property
    def cancelled(self) -> bool:
        return bool(self.told) and self.told[-1] >= self._stop_at


def _network(classes: int = 3, dims: int = 3, seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    arguments = {
        "spatial_dims": dims,
        "in_channels": 1,
        "out_channels": classes,
        "channels": [4, 8],
        "strides": [2],
    }
    return build_network("UNet", arguments).eval()


def _run(
    image: Image,
    model: Model,
    network: nn.Module,
    *,
    monitor: Monitor | None = None,
    tile: tuple[int, int, int] | None = None,
    **options: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels on the image's grid, and logits on the working grid (background where none are)."""
    order = options.pop("order", tuple)
    options = {"overlap": model.tiles.overlap, "area": "whole"} | options
    plan = make_plan(image, model, tile or model.tiles.shape, **options)
    sampler = Sampler(image, plan.working, model)
    if plan.working.order != (0, 1, 2):
        network = Permuted(network, plan.working.order)
    table = label_table(model.activation, model.region_labels)
    sigmoid = model.activation == "sigmoid"
    restorer = Restorer(plan.working, model.classes, sigmoid, table, 1)
    logits = np.zeros((*plan.working.grid.shape, model.classes), np.float32)
    logits[..., 0] = 1
    run = Run(network)
    for slab in slabs(plan, sampler, model, run, monitor or Monitor(), threads=2, order=order):
        restorer.add(slab)
        rows, columns = (
            slice(a, a + n) for a, n in zip(slab.corner, slab.code.shape[1:], strict=True)
        )
        logits[slab.first : slab.stop, rows, columns] = slab.logits
    return restorer.labels, logits


def _scan(shape: tuple[int, int, int] = (24, 40, 36), seed: int = 0) -> Image:
    """Noise in a block, air around it."""
    grid = Grid.regular(shape, (5.0, 4.0, 4.0), (-70.0, -80.0, 12.0))
    array = np.full(shape, -1000, np.int16)
    inner = tuple(slice(n // 6, n - n // 5) for n in shape)
    rng = np.random.default_rng(seed)
    array[inner] = rng.normal(30, 80, array[inner].shape).astype(np.int16)
    return Image(array, grid, "CT")


MONAI_LIKE = described(
    sampling=Sampling(spacing_mm=(6.0, 5.0, 5.0), fit="first", method="linear"),
    tiles=Tiles(shape=(8, 16, 12), overlap=0.25, placement="flush", padding="zero"),
    inputs=((0, window(-200.0, 300.0)),),
)


@pytest.mark.parametrize("weight", ["gaussian", "constant"])
@pytest.mark.parametrize("shape", [(24, 40, 36), (5, 40, 36)])
def test_logits_are_those_of_monais_sliding_window(
    weight: str, shape: tuple[int, int, int]
) -> None:
    from monai.inferers import sliding_window_inference

    tiles = Tiles(
        shape=(8, 16, 12),
        overlap=0.25,
        placement="flush",
        padding="zero",
        weight=weight,  # type: ignore[arg-type]
    )
    model = described(sampling=MONAI_LIKE.sampling, tiles=tiles, inputs=MONAI_LIKE.inputs)
    image, network = _scan(shape), _network()
    plan = make_plan(image, model, tiles.shape, overlap=0.25, area="whole")
    seen = Sampler(image, plan.working, model).inputs(0, plan.working.grid.shape[0])
    valid = tuple(slice(*ends) for ends in plan.working.valid)

    _, ours = _run(image, model, network)

    with torch.inference_mode():
        theirs = sliding_window_inference(
            torch.from_numpy(seen[(slice(None), *valid)].copy())[None],
            tiles.shape,
            1,
            network,
            overlap=0.25,
            mode=weight,
        )[0]
    np.testing.assert_allclose(ours[valid], theirs.movedim(0, -1).numpy(), atol=1e-5)


def test_the_order_of_the_tiles_does_not_matter() -> None:
    image, network = _scan(), _network()

    def shuffled(seed: int) -> Any:
        def order(corners: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
            return random.Random(seed).sample(list(corners), len(corners))

        return order

    labels, logits = _run(image, MONAI_LIKE, network)
    for seed in (1, 2):
        other, others = _run(image, MONAI_LIKE, network, order=shuffled(seed))
        np.testing.assert_allclose(logits, others, atol=1e-6)
        assert (labels == other).mean() > 0.9999


def test_the_same_image_gives_the_same_bits() -> None:
    image, network = _scan(), _network()

    first, second = (_run(image, MONAI_LIKE, network) for _ in range(2))

    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


@settings(max_examples=25)
@given(grids(max_size=24), st.floats(0, 0.7), st.sampled_from(("even", "flush")))
def test_a_network_without_neighbourhood_does_not_see_the_tiles(
    source: Grid, overlap: float, placement: str
) -> None:
    rng = np.random.default_rng(1)
    image = Image(rng.uniform(-300, 400, source.shape).astype(np.float32), source, "CT")
    tiles = Tiles(shape=(5, 6, 4), overlap=overlap, placement=placement)  # type: ignore[arg-type]
    one = Tiles(shape=(5, 6, 4), overlap=0.0)

    labels, _ = _run(image, described(tiles=tiles), Thresholds())

    plain, _ = _run(image, described(tiles=one), Thresholds())
    assert (labels == plain).mean() > 0.999


def test_air_is_left_out_and_the_body_is_not_changed_by_it() -> None:
    """Air is background by definition; within the body each sample keeps its label."""
    image = _scan((24, 90, 90))
    model = described(sampling=MONAI_LIKE.sampling, tiles=Tiles(shape=(8, 8, 8)))

    whole, _ = _run(image, model, Thresholds(), area="whole")
    body, _ = _run(image, model, Thresholds(), area="body")
    plan = make_plan(image, model, model.tiles.shape, overlap=0.5, area="body")
    everything = make_plan(image, model, model.tiles.shape, overlap=0.5, area="whole")

    assert (body == whole).mean() > 0.9999  # sums of other tiles round otherwise
    assert plan.tiles < 0.8 * everything.tiles


def test_of_an_empty_scan_nothing_is_computed() -> None:
    grid = Grid.regular((9, 30, 30), (5.0, 5.0, 5.0))
    image = Image(np.full(grid.shape, -1000, np.int16), grid, "CT")
    plan = make_plan(image, MONAI_LIKE, MONAI_LIKE.tiles.shape, overlap=0.5, area="body")

    labels, _ = _run(image, MONAI_LIKE, _network(), area="body")

    assert plan.tiles == 0
    assert not labels.any()


class _Along(nn.Module):
    """Tells the axes of its input apart: each class grows along another one."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        pads = [(0, 0, 0, 0, 1, 0), (0, 0, 1, 0, 0, 0), (1, 0, 0, 0, 0, 0)]
        shifted = [nn.functional.pad(inputs, pad) for pad in pads]
        a, b, c = inputs.shape[2:]
        return torch.cat([each[:, :, :a, :b, :c] for each in shifted], dim=1)


@pytest.mark.parametrize("letters", ["RAS", "SAR", "PIR", "LPS"])
def test_a_network_sees_its_own_order_of_axes(letters: str) -> None:
    """Shifted by one sample along each of the network's axes, in the sense of its letters."""
    image = _scan((10, 12, 14), seed=4)
    model = described(
        sampling=Sampling(orientation=letters, method="linear", fit="faces"),
        tiles=Tiles(shape=(64, 64, 64), padding="edge"),
    )

    _, logits = _run(image, model, _Along())

    plan = make_plan(image, model, model.tiles.shape, overlap=0.5, area="whole")
    valid = tuple(slice(*ends) for ends in plan.working.valid)
    turned = plan.working.turn(image.array.astype(np.float32))
    for number in range(3):
        axis = plan.working.order[number]
        ahead = np.moveaxis(logits[valid][..., number], axis, 0)[1:]
        np.testing.assert_allclose(ahead, np.moveaxis(turned, axis, 0)[:-1], atol=1e-3)
    assert "".join(plan.working.grid.orientation[a] for a in plan.working.order) == letters


def test_a_flat_network_sees_slice_by_slice() -> None:
    image = _scan((6, 40, 36))
    model = described(
        dimensions=2,
        sampling=Sampling(spacing_mm=(None, 5.0, 5.0), fit="faces", method="linear"),
        tiles=Tiles(shape=(1, 16, 16), overlap=0.5),
        inputs=((0, window(-200.0, 300.0)),),
    )
    network = _network(dims=2)

    labels, _ = _run(image, model, Slicewise(network))

    for number in (0, 3):
        one = Image(
            image.array[number : number + 1], image.grid.crop((number, 0, 0), (1, 40, 36)), "CT"
        )
        alone, _ = _run(one, model, Slicewise(network))
        np.testing.assert_array_equal(labels[number], alone[0])
    assert len(np.unique(labels)) > 1


def test_progress_rises_to_one_and_cancelling_stops() -> None:
    image = _scan()
    listener = _Listener()
    _run(image, MONAI_LIKE, Thresholds(), monitor=listener)
    assert listener.told == sorted(listener.told)
    assert listener.told[-1] == 1

    impatient = _Listener(stop_at=0.3)
    with pytest.raises(Cancelled):
        _run(image, MONAI_LIKE, Thresholds(), monitor=impatient)
    assert impatient.told[-1] < 0.5


def test_a_region_is_looked_at_alone() -> None:
    image = _scan()
    model = described(sampling=MONAI_LIKE.sampling, tiles=Tiles(shape=(4, 6, 6)))
    whole, _ = _run(image, model, Thresholds())
    region = (-40.0, 10.0, -30.0, 20.0, 40.0, 80.0)

    labels, _ = _run(image, model, Thresholds(), region_mm=region)
    plan = make_plan(image, model, (4, 6, 6), overlap=0.5, area="whole", region_mm=region)
    everything = make_plan(image, model, (4, 6, 6), overlap=0.5, area="whole")

    index = np.stack(np.meshgrid(*map(np.arange, image.grid.shape), indexing="ij"), -1)
    world = image.grid.to_world(index)
    low, high = np.array(region[::2]), np.array(region[1::2])
    inside = ((world >= low) & (world <= high)).all(-1)
    np.testing.assert_array_equal(labels[inside], whole[inside])
    assert labels[~((world >= low - 30) & (world <= high + 30)).all(-1)].max() == 0
    assert plan.tiles < 0.4 * everything.tiles


@pytest.mark.parametrize(
    ("region", "error", "message"),
    [
        ((500, 600, 0, 10, 20, 30), UnsuitableImageError, "the image lies between"),
        ((10, -40, -30, 20, 40, 80), OptionError, "each low below its high"),
    ],
)
def test_a_region_elsewhere_is_refused(
    region: tuple[float, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_plan(_scan(), MONAI_LIKE, (4, 6, 6), overlap=0.5, region_mm=region)  # type: ignore[arg-type]


def test_what_is_zero_all_around_is_cut_off() -> None:
    array = np.zeros((5, 6, 7), np.int16)
    array[1:4, 2:5, 3] = 9
    image = Image(array, Grid.regular(array.shape), "MR")
    model = described(sampling=Sampling(orientation="SPL", crop="nonzero"))

    part, box = cropped(image, model)

    assert box == (slice(1, 4), slice(2, 5), slice(3, 4))
    assert part.grid.matches(image.grid.crop((1, 2, 3), (3, 3, 1)))
    np.testing.assert_array_equal(part.array, array[box])
    empty = Image(np.zeros((2, 2, 2), np.int16), Grid.regular((2, 2, 2)), "MR")
    assert cropped(empty, model)[0] is empty
