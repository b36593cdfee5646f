"""Installed models as detectors, through the door that all detectors use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from models import described

from delineate import delineate
from delineate.errors import ModelError, OptionError, UnsuitableImageError
from delineate.imaging import Category, Grid, Image
from delineate.plugins import registry
from delineate.plugins.host import Host
from delineate.segmentation.backends.builders import available
from delineate.segmentation.intensity import window
from delineate.segmentation.model import Model, Sampling, Tiles
from delineate.segmentation.model_file import write_model
from delineate.segmentation.networks import build_network
from delineate.segmentation.structures import Structure
from delineate.testing import DetectorTests

OPTIONS = {"device": "cpu", "backend": "torch"}


def _written(folder: Path, **fields: Any) -> Model:
    """A network of random weights as an installed model."""
    plain = {
        "name": "bright",
        "title": "What is bright",
        "arguments": {"spatial_dims": 3, "in_channels": 1, "out_channels": 3, "features": [4] * 6},
        "network": "BasicUNet",
        "inputs": ((0, window(-200.0, 300.0)),),
        "sampling": Sampling(spacing_mm=(4.0, 4.0, 4.0)),
        "tiles": Tiles(shape=(32, 32, 32)),
        "mirror": (0,),
    }
    model = described(folder=folder, **(plain | fields))
    torch.manual_seed(2)
    return write_model(model, [build_network(model.network, model.arguments).state_dict()])


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DELINEATE_MODELS", str(tmp_path / "models"))
    _written(tmp_path / "models" / "bright")
    return tmp_path / "models"


def _image() -> Image:
    grid = Grid.regular((20, 40, 40), (5.0, 4.0, 4.0))
    array = np.full(grid.shape, -1000, np.int16)
    rng = np.random.default_rng(4)
    array[3:17, 5:35, 5:35] = rng.normal(40, 90, (14, 30, 30)).astype(np.int16)
    return Image(array, grid, "CT")


class TestAnInstalledModel(DetectorTests):
    detector_id = "models.bright"
    options = OPTIONS
    equivariant: ClassVar = {"shift": None}  # weights drawn by chance answer to every border
    large_samples = 300_000

    def sample(self) -> Image:
        return _image()


def test_a_model_that_was_added_is_a_detector(store: Path) -> None:
    spec = registry.find("models.bright")

    assert spec.title == "What is bright"
    assert [each.name for each in spec.categories] == ["thing 1", "thing 2"]
    assert spec.wants.modalities == ("CT",)
    assert spec.weights[0].name == "bright/weights.safetensors"


def test_what_it_finds_comes_with_its_confidence() -> None:
    found = delineate(_image(), "models.bright", OPTIONS | {"mirror": True})

    assert found.provenance.device == "cpu, torch"
    seen = [each for each in found.findings if each.measurements["voxels"]]
    assert seen
    for finding in seen:
        assert finding.score is not None
        assert 0 < finding.score <= 1
        assert 0 <= finding.measurements["border_entropy"] <= 1
        assert 0.5 <= finding.measurements["flip_agreement"] <= 1


def test_it_runs_in_a_process_of_its_own_and_says_the_same() -> None:
    here = delineate(_image(), "models.bright", OPTIONS)
    with Host(registry.find("models.bright")) as host:
        there = delineate(_image(), "models.bright", OPTIONS, runner=host)

    np.testing.assert_array_equal(here.output.array, there.output.array)  # type: ignore[union-attr]
    assert [f.measurements for f in here.findings] == [f.measurements for f in there.findings]


def test_a_structure_smaller_than_plausible_says_so(store: Path) -> None:
    large = tuple(
        Structure(Category(f"thing {n}"), min_volume_ml=1e6, single=False) for n in (1, 2)
    )
    _written(store / "large", structures=large)

    found = delineate(_image(), "models.large", OPTIONS)

    for finding in found.findings:
        assert ("smaller than plausible" in finding.notes) == bool(finding.measurements["voxels"])


def test_a_broken_model_hides_no_other(store: Path) -> None:
    (store / "broken").mkdir()
    (store / "broken" / "model.json").write_text("{")

    ids = [spec.id for spec in registry.list_detectors()]

    assert "models.bright" in ids
    assert "models.broken" not in ids
    assert "organs.ct" in ids


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_weights_that_were_changed_are_refused_at_the_first_run(store: Path, backend: str) -> None:
    if obstacle := available("cpu")[backend]:
        pytest.skip(obstacle)
    options = OPTIONS | {"backend": backend}
    with Host(registry.find("models.bright")) as host:  # from now on what it made of them is kept
        delineate(_image(), "models.bright", options, runner=host)
    path = store / "bright" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-3])

    with pytest.raises(ModelError, match="truncated or was changed"):
        delineate(_image(), "models.bright", options)


def test_a_structure_that_it_does_not_know_is_refused() -> None:
    with pytest.raises(OptionError, match="knows no structures soul; it knows thing 1, thing 2"):
        delineate(_image(), "models.bright", OPTIONS | {"structures": ["soul"]})


def test_another_modality_is_refused() -> None:
    image = _image()

    with pytest.raises(UnsuitableImageError):
        delineate(Image(image.array, image.grid, "MR"), "models.bright", OPTIONS)


def test_listing_models_loads_no_torch(store: Path) -> None:
    code = (
        "import json, sys\n"
        "from delineate.plugins import registry\n"
        "ids = [spec.id for spec in registry.list_detectors()]\n"
        "print(json.dumps([ids, sorted({'torch', 'monai', 'safetensors'} & set(sys.modules))]))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    ids, heavy = json.loads(answer.stdout)
    assert "models.bright" in ids
    assert heavy == []
