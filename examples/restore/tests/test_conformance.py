"""The suite that comes with delineate, and what a finer grid has to keep."""

from pathlib import Path

import numpy as np
import pytest
from delineate_restore.pictures import coarser, leaves
from delineate_restore.restorer import Doubler
from delineate_restore.train import compared, fit

from delineate import Grid, Image, delineate
from delineate.errors import ModelError
from delineate.testing import DetectorTests

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def picture(seed: int = 5, size: int = 64) -> np.ndarray:
    return np.rint(255 * leaves(size, np.random.default_rng(seed))).astype(np.uint8)


class TestDoubler(DetectorTests):
    detector_id = "restore.double"
    # Its network has seen every picture in a mirror, and yet is not the same in it.
    equivariant = {"flips": 0.01, "permutations": None}  # noqa: RUF012

    def sample(self) -> Image:
        return Image(picture()[None], Grid.regular((1, 64, 64), unit="px"), "photo")


def restored(image: Image, method: str = "network") -> Image:
    output = delineate(image, "restore.double", {"method": method}).output
    assert isinstance(output, Image)
    return output


def test_the_finer_grid_lies_as_the_source_does() -> None:
    affine = np.array(
        [[0.1, 0.0, 0.8, -10], [0.2, 0.7, 0.0, -20], [3.0, 0.1, 0.0, 5], [0, 0, 0, 1.0]]
    )
    source = Image(np.stack([picture(1), picture(2)]), Grid((2, 64, 64), affine), "CT")
    fine = restored(source)

    assert fine.grid.shape == (2, 128, 128)
    # A quarter of the old spacing before the first sample along rows and columns.
    np.testing.assert_allclose(
        fine.grid.to_world((1, 0, 0)), source.grid.to_world((1, -0.25, -0.25))
    )
    np.testing.assert_allclose(
        fine.grid.to_world((0, 127, 127)), source.grid.to_world((0, 63.25, 63.25))
    )
    np.testing.assert_allclose(np.array(source.grid.spacing) / fine.grid.spacing, (1, 2, 2))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_means_of_the_finer_samples_are_the_samples(dtype: type) -> None:
    array = (picture(7).astype(float) - (128 if dtype is not np.uint8 else 0)).astype(dtype)
    array = np.clip(array, -60 if dtype is not np.uint8 else 40, 90)
    array[0, 0], array[-1, -1] = array.min() - 20, array.max() + 20  # the range cuts nothing off
    source = Image(array[None], Grid.regular((1, 64, 64), unit="px"), "photo")

    fine = restored(source).array[0]

    assert fine.dtype == array.dtype
    inner = np.abs(coarser(fine.astype(np.float32)) - array)[4:-4, 4:-4]
    assert inner.max() <= (1e-3 if dtype is np.float32 else 0.5)


def test_something_bright_stays_where_it_is() -> None:
    array = np.zeros((1, 40, 50), np.float32)
    array[0, 10:16, 20:30] = 100
    source = Image(array, Grid.regular((1, 40, 50), (1, 0.5, 0.25)), "CT")
    fine = restored(source)

    def centre(image: Image) -> np.ndarray:
        places = image.grid.to_world(np.stack(np.indices(image.grid.shape), axis=-1))
        return np.average(places.reshape(-1, 3), axis=0, weights=image.array.ravel())

    np.testing.assert_allclose(centre(fine), centre(source), atol=0.01)


def test_tiles_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Image(picture(3)[None], Grid.regular((1, 64, 64), unit="px"), "photo")
    at_once = restored(source)
    monkeypatch.setattr("delineate_restore.restorer._TILE", 13)

    assert np.abs(restored(source).array.astype(int) - at_once.array).max() <= 1


def test_colours_are_taken_one_by_one() -> None:
    array = np.stack([picture(n) for n in (1, 2, 3)], axis=-1)[None]
    colours = ("red", "green", "blue")
    source = Image(array, Grid.regular((1, 64, 64), unit="px"), "photo", colours)
    fine = restored(source)

    assert (fine.array.shape, fine.channels) == ((1, 128, 128, 3), colours)
    assert not np.array_equal(fine.array[..., 0], fine.array[..., 2])


def test_it_is_better_than_bicubic_on_pictures_never_seen() -> None:
    rng = np.random.default_rng(404)
    grid = Grid.regular((1, 96, 96), unit="px")
    found = compared(Image(leaves(96, rng)[None], grid, "photo") for _ in range(4))

    assert found["psnr_network"] > found["psnr_bicubic"] + 3
    assert found["ssim_network"] > found["ssim_bicubic"] + 0.02


@pytest.mark.skipif(not DATA.is_dir(), reason="the real images of ../shared/data are not here")
def test_it_is_better_than_bicubic_on_real_photographs_and_ct() -> None:
    from delineate import read

    bee = read(sorted((DATA / "counting" / "bees").glob("*.jpg"))[0])
    scan = read(DATA / "ct_series" / "abdomen_crlm_1004" / "image")
    part = Image(scan.array[20:22], scan.grid.crop((20, 0, 0), (2, 512, 512)), "CT")

    for image, gain in ((bee, 0.2), (part, 3.0)):
        found = compared([image])
        assert found["psnr_network"] > found["psnr_bicubic"] + gain
        assert found["ssim_network"] > found["ssim_bicubic"]


def test_training_twice_gives_the_same_bytes() -> None:
    from safetensors.torch import save

    first, second = (
        save({n: v.contiguous() for n, v in fit(2, 3).state_dict().items()}) for _ in range(2)
    )

    assert first == second


def test_broken_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"other")
    monkeypatch.setattr("delineate_restore.restorer._WEIGHTS", tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match="install"):
        Doubler()
