"""Plans that fit the data: patches, networks, spacing, intensities, flips, cases kept back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.errors import OptionError
from delineate.segmentation.intensity import Affine, Clip, ZScore
from delineate.segmentation.networks import build_network
from delineate.segmentation.training.fingerprint import Fingerprint
from delineate.segmentation.training.layouts import DataSet
from delineate.segmentation.training.plan import Options, split
from delineate.segmentation.training.planning import make_plan
from delineate.segmentation.training.shapes import network_arguments, patch_shape


@settings(max_examples=60)
@given(
    extent=st.tuples(*[st.integers(1, 600)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 8)] * 3),
    dimensions=st.sampled_from([2, 3]),
)
def test_a_patch_suits_the_network_that_is_planned_for_it(
    extent: tuple[int, int, int], spacing: tuple[float, float, float], dimensions: int
) -> None:
    most, channels = 32**3, (4, 8, 16, 32)
    patch = patch_shape(extent, spacing, most, len(channels), dimensions)
    arguments = network_arguments("UNet", dimensions, 1, 2, channels, patch, spacing)

    total = np.prod(arguments["strides"], axis=0)
    assert (np.array(patch[3 - dimensions :]) % total == 0).all()
    assert min(patch[3 - dimensions :]) >= 8
    assert dimensions == 3 or patch[0] == 1
    assert np.prod(patch) <= 8 * most
    assert all(p < n + 8 for p, n in zip(patch, np.maximum(extent, 8), strict=True))


@pytest.mark.parametrize("name", ["UNet", "DynUNet", "SegResNet"])
@pytest.mark.parametrize("patch", [(16, 32, 32), (8, 40, 24), (1, 32, 48)])
def test_networks_give_back_the_shape_they_were_given(
    name: str, patch: tuple[int, int, int]
) -> None:
    dimensions = 2 if patch[0] == 1 else 3
    spacing = (5.0, 1.0, 1.0) if patch[0] == 8 and name != "SegResNet" else (1.0, 1.0, 1.0)
    arguments = network_arguments(name, dimensions, 2, 3, (8, 16, 32), patch, spacing)
    network = build_network(name, arguments).eval()

    with torch.inference_mode():
        out = network(torch.zeros(1, 2, *patch[3 - dimensions :]))

    assert out.shape == (1, 3, *patch[3 - dimensions :])


def _measured(unit: str = "mm", modality: str = "CT", labels: int = 1) -> Fingerprint:
    return Fingerprint(
        unit=unit,
        modalities=(modality,),
        shapes=np.array([[40, 200, 200], [60, 180, 220]]),
        spacings=np.array([[5.0, 1.0, 1.0], [5.0, 0.8, 0.8]]),
        intensities=(np.arange(1000, dtype=np.float32),),
        counts=(2,) * labels,
    )


def _planned(names: dict[int, str], found: Fingerprint, options: Options, folder: Path) -> object:
    dataset = DataSet("folder", (), names)
    return make_plan(folder, dataset, found, options, (("a", "b"), ()), None).model


def test_what_is_planned_by_hand(tmp_path: Path) -> None:
    """Median steps 5 x 0.9 x 0.9 mm; percentiles of 0 to 999; sides forbid flips."""
    model = _planned(
        {3: "kidney_left", 5: "liver"}, _measured(labels=2), Options(), tmp_path / "My Run"
    )

    assert model.name == "my-run"
    assert model.sampling.spacing_mm == (5.0, 0.9, 0.9)
    (channel, (clip, affine)), *_ = model.inputs
    assert channel == 0
    assert isinstance(clip, Clip)
    assert (clip.low, clip.high) == pytest.approx((4.995, 994.005))
    assert isinstance(affine, Affine)
    assert affine.subtract == pytest.approx(499.5)
    assert model.mirror == ()
    assert model.structures[0].category.laterality == "left"
    assert model.structures[1].category.code is not None
    assert [s[0] for s in model.arguments["strides"]] == [1, 1, 2]  # slices are thick


def test_flips_and_intensities_follow_from_what_the_images_are(tmp_path: Path) -> None:
    sideless = _planned({1: "liver"}, _measured(), Options(), tmp_path)
    assert sideless.mirror == (2,)
    assert _planned({1: "lesion_L"}, _measured(), Options(), tmp_path).mirror == ()
    every = _planned({1: "kidney_left"}, _measured(), Options(mirror="all"), tmp_path)
    assert every.mirror == (0, 1, 2)
    with pytest.raises(OptionError, match="mirror is none, all"):
        _planned({1: "liver"}, _measured(), Options(mirror="up"), tmp_path)

    flat = replace(
        _measured("px", "photo"),
        shapes=np.array([[1, 200, 200]]),
        spacings=np.ones((1, 3)),
    )
    picture = _planned({1: "disc"}, flat, Options(), tmp_path)
    assert (picture.dimensions, picture.mirror) == (2, (1, 2))
    assert picture.inputs == ((0, (ZScore(),)),)
    assert picture.sampling.orientation == ""
    assert picture.structures[0].category.code is None

    many = {number: f"part {number}" for number in range(1, 60)}
    assert _planned(many, _measured(labels=59), Options(), tmp_path).network == "DynUNet"

    slices = _planned({1: "liver"}, _measured(), Options(dimensions=2), tmp_path)
    assert slices.tiles.shape[0] == 1
    assert slices.sampling.spacing_mm == (None, 0.9, 0.9)


@given(count=st.integers(1, 60), share=st.floats(0, 0.9), seed=st.integers(0, 99))
def test_a_split_loses_no_case_and_is_the_same_every_time(
    count: int, share: float, seed: int
) -> None:
    names = [f"case {number}" for number in range(count)]

    training, kept = split(names, share, seed)

    assert sorted(training + kept) == sorted(names)
    assert training
    assert bool(kept) == (share > 0 and count > 1)
    assert split(names[::-1], share, seed) == (training, kept)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(patch=(7, 9, 11)), "cannot be halved"),
        (Options(patch=(16, 16)), "patch of 3 sizes"),
        (Options(patch=(16, 16, 16, 16)), "patch of 3 sizes"),
        (Options(channels=(8,)), "two levels"),
        (Options(network="AlexNet"), "UNet, DynUNet, SegResNet"),
        (Options(spacing_mm=(1.0, 2.0)), "one or three"),
        (Options(dimensions=4), "2 or 3"),
    ],
)
def test_what_cannot_be_planned_is_refused(options: Options, message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=message):
        _planned({1: "liver"}, _measured(), options, tmp_path)
