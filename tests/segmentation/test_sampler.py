"""What the network sees: exact on linear scans, equal to MONAI and nnU-Net on any."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import described
from skimage.transform import resize
from strategies import grids

from delineate.errors import UnsuitableImageError
from delineate.imaging import Grid, Image
from delineate.segmentation.intensity import Affine, Clip, MinMax, ZScore
from delineate.segmentation.model import Model, Sampling, Tiles
from delineate.segmentation.sampler import Sampler
from delineate.segmentation.working import working_grid


def _sampler(image: Image, model: Model) -> Sampler:
    return Sampler(image, working_grid(image.grid, model.sampling, model.tiles.shape), model)


def _whole(sampler: Sampler) -> np.ndarray:
    return sampler.inputs(0, sampler.working.grid.shape[0])


def _noise(grid: Grid, seed: int = 0, dtype: str = "int16") -> Image:
    rng = np.random.default_rng(seed)
    return Image(rng.normal(0, 300, grid.shape).astype(dtype), grid, "CT")


@settings(max_examples=60)
@given(grids(max_size=10), st.integers(0, 2**31), st.sampled_from(("average", "linear", "cubic")))
def test_a_scan_linear_in_the_world_is_sampled_exactly(
    source: Grid, seed: int, method: str
) -> None:
    """Whatever the orientation, spacing or shear: h = a x + b y + c z keeps its values."""
    indices = np.stack(np.meshgrid(*map(np.arange, source.shape), indexing="ij"), -1)
    slope = np.random.default_rng(seed).uniform(-1, 1, 3)
    hu = (source.to_world(indices) - source.to_world([0, 0, 0])) @ slope
    sampling = Sampling(orientation="SPL", spacing_mm=(6.0, 5.0, 4.0), method=method)  # type: ignore[arg-type]
    model = described(sampling=sampling, tiles=Tiles(shape=(4, 4, 4)))

    sampler = _sampler(Image(hu.astype(np.float32), source, "CT"), model)
    sampled = _whole(sampler)[0]

    grid = sampler.working.grid
    places = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1)
    at = source.to_index(grid.to_world(places))
    size = np.asarray(source.shape)
    blocks = np.ones(3)
    if method == "average":
        blocks = np.maximum(1, np.minimum(np.rint(7 / 12 * 6 / np.asarray(source.spacing)), size))
    if method == "cubic" and sampler.working.places is not None:
        return  # a spline through repeated ends is not linear; see the next test
    inside = ((at >= blocks) & (at <= size // blocks * blocks - 1 - blocks)).all(-1)
    for axis, (low, high) in enumerate(sampler.working.valid):
        number = places[..., axis]
        inside &= (number >= low) & (number < high)
    exact = (grid.to_world(places) - source.to_world([0, 0, 0])) @ slope
    np.testing.assert_allclose(sampled[inside], exact[inside], atol=0.02)


@pytest.mark.parametrize("spacing", [(1.5, 1.5, 1.5), (4.0, 1.0, 2.0), (2.0, 0.8, 0.8)])
def test_cubic_is_the_preprocessing_of_nnunet(spacing: tuple[float, float, float]) -> None:
    """Clip, standardise, then scikit-image's cubic resizing, clipped to the range of the image."""
    image = _noise(Grid.regular((20, 31, 33), (2.0, 0.8, 0.8)))
    sampling = Sampling(
        orientation="SPL", spacing_mm=spacing, fit="faces", method="cubic", normalise="before"
    )
    steps = (Clip(-400.0, 350.0), Affine(40.0, 120.0))
    model = described(sampling=sampling, inputs=((0, steps),), tiles=Tiles(shape=(4, 4, 4)))

    sampled = _whole(_sampler(image, model))[0]

    plain = (np.clip(image.array.astype(float), -400, 350) - 40) / 120
    sizes = zip(image.grid.spacing, spacing, plain.shape, strict=True)
    shape = [round(old / new * size) for old, new, size in sizes]
    expected = resize(plain, shape, order=3, mode="edge", anti_aliasing=False)
    np.testing.assert_allclose(sampled, expected, atol=2e-5)


def test_a_thick_axis_is_sampled_apart_as_nnunet_does() -> None:
    """Slices of 8 mm: each is resized by itself, and the nearest one is taken."""
    image = _noise(Grid.regular((6, 20, 22), (8.0, 0.8, 0.8)))
    sampling = Sampling(
        orientation="SPL",
        spacing_mm=(5.0, 1.0, 1.0),
        fit="faces",
        method="cubic",
        nearest_beyond=3.0,
        normalise="before",
    )
    model = described(sampling=sampling, tiles=Tiles(shape=(4, 4, 4)))

    sampled = _whole(_sampler(image, model))[0]

    slices = [
        resize(each.astype(float), (16, 18), order=3, mode="edge", anti_aliasing=False)
        for each in image.array
    ]
    nearest = np.floor((np.arange(10) + 0.5) * 6 / 10 - 0.5 + 0.5).astype(int)
    np.testing.assert_allclose(sampled, np.stack(slices)[nearest], atol=2e-3)


@pytest.mark.parametrize("orientation", ["RAS", "SPL", "LPS"])
def test_linear_is_the_spacing_of_monai(orientation: str) -> None:
    from monai.data import MetaTensor
    from monai.transforms import Orientation, Spacing

    grid = Grid.regular((14, 20, 18), (3.0, 0.9, 1.1)).oriented("IAL")
    image = _noise(grid)
    sampling = Sampling(
        orientation=orientation, spacing_mm=(1.5, 2.0, 1.25), fit="first", method="linear"
    )
    model = described(sampling=sampling, tiles=Tiles(shape=(2, 2, 2)))
    sampler = _sampler(image, model)
    ours = _whole(sampler)[0].transpose(sampler.working.order)

    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    tensor = MetaTensor(torch.from_numpy(image.array.astype(np.float32))[None])
    tensor.affine = torch.from_numpy(to_ras @ grid.affine)
    # MONAI counts axes (x, y, z) as it finds them; ours are named by where they grow towards.
    turned = Orientation(orientation, labels=(("L", "R"), ("P", "A"), ("I", "S")))(tensor)
    theirs = Spacing((1.5, 2.0, 1.25), mode="bilinear", padding_mode="border")(turned)

    assert ours.shape == theirs.shape[1:]
    np.testing.assert_allclose(ours, theirs[0].numpy(), atol=0.05)


@settings(max_examples=30)
@given(grids(max_size=16), st.sampled_from(("average", "linear", "cubic")), st.integers(1, 5))
def test_slabs_are_parts_of_the_whole(source: Grid, method: str, thick: int) -> None:
    sampling = Sampling(spacing_mm=(5.0, 5.0, 5.0), method=method)  # type: ignore[arg-type]
    sampler = _sampler(_noise(source), described(sampling=sampling))
    depth = sampler.working.grid.shape[0]

    parts = [sampler.inputs(k, min(depth, k + thick)) for k in range(0, depth, thick)]

    np.testing.assert_allclose(np.concatenate(parts, axis=1), _whole(sampler), atol=1e-3)


@settings(max_examples=30)
@given(grids(max_size=16), st.sampled_from(("average", "linear", "cubic")))
def test_a_part_of_the_plane_is_a_part_of_the_whole(source: Grid, method: str) -> None:
    sampling = Sampling(spacing_mm=(5.0, 5.0, 5.0), method=method)  # type: ignore[arg-type]
    sampler = _sampler(_noise(source), described(sampling=sampling))
    depth, height, width = sampler.working.grid.shape
    rows, columns = (height // 3, height - height // 4), (width // 4, width)

    part = sampler.inputs(0, depth, (rows, columns))

    expected = np.zeros_like(part)
    inside = (slice(None), slice(None), slice(*rows), slice(*columns))
    expected[inside] = _whole(sampler)[inside]
    np.testing.assert_allclose(part, expected, atol=1e-3)


def test_a_large_image_is_sampled_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from delineate.segmentation import sampler as module

    image = _noise(Grid.regular((40, 30, 30), (1.0, 2.0, 2.0)))
    whole = _whole(_sampler(image, described()))
    monkeypatch.setattr(module, "_PART_SAMPLES", 5000)

    np.testing.assert_allclose(_whole(_sampler(image, described())), whole, atol=1e-4)


def test_a_thin_scan_is_continued_not_surrounded_by_air() -> None:
    source = Grid.regular((3, 60, 60), (5.0, 5.0, 5.0))
    image = Image(np.full(source.shape, 40, np.int16), source, "CT")

    edge = _whole(_sampler(image, described(tiles=Tiles(shape=(16, 16, 16)))))
    zero = _whole(_sampler(image, described(tiles=Tiles(shape=(16, 16, 16), padding="zero"))))

    assert edge.shape == zero.shape == (1, 16, 50, 50)
    assert edge.min() == pytest.approx(40)
    assert (zero == 0).all(axis=(0, 2, 3)).sum() == 13


def test_what_depends_on_the_whole_image_is_measured_on_all_of_it() -> None:
    image = _noise(Grid.regular((30, 12, 12), (6.0, 6.0, 6.0)))
    model = described(
        inputs=((0, (ZScore(),)), (0, (Clip(-100.0, 100.0), MinMax(-1.0, 1.0)))),
        sampling=Sampling(spacing_mm=(6.0, 6.0, 6.0), method="linear"),
    )

    score, stretched = _whole(_sampler(image, model))

    plain = image.array.astype(float)
    np.testing.assert_allclose(score, (plain - plain.mean()) / plain.std(), atol=1e-4)
    np.testing.assert_allclose(stretched, np.clip(plain, -100, 100) / 100, atol=1e-5)


def test_nonzero_samples_are_standardised_among_themselves() -> None:
    array = np.array([[[0.0, 2.0, 4.0, 0.0, 6.0]]], np.float32)
    image = Image(array, Grid.regular(array.shape), "MR")
    sampling = Sampling(orientation="SPL", fit="faces", method="linear")
    model = described(
        sampling=sampling,
        tiles=Tiles(shape=(1, 1, 1)),
        inputs=((0, (ZScore(nonzero=True),)),),
        modality="MR",
    )

    sampled = _whole(_sampler(image, model)).ravel()

    np.testing.assert_allclose(sampled, [0, -1.2247449, 0, 0, 1.2247449], atol=1e-5)


@pytest.mark.parametrize("tilted", [False, True])
def test_what_is_no_number_is_air(tilted: bool) -> None:
    grid = Grid.regular((10, 10, 10), (6.0, 6.0, 6.0))
    if tilted:
        affine = grid.affine.copy()
        affine[1, 0] = 2.5
        grid = Grid(grid.shape, affine)
    array = np.zeros(grid.shape, np.float32)
    array[4:6] = np.nan

    sampled = _whole(_sampler(Image(array, grid, "CT"), described()))

    assert np.isfinite(sampled).all()
    assert sampled.min() == pytest.approx(-1000, abs=1)


def test_a_channel_that_is_not_there_is_refused() -> None:
    model = described(inputs=((0, ()), (3, ())))

    with pytest.raises(UnsuitableImageError, match="reads 4 channels, the image has 1"):
        _sampler(_noise(Grid.regular((9, 9, 9))), model)
