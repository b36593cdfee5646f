"""Tiled inference against laws and against MONAI."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from delineate.errors import Cancelled
from delineate.plugins import Monitor
from delineate.segmentation.intensity import Window, channels
from delineate.segmentation.model import read_model
from delineate.segmentation.tiles import infer, tile_starts, tile_weights

WINDOWS = (Window(-1000, 800), Window(-150, 250))


class _Pointwise(nn.Module):
    """Sees no neighbours, so that tiling must not be noticed."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([inputs, inputs.sum(1, keepdim=True)], dim=1)


class _Listener(Monitor):
    def __init__(self, stop_at: float = 2.0) -> None:
        self.told: list[float] = []
        self._stop_at = stop_at

    def progress(self, fraction: float, stage: str = "") -> None:
        self.told.append(fraction)

    @property
    def cancelled(self) -> bool:
        return bool(self.told) and self.told[-1] >= self._stop_at


@given(st.integers(1, 90), st.integers(1, 40), st.floats(0, 0.9))
def test_tiles_cover_every_sample_and_stay_inside(size: int, tile: int, overlap: float) -> None:
    size = max(size, tile)
    starts = tile_starts(size, tile, overlap)

    covered = np.zeros(size, bool)
    for start in starts:
        assert 0 <= start <= size - tile
        covered[start : start + tile] = True
    assert covered.all()
    assert starts == sorted(set(starts))


def test_weights_are_symmetric_and_positive() -> None:
    weights = tile_weights((8, 6, 10))

    torch.testing.assert_close(weights, weights.flip(0, 1, 2))
    assert float(weights.min()) >= 1e-3
    assert float(weights[4, 3, 5]) == float(weights.max()) <= 1


@settings(deadline=None, max_examples=25)
@given(st.tuples(*[st.integers(8, 21)] * 3), st.floats(0, 0.7))
def test_a_network_without_neighbourhood_does_not_see_the_tiles(
    shape: tuple[int, int, int], overlap: float
) -> None:
    hu = torch.from_numpy(np.random.default_rng(1).uniform(-500, 500, shape).astype(np.float32))

    tiled = infer(_Pointwise(), hu, WINDOWS, (8, 8, 8), overlap, Monitor(), classes=3)

    whole = _Pointwise()(channels(hu[None], WINDOWS))[0]
    torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=1e-4)


def test_the_order_of_the_tiles_does_not_matter(tiny_model: Path) -> None:
    model = read_model(tiny_model)
    network = model.load_network()
    hu = torch.from_numpy(np.random.default_rng(2).uniform(-900, 900, (24, 16, 28))).float()

    def run(backwards: bool) -> torch.Tensor:
        return infer(
            network, hu, model.windows, model.tile, 0.5, Monitor(), classes=14, backwards=backwards
        )

    torch.testing.assert_close(run(False), run(True), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(run(False), run(False), atol=0, rtol=0)


def test_logits_are_those_of_monais_sliding_window(tiny_model: Path) -> None:
    from monai.inferers import sliding_window_inference

    model = read_model(tiny_model)
    network = model.load_network()
    hu = torch.from_numpy(np.random.default_rng(2).uniform(-800, 900, (24, 17, 28))).float()

    ours = infer(network, hu, model.windows, model.tile, 0.5, Monitor(), classes=14)
    with torch.inference_mode():
        theirs = sliding_window_inference(
            channels(hu[None], model.windows), model.tile, 1, network, overlap=0.5, mode="gaussian"
        )[0]

    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)


def test_nothing_but_air_is_background() -> None:
    hu = torch.full((8, 8, 8), -1000.0)

    logits = infer(_Pointwise(), hu, WINDOWS, (8, 8, 8), 0.5, Monitor(), classes=3)

    assert (logits.argmax(0) == 0).all()


def test_progress_rises_to_one_and_cancelling_stops() -> None:
    hu = torch.zeros(20, 20, 20)
    listener = _Listener()
    infer(_Pointwise(), hu, WINDOWS, (8, 8, 8), 0.5, listener, classes=3)
    assert listener.told == sorted(listener.told)
    assert listener.told[-1] == 1

    impatient = _Listener(stop_at=0.3)
    with pytest.raises(Cancelled):
        infer(_Pointwise(), hu, WINDOWS, (8, 8, 8), 0.5, impatient, classes=3)
    assert impatient.told[-1] < 0.5
