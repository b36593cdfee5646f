"""Whole runs: steps down when memory is short, cascades, regions, flips, warm networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import described

from delineate.errors import ModelError, OptionError, UnsuitableImageError
from delineate.imaging import Grid, Image
from delineate.phantom import Phase, torso
from delineate.plugins import Monitor
from delineate.segmentation import attempts
from delineate.segmentation.intensity import window
from delineate.segmentation.model import Model, Sampling, Tiles
from delineate.segmentation.model_file import read_model, write_model
from delineate.segmentation.networks import build_network
from delineate.segmentation.options import NAMES, ModelOptions, OrganOptions
from delineate.segmentation.organs import MODEL, OrganDetector
from delineate.segmentation.pool import Pool
from delineate.segmentation.segmenter import Segmented, Segmenter

TORCH = {"device": "cpu", "backend": "torch"}


def _model(
    folder: Path,
    *,
    channels: int = 1,
    outputs: int = 3,
    seed: int = 5,
    order: tuple[int, ...] = (),
    **fields: Any,
) -> Model:
    """A tiny model of random weights, written to a folder."""
    arguments = {
        "spatial_dims": 3,
        "in_channels": channels,
        "out_channels": outputs,
        "channels": [4, 8],
        "strides": [2],
        "num_res_units": 1,
    }
    torch.manual_seed(seed)
    network = build_network("UNet", arguments)
    plain = {
        "labels": outputs - 1,
        "outputs": order,
        "arguments": arguments,
        "inputs": ((0, window(-200.0, 300.0)),),
        "sampling": Sampling(spacing_mm=(6.0, 5.0, 5.0)),
        "tiles": Tiles(shape=(16, 48, 48), overlap=0.5),
    }
    model = described(folder=folder, **(plain | fields))
    return write_model(model, [network.state_dict()])


@pytest.fixture(scope="module")
def image() -> Image:
    grid = Grid.regular((20, 48, 44), (5.0, 4.0, 4.0), (0.0, 0.0, 0.0))
    array = np.full(grid.shape, -1000, np.int16)
    rng = np.random.default_rng(3)
    array[3:18, 6:40, 5:38] = rng.normal(30, 90, (15, 34, 33)).astype(np.int16)
    return Image(array, grid, "CT")


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return _model(tmp_path / "model")


def _run(model: Model, image: Image, **options: Any) -> Segmented:
    return Segmenter(model).run(image, ModelOptions(**(TORCH | options)), Monitor())


def test_a_run_says_what_it_did(model: Model, image: Image) -> None:
    found = _run(model, image)

    assert found.device == "cpu, torch"
    assert found.remarks == ()
    assert found.labels.shape == image.grid.shape
    assert set(np.unique(found.labels)) <= {0, 1, 2}
    assert set(found.certainty) == set(np.unique(found.labels)) - {0}
    assert found.estimate.tiles > 0
    assert found.estimate.seconds is not None


def test_a_warm_network_is_not_loaded_again(model: Model, image: Image) -> None:
    segmenter = Segmenter(model)
    first = segmenter.run(image, ModelOptions(**TORCH), Monitor())
    (model.folder / "weights.safetensors").unlink()

    second = segmenter.run(image, ModelOptions(**TORCH), Monitor())

    np.testing.assert_array_equal(first.labels, second.labels)
    with pytest.raises(ModelError, match="cannot be read"):
        Segmenter(model).run(image, ModelOptions(**TORCH), Monitor())


def test_short_memory_is_met_by_smaller_tiles(
    model: Model, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Segmenter(model).estimate(image, ModelOptions(**TORCH)).bytes
    monkeypatch.setattr(attempts, "available_bytes", lambda: full - 1)

    found = _run(model, image)

    remark = found.remarks[0]
    assert "Stepped down for want of memory: tiles of 16 x 48 x 48 need" in remark
    assert "computed with tiles of 16 x 32 x 48 on cpu. Outlines may differ" in remark
    assert found.estimate.bytes < full


def test_no_memory_at_all_is_refused_with_what_to_do(
    model: Model, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "available_bytes", lambda: 1 << 20)

    with pytest.raises(UnsuitableImageError, match=r"need \d+ MB .* 1 MB are free.*region_mm"):
        _run(model, image)


class _Starved:
    """A backend that has no memory for tiles of more than so many samples."""

    def __init__(self, inner: Any, most: int, error: Exception) -> None:
        self._inner, self._most, self._error = inner, most, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        if tiles[0].numel() > self._most:
            raise self._error
        return self._inner.run(tiles)


def _starve(monkeypatch: pytest.MonkeyPatch, most: int, error: Exception, on: str = "cpu") -> None:
    from dataclasses import replace

    from delineate.segmentation.backends import choose as choosing

    choose = choosing.choose

    def starved(*arguments: Any, **named: Any) -> Any:
        device = named.pop("device")
        chosen = choose(*arguments, device="cpu", **named)
        if device != on:
            return chosen
        return replace(chosen, backend=_Starved(chosen.backend, most, error))

    monkeypatch.setattr(choosing, "choose", starved)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_a_card_without_memory_is_followed_by_the_cpu_with_the_same_labels(
    error: Exception, model: Model, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no card here: one that always lacks memory stands in for it."""
    plain = _run(model, image)
    monkeypatch.setattr(attempts, "_devices", lambda _: ("cuda", "cpu"))
    monkeypatch.setattr(attempts, "_batch", lambda *_: 1)
    _starve(monkeypatch, 10, error, on="cuda")

    found = _run(model, image)

    assert found.device == "cpu, torch"
    remark = found.remarks[0]
    assert "memory ran out with tiles of 16 x 48 x 48 on cuda" in remark
    assert remark.endswith("computed with tiles of 16 x 48 x 48 on cpu.")
    np.testing.assert_array_equal(found.labels, plain.labels)


@pytest.mark.parametrize("error", OUT_OF_MEMORY[1:])
def test_a_cpu_without_memory_is_met_by_smaller_tiles(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the shipped model: the large organs stay what they are, and the result says so."""
    ct, _ = torso(901, (5.0, 4.0, 4.0), (-150.0, 130.0), phase=Phase.PORTAL)
    options = OrganOptions(**TORCH)
    whole = OrganDetector().detect(ct, options)
    _starve(monkeypatch, 2 * 64 * 80 * 64, error)

    found = OrganDetector().detect(ct, options)

    remark = found.remarks[0]
    assert "memory ran out with tiles of 64 x 80 x 96 on cpu" in remark
    assert remark.endswith(
        "computed with tiles of 32 x 80 x 96 on cpu. Outlines may differ from those of whole tiles."
    )
    for name in ("lung_left", "lung_right", "liver"):
        label = NAMES.index(name) + 1
        a, b = (each.output.mask(label) for each in (whole, found))  # type: ignore[union-attr]
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.95, name


def test_another_error_of_the_network_is_passed_on(
    model: Model, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    _starve(monkeypatch, 10, RuntimeError("the sizes of tensors must match"))

    with pytest.raises(RuntimeError, match="must match"):
        _run(model, image)


def test_a_backend_that_is_not_there_is_refused(
    model: Model, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    from delineate.segmentation.backends import builders

    monkeypatch.setattr(builders, "_missing", lambda name: f"{name} is not installed")
    with pytest.raises(OptionError, match="openvino is not installed"):
        _run(model, image, backend="openvino")


def test_flips_are_averaged_and_tell_how_far_they_agree(tmp_path: Path, image: Image) -> None:
    model = _model(tmp_path / "model", mirror=(0, 2))

    plain, flipped = _run(model, image), _run(model, image, mirror=True)

    assert plain.certainty[1].agreement is None
    agreements = [each.agreement for each in flipped.certainty.values()]
    assert all(0.25 <= each <= 1 for each in agreements if each is not None)
    assert None not in agreements
    assert (plain.labels != flipped.labels).any()
    turned = Image(image.array[::-1, :, ::-1].copy(), image.grid, "CT")
    again = _run(model, turned, mirror=True, area="whole").labels[::-1, :, ::-1]
    whole = _run(model, image, mirror=True, area="whole").labels
    assert (again == whole).mean() > 0.999


def test_a_cascade_sees_what_the_first_model_found(tmp_path: Path, image: Image) -> None:
    """The same second network after another first one says something else."""
    found = []
    for seed in (1, 2, 1):
        folder = tmp_path / f"{len(found)}"
        first = _model(folder / "previous", seed=seed)
        _model(folder, channels=3, seed=9, previous=first)
        both = read_model(folder)
        assert both.channels == 3
        found.append(_run(both, image).labels)

    assert (found[0] != found[1]).any()
    np.testing.assert_array_equal(found[0], found[2])


def test_regions_overrule_each_other_in_order(tmp_path: Path, image: Image) -> None:
    """With the order turned round, what both regions hold goes to the other label."""
    fields = {"outputs": 2, "labels": 2, "activation": "sigmoid"}
    one = _run(_model(tmp_path / "one", **fields), image)
    two = _run(_model(tmp_path / "two", **fields, order=(2, 1)), image)

    assert set(np.unique(one.labels)) == {0, 1, 2}
    np.testing.assert_array_equal(two.labels > 0, one.labels > 0)
    np.testing.assert_array_equal(two.labels[one.labels > 0], 3 - one.labels[one.labels > 0])
    assert all(0 <= each.probability <= 1 for each in one.certainty.values())


def test_a_region_is_told_in_the_result(model: Model, image: Image) -> None:
    found = _run(model, image, region_mm=(20.0, 120.0, 30.0, 140.0, 20.0, 70.0))

    remark = found.remarks[0]
    assert "Only the region 20, 120, 30, 140, 20, 70" in remark
    k, j, i = np.nonzero(found.labels)
    assert k.size
    world = image.grid.to_world(np.stack([k, j, i], -1))
    assert (world.min(axis=0) >= (20, 30, 20)).all()
    assert (world.max(axis=0) <= (120, 140, 70)).all()


def test_a_model_that_may_not_be_mirrored_says_so(model: Model, image: Image) -> None:
    (remark,) = _run(model, image, mirror=True).remarks

    assert remark == "Model plain may not be mirrored, so that it was not."


def test_a_scan_without_a_body_says_so(model: Model, image: Image) -> None:
    air = Image(np.full(image.grid.shape, -1000, np.int16), image.grid, "CT")

    found = _run(model, air)

    assert found.remarks == ("No body was found in this scan, so that nothing was looked for.",)
    assert not found.labels.any()


def test_a_step_down_of_a_cascades_first_model_is_told(
    tmp_path: Path, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Tiles(shape=(16, 16, 16), overlap=0.5)
    first = _model(tmp_path / "both" / "previous")
    _model(tmp_path / "both", channels=3, tiles=small, previous=first)
    _starve(monkeypatch, 20_000, MemoryError())

    found = _run(read_model(tmp_path / "both"), image)

    assert any("tiles of 16 x 48 x 48 on cpu" in remark for remark in found.remarks)


def test_a_network_that_takes_none_of_its_tiles_is_the_models_fault(
    tmp_path: Path, image: Image
) -> None:
    model = _model(tmp_path / "model", tiles=Tiles(shape=(15, 47, 47)))

    with pytest.raises(ModelError, match="does not take its own tiles of 15 x 47 x 47"):
        _run(model, image)


def test_every_backend_can_be_asked_for() -> None:
    from typing import get_args

    from delineate.segmentation.backends.builders import NAMES as BACKENDS

    assert get_args(ModelOptions.model_fields["backend"].annotation) == ("auto", *BACKENDS)


def test_only_labels_that_are_wanted_come_back(model: Model, image: Image) -> None:
    everything = _run(model, image)
    some = Segmenter(model).run(image, ModelOptions(**TORCH), Monitor(), wanted=[2])

    np.testing.assert_array_equal(some.labels, np.where(everything.labels == 2, 2, 0))


def test_the_pool_keeps_to_its_budget() -> None:
    pool = Pool(100)
    made = []

    def make(name: str, size: int) -> str:
        def now() -> tuple[str, int]:
            made.append(name)
            return name, size

        return str(pool.get(name, now))

    for name, size in (("a", 40), ("b", 40), ("a", 40), ("c", 40), ("a", 40), ("b", 40)):
        assert make(name, size) == name

    assert made == ["a", "b", "c", "b"]  # "b" was used longest ago when "c" came
    assert pool.bytes <= 100
    make("huge", 1000)
    assert len(pool) == 1


def test_the_shipped_model_says_of_itself_what_it_is() -> None:
    model = read_model(MODEL)

    assert model.modality == "CT"
    assert model.mirror == ()  # left is not right
    assert model.classes == len(model.structures) + 1 == 17
